"""Where things lie, who may read them, and what people source."""

import os
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from local import credentials
from local.errors import LocalError
from local.layout import LONGEST_SOCKET_PATH, Layout, make_own_folder, write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = Layout(tmp_path / "data")
    made.make()
    return made


def test_its_folders_are_closed_to_others(layout: Layout) -> None:
    folders = [layout.root, *(path for path in layout.root.rglob("*") if path.is_dir())]

    assert {mode(folder) for folder in folders} == {0o700}


def test_an_existing_folder_keeps_its_mode(layout: Layout) -> None:
    layout.root.chmod(0o755)

    layout.make()

    assert mode(layout.root) == 0o755


def test_sockets_move_away_from_a_path_too_long_for_them(tmp_path: Path) -> None:
    sockets = Layout(tmp_path / ("long" * 30)).sockets

    assert len(os.fsencode(sockets / ".s.PGSQL.5432.lock")) <= LONGEST_SOCKET_PATH


def test_two_long_paths_get_different_socket_folders(tmp_path: Path) -> None:
    one, other = (Layout(tmp_path / (name * 120)) for name in "ab")

    assert one.sockets != other.sockets


def test_a_socket_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "sockets"
    folder.mkdir()
    folder.chmod(0o755)

    with pytest.raises(LocalError, match="remove it"):
        make_own_folder(folder)


def test_a_link_in_place_of_the_socket_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "sockets").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(LocalError, match="remove it"):
        make_own_folder(tmp_path / "sockets")


def test_a_private_file_is_replaced_whole_and_closed(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("open before")
    file.chmod(0o644)

    write_private(file, b"closed now")

    assert file.read_text() == "closed now"
    assert mode(file) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_a_private_file_that_cannot_be_put_in_place_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()

    with pytest.raises(IsADirectoryError):
        write_private(tmp_path / "taken", b"content")

    assert list(tmp_path.iterdir()) == [tmp_path / "taken"]


def test_a_password_is_made_once(layout: Layout) -> None:
    first = credentials.password(layout, "valkey")

    assert credentials.password(layout, "valkey") == first
    assert credentials.password(layout, "other") != first
    assert mode(layout.secrets / "valkey") == 0o600


def test_the_administrator_keeps_the_password(layout: Layout) -> None:
    first = credentials.administrator(layout)

    assert credentials.administrator(layout) == first
    assert mode(layout.admin_env) == 0o600


def test_a_shortened_file_of_the_administrator_is_refused_with_what_it_lacks(
    layout: Layout,
) -> None:
    layout.admin_env.write_text("export AI_EMAIL=a@b.example AI_PASSWORD=x FLOWER_USER=admin\n")

    with pytest.raises(LocalError, match=r"admin\.env lacks FLOWER_PASSWORD"):
        credentials.administrator(layout)


def test_a_shell_reads_the_exports_that_were_written(tmp_path: Path) -> None:
    values = {"A": 'it\'s $HOME; `ls` # "x"', "B": "", "C": "two\nlines"}
    file = tmp_path / "exports"
    file.write_text(credentials.exports(values))

    script = f'. \'{file}\' && printf \'%s|%s|%s\' "$A" "$B" "$C"'
    shown = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)

    assert shown.stdout == "|".join(values.values())
    assert credentials.read_exports(file) == values


def test_the_published_client_finds_no_certificate_of_its_own(layout: Layout) -> None:
    credentials.write_client_env(layout, "localhost:3000", "dev")

    told = credentials.read_exports(layout.client_env)
    assert (told["AI_API_CERT"], told["AI_API_KEY"], told["USE_LOCAL"]) == ("", "", "0")
    assert told["AI_API_CA"] == str(layout.ca)
