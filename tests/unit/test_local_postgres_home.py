"""Which account runs Postgres, from where; as root without a change to any existing folder."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import postgres_home
from local.errors import LocalError
from local.layout import Layout
from local.postgres_home import INSTALL, PACKAGE, choose, refuse_copy, site_packages

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root needs another account")
as_user = pytest.mark.skipif(os.getuid() == 0, reason="root may not run Postgres")


@pytest.fixture
def system_home() -> Iterator[Path]:
    """A stand-in for /var/lib/redten that every account can reach."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder, "redten")


@pytest.fixture
def closed_packages(tmp_path: Path) -> Path:
    """An installation of the Postgres package that only its owner can reach."""
    closed = tmp_path / "site-packages"
    closed.mkdir(mode=0o700)
    for folder in (INSTALL, Path(f"{PACKAGE}.libs")):
        if (site_packages() / folder).exists():
            shutil.copytree(site_packages() / folder, closed / folder, symlinks=True)
    return closed


def made(root: Path) -> Layout:
    layout = Layout(root)
    layout.make()
    return layout


def modes(path: Path) -> list[tuple[Path, int]]:
    """The folder's mode and those of everything above and in it."""
    paths = [path, *path.parents, *path.rglob("*")]
    return [(p, stat.S_IMODE(p.lstat().st_mode)) for p in paths]


@as_user
def test_a_user_runs_it_in_the_data_directory(tmp_path: Path) -> None:
    layout = Layout(tmp_path)

    home = choose(layout)

    assert home.data == layout.postgres
    assert home.account is None


@as_root
def test_binaries_out_of_reach_are_copied_and_nothing_is_opened(
    tmp_path: Path, system_home: Path, closed_packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_home, "site_packages", lambda: closed_packages)
    before = modes(closed_packages)

    home = choose(made(tmp_path / "data"), system_home)

    assert home.binaries.is_relative_to(system_home)
    assert "PostgreSQL" in home.run("initdb", "--version").stdout
    assert modes(closed_packages) == before


@as_root
def test_binaries_are_copied_once(
    tmp_path: Path, system_home: Path, closed_packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_home, "site_packages", lambda: closed_packages)
    first = choose(made(tmp_path / "one"), system_home).binaries
    copied = first.stat().st_ino

    second = choose(made(tmp_path / "other"), system_home).binaries

    assert (second, second.stat().st_ino) == (first, copied)


@as_root
def test_each_data_directory_gets_a_closed_folder_of_the_account(
    tmp_path: Path, system_home: Path
) -> None:
    one, other = (choose(made(tmp_path / name), system_home) for name in ("one", "other"))

    assert one.account is not None
    assert one.data.parent != other.data.parent
    found = one.data.parent.stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (one.account.pw_uid, 0o700)


@as_root
def test_a_data_directory_keeps_its_cluster_when_it_is_moved(
    tmp_path: Path, system_home: Path
) -> None:
    before = choose(made(tmp_path / "data"), system_home).data
    moved = Layout((tmp_path / "data").rename(tmp_path / "moved"))

    refuse_copy(moved, system_home)

    assert choose(moved, system_home).data == before


@as_root
def test_a_new_data_directory_in_place_of_a_removed_one_gets_a_new_cluster(
    tmp_path: Path, system_home: Path
) -> None:
    before = choose(made(tmp_path / "data"), system_home).data
    shutil.rmtree(tmp_path / "data")

    assert choose(made(tmp_path / "data"), system_home).data != before


@as_root
def test_a_copy_of_a_data_directory_must_not_share_its_cluster(
    tmp_path: Path, system_home: Path
) -> None:
    choose(made(tmp_path / "data"), system_home)
    shutil.copytree(tmp_path / "data", tmp_path / "copy")

    with pytest.raises(LocalError, match=rf"copy of {tmp_path / 'data'}.* remove .*cluster"):
        refuse_copy(Layout(tmp_path / "copy"), system_home)
