"""What the commands say when they cannot do their work: one line, no traceback."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from local import cli, weights, workers
from local.errors import LocalError, local_errors
from settings import inherited_environment

REDTEN = (sys.executable, "-m", "cli")


def run(command: Sequence[str], **told: str) -> subprocess.CompletedProcess[str]:
    environment = inherited_environment() | told
    return subprocess.run(
        [*REDTEN, *command], env=environment, capture_output=True, text=True, check=False
    )


def test_a_variable_that_makes_no_sense_is_named() -> None:
    ended = run(["--help"], REDTEN_PORT="abc")

    assert ended.returncode == 1
    assert ended.stderr.startswith("redten: REDTEN_PORT: ")
    assert ended.stderr.count("\n") == 1


def test_levels_of_logging_are_known_in_any_case() -> None:
    assert run(["up", "--help"], LOG="WARNING").returncode == 0
    assert run(["up", "--help"], LOG="trace").stderr.startswith("redten: LOG: ")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "redten: no database has this URL: "),
        ("postgresql://me:a-secret@127.0.0.1:1/x", "redten: cannot migrate: connection "),
    ],
)
def test_a_database_out_of_reach_is_said_without_its_password(url: str, said: str) -> None:
    ended = run(["migrate"], DATABASE_URL=url, LOG="error")

    assert ended.returncode == 1
    assert ended.stderr.startswith(said)
    assert ended.stderr.count("\n") == 1
    assert "a-secret" not in ended.stderr


def test_an_administrator_without_a_name_is_refused_before_the_migration(tmp_path: Path) -> None:
    shortened = tmp_path / "admin.env"
    shortened.write_text("export AI_PASSWORD=x\n")

    ended = CliRunner().invoke(cli.migrate, ["--admin-env", str(shortened)])

    assert (ended.exit_code, ended.output) == (1, f"redten: {shortened} lacks AI_EMAIL\n")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    for command in (["up", "--data-dir", f"{file}/data"], ["weights"]):
        ended = run(command, REDTEN_WEIGHTS_DIR=f"{file}/weights")
        assert ended.returncode == 1
        assert ended.stderr.startswith("redten: ")
        assert str(file) in ended.stderr
        assert "Traceback" not in ended.stderr


def test_an_installation_without_the_server_says_how_to_get_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    @local_errors
    def command() -> None:
        raise ModuleNotFoundError(name="psutil")

    with pytest.raises(SystemExit, match="1"):
        command()
    assert capsys.readouterr().err == "redten: no psutil here: pip install 'redten[server]'\n"


def test_a_model_that_nobody_can_make_is_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"model": "large.gguf", "weights_dir": tmp_path}
    monkeypatch.setattr(weights, "settings", weights.settings.model_copy(update=told))

    with pytest.raises(LocalError, match=rf"REDTEN_MODEL asks for large.gguf, .* {tmp_path}"):
        weights.to_make()

    (tmp_path / "large.gguf").touch()
    assert weights.to_make() == [weights.MINILM]


def test_a_worker_without_a_broker_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    told = workers.settings.model_copy(update={"redis_url": None, "blobs": None})
    monkeypatch.setattr(workers, "settings", told)

    with pytest.raises(LocalError, match="needs REDIS_URL: "):
        workers.require_services(["pipeline"])
    with pytest.raises(LocalError, match="needs REDIS_URL, REDTEN_BLOBS: "):
        workers.require_services(["ingest"])
