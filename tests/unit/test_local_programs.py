"""What supervisord is told to run, and how workers are run elsewhere."""

import tempfile
from pathlib import Path

import pytest
from supervisor.options import ServerOptions

from celeryconfig import QUEUES
from local import gunicorn_conf
from local.errors import LocalError
from local.layout import Layout
from local.postgres import Postgres
from local.postgres_home import Home
from local.programs import configuration, services, stores
from local.valkey import Valkey
from local.workers import POOLS, worker_command


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ServerOptions:
    """supervisord's own reading of the configuration of a data directory with an odd name."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    layout = Layout(tmp_path / "50% ; # 'odd'")
    layout.make()
    home = Home(Path("/opt/pg 100%/bin"), layout.postgres, layout.sockets, None)
    valkey = Valkey(Path("/opt/valkey-server"), 20000, "valkey-secret")
    programs = [
        *stores(layout, Postgres(home, "superuser-secret", "login-secret"), valkey),
        *services(5555),
    ]
    socket = tmp_path / "supervisor.sock"
    layout.supervisord_conf.write_text(configuration(programs, socket, "socket-secret"))
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


def test_what_others_need_starts_first_and_stops_last(conf: ServerOptions) -> None:
    priorities = {group.name: group.priority for group in conf.process_group_configs}

    assert priorities["stores"] < priorities["workers"] < priorities["door"]


def test_no_secret_of_a_service_is_in_the_configuration(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    home = Home(Path("/opt"), layout.postgres, layout.sockets, None)
    valkey = Valkey(Path("/opt/valkey-server"), 20000, "valkey-secret")
    programs = stores(layout, Postgres(home, "superuser-secret", "login-secret"), valkey)

    text = configuration([*programs, *services(5555)], tmp_path / "s.sock", "socket")

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
