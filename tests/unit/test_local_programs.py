"""What supervisord is told to run, and how workers are run elsewhere."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from supervisor.options import ServerOptions

from celeryconfig import QUEUES
from local import environment, gunicorn_conf
from local.errors import LocalError
from local.layout import Layout
from local.postgres import Postgres
from local.postgres_home import Home
from local.programs import configuration, services, stores
from local.valkey import Valkey
from local.workers import POOLS, worker_command


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder with room for the path of a socket."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def conf(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> ServerOptions:
    """supervisord's own reading of the configuration of a data directory with an odd name."""
    layout = Layout(short_path / "50% ; # 'odd'")
    layout.make()
    assert layout.sockets.is_relative_to(layout.run)
    home = Home(Path("/opt/pg 100%/bin"), layout.postgres, layout.sockets, None)
    valkey = Valkey(Path("/opt/valkey-server"), 20000, "valkey-secret")
    programs = [
        *stores(layout, Postgres(home, "superuser-secret", "login-secret"), valkey),
        *services(5555),
    ]
    socket = layout.sockets / "supervisor.sock"
    text = configuration(programs, layout.run, socket, "socket-secret")
    layout.supervisord_conf.write_text(text)
    monkeypatch.chdir(layout.run)
    options = ServerOptions()
    options.realize(["-n", "-c", layout.supervisord_conf.name])
    return options


def test_supervisord_reads_every_program_as_meant(conf: ServerOptions) -> None:
    commands = {
        program.name: program.command
        for group in conf.process_group_configs
        for program in group.process_configs
    }

    assert set(commands) == {"postgres", "valkey", *QUEUES, "api", "beat", "flower"}
    assert commands["postgres"].endswith("'/opt/pg 100%/bin/postgres' -D ../postgres")
    assert "-n ingest@%h" in commands["ingest"]


def test_supervisord_listens_below_the_data_directory(conf: ServerOptions) -> None:
    [server] = conf.server_configs

    assert server["file"] == f"{Path.cwd()}/sockets/supervisor.sock"


def test_what_others_need_starts_first_and_stops_last(conf: ServerOptions) -> None:
    priorities = {group.name: group.priority for group in conf.process_group_configs}

    assert priorities["stores"] < priorities["workers"] < priorities["door"]


def test_no_secret_of_a_service_is_in_the_configuration(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    home = Home(Path("/opt"), layout.postgres, layout.sockets, None)
    valkey = Valkey(Path("/opt/valkey-server"), 20000, "valkey-secret")
    programs = stores(layout, Postgres(home, "superuser-secret", "login-secret"), valkey)

    text = configuration([*programs, *services(5555)], layout.run, tmp_path / "s.sock", "socket")

    assert "-secret" not in text


def test_an_external_store_is_not_started(tmp_path: Path) -> None:
    assert stores(Layout(tmp_path), None, None) == []


def test_every_queue_has_a_worker() -> None:
    assert set(POOLS) == set(QUEUES)


def test_queues_of_one_kind_of_pool_share_a_worker() -> None:
    command = worker_command(["pipeline", "inference"])

    together = POOLS["pipeline"].tasks + POOLS["inference"].tasks
    assert command[command.index("-Q") + 1] == "pipeline,inference"
    assert command[command.index("--concurrency") + 1] == str(together)


def test_a_queue_named_twice_counts_once() -> None:
    assert worker_command(["pipeline", "pipeline"]) == worker_command(["pipeline"])


def test_a_program_may_run_in_any_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    relative = {"weights_dir": Path("weights"), "blobs": "blobs"}
    told = environment.settings.model_copy(update=relative)
    monkeypatch.setattr(environment, "settings", told)
    monkeypatch.setattr(environment, "inherited_environment", lambda: {"HOME": "/home/me"})

    assert environment.anywhere() == {
        "HOME": "/home/me",
        "GOMP_SPINCOUNT": "300",
        "PYTHONSAFEPATH": "1",
        "REDTEN_WEIGHTS_DIR": str(Path.cwd() / "weights"),
        "REDTEN_BLOBS": str(Path.cwd() / "blobs"),
    }


def test_who_has_said_how_threads_wait_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"GOMP_SPINCOUNT": "9"}
    monkeypatch.setattr(environment, "inherited_environment", lambda: said)

    assert environment.anywhere()["GOMP_SPINCOUNT"] == "9"


def test_queues_of_different_pools_are_refused_with_the_way_out() -> None:
    with pytest.raises(LocalError, match="redten worker ingest"):
        worker_command(["ingest", "sweep"])


def test_an_unknown_queue_is_named() -> None:
    with pytest.raises(LocalError, match="no queue nonsense"):
        worker_command(["pipeline", "nonsense"])


def test_counters_of_an_earlier_run_are_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "counter_1.db").touch()
    (tmp_path / "kept.txt").touch()
    told = gunicorn_conf.settings.model_copy(update={"metrics_dir": tmp_path})
    monkeypatch.setattr(gunicorn_conf, "settings", told)

    gunicorn_conf.on_starting(None)

    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]
