"""`redten up` as its users meet it: one stack, started and shared by the tests in their order."""

import shlex
import signal
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import requests

from local.credentials import read_exports
from local.layout import Layout
from local.processes import Kin
from tests.integration.up_process import LIMIT_S, Up, free_port, run_up, wait_for

PROGRAMS = (
    *("postgres", "valkey", "inference", "pipeline", "ingest", "sweep"),
    *("api", "beat", "flower"),
)


def flower_login(up: Up) -> tuple[str, str]:
    admin = read_exports(up.layout.admin_env)
    return admin["FLOWER_USER"], admin["FLOWER_PASSWORD"]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    started = Up(tmp_path_factory.mktemp("up") / "50% ; # 'odd'", free_port())
    yield started
    started.discard()


def test_a_signal_during_the_start_ends_it_without_a_trace(tmp_path: Path) -> None:
    early = Up(tmp_path / "data", free_port())
    try:
        wait_for(lambda: "valkey" in early.programs(), "valkey")
        programs = psutil.Process(early.process.pid).children(recursive=True)

        assert early.stop(signal.SIGINT) == 0
        assert not [program for program in programs if program.is_running()]
    finally:
        early.discard()


def test_ctrl_c_is_heard_while_supervisord_is_halted(tmp_path: Path) -> None:
    halted = Up(tmp_path / "data", free_port())
    try:
        wait_for(lambda: "valkey" in halted.programs(), "valkey")
        programs = psutil.Process(halted.process.pid).children(recursive=True)
        halted.supervisord().suspend()

        assert halted.stop(signal.SIGINT) == 0
        assert not [program for program in programs if program.is_running()]
    finally:
        halted.discard()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
def test_a_demo_that_is_killed_leaves_no_stack_behind(tmp_path: Path, number: int) -> None:
    demo = Up(tmp_path / "data", free_port(), ["demo"])
    try:
        wait_for(lambda: "valkey" in demo.programs(), "valkey")

        demo.stop(number)

        wait_for(lambda: not demo.kin.alive(), "end of the stack")
    finally:
        demo.discard()


def test_the_ready_line_comes_when_the_stack_is_ready(up: Up) -> None:
    line = up.ready_line()

    assert line.startswith(f"redten is ready: https://localhost:{up.port} ")
    assert f"source {shlex.quote(str(up.layout.client_env))}" in line
    assert up.is_ready()


def test_what_it_writes_is_for_its_owner_only(up: Up) -> None:
    for path in up.layout.root.rglob("*"):
        # Sockets lie in a closed folder; a file may be gone before we look.
        if path.is_file() or path.is_dir():
            with suppress(FileNotFoundError):
                assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_no_secret_shows_in_the_process_list(up: Up) -> None:
    secrets = [path.read_text() for path in up.layout.secrets.iterdir() if path.name != "cluster"]
    secrets += [v for k, v in read_exports(up.layout.admin_env).items() if "PASSWORD" in k]
    command_lines = " ".join(" ".join(p.cmdline()) for p in up.kin.alive())

    assert len(secrets) == 5
    assert not [secret for secret in secrets if secret in command_lines]


def test_only_the_migration_may_know_the_owner_of_the_tables(up: Up) -> None:
    owners = [p for p in up.kin.alive() if "DATABASE_ADMIN_URL" in p.environ()]

    assert owners == []


def test_no_header_leads_a_request_elsewhere(up: Up) -> None:
    url = f"https://localhost:{up.port}/healthz"
    misleading = {"SCRIPT_NAME": "/x", "PATH_INFO": "/nowhere"}

    answer = requests.get(url, headers=misleading, verify=str(up.layout.ca), timeout=5)

    assert answer.json() == {"status": "ok"}


def test_threads_that_wait_for_llama_cpp_leave_the_cores_to_others(up: Up) -> None:
    assert up.programs()["inference"].environ()["GOMP_SPINCOUNT"] == "300"


def test_flower_asks_for_its_password(up: Up) -> None:
    wait_for(lambda: "flower" in up.programs(), "flower")
    url = f"{up.flower}/workers"

    def refused() -> bool:
        try:
            return requests.get(url, timeout=5).status_code == 401
        except requests.ConnectionError:
            return False

    wait_for(refused, "answer of flower")
    assert requests.get(url, timeout=5, auth=flower_login(up)).status_code == 200


def test_a_second_start_on_the_same_data_is_refused(up: Up) -> None:
    before = up.layout.client_env.stat().st_mtime_ns

    second = run_up(up.layout.root, free_port())

    assert second.returncode == 1
    assert f"pid {up.process.pid}, https://localhost:{up.port}" in second.stderr
    assert up.layout.client_env.stat().st_mtime_ns == before
    assert up.is_ready()


def test_a_port_in_use_is_said_plainly(up: Up, tmp_path: Path) -> None:
    second = run_up(tmp_path / "other", up.port)

    assert second.returncode == 1
    assert second.stderr.startswith(f"redten: port {up.port} is in use")
    assert Kin.of(Layout(tmp_path / "other")).alive() == []


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_killed_program_comes_back(up: Up, name: str) -> None:
    wait_for(lambda: name in up.programs(), name)
    killed = up.programs()[name]
    children = killed.children(recursive=True)

    killed.kill()

    wait_for(lambda: up.programs().get(name, killed).pid != killed.pid, f"new {name}")
    _, orphans = psutil.wait_procs(children, timeout=LIMIT_S)
    assert orphans == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_everything_comes_back_after_supervisord_is_ended(up: Up, number: int) -> None:
    wait_for(up.is_ready, "readiness")
    up.call("POST", "/collections", {"name": f"kept {number}"}, up.log_in())
    before = up.supervisord().children(recursive=True)

    up.supervisord().send_signal(number)

    _, left = psutil.wait_procs(before, timeout=LIMIT_S)
    assert left == []
    wait_for(lambda: set(up.programs()) == set(PROGRAMS) and up.is_ready(), "stack")


def test_a_start_after_a_killed_one_finds_its_data(up: Up) -> None:
    programs = psutil.Process(up.process.pid).children(recursive=True)
    up.stop(signal.SIGKILL)
    up.start()

    assert "redten is ready" in up.ready_line()
    assert not [program for program in programs if program.is_running()]
    collections = up.call("GET", "/collections", token=up.log_in())["collections"]
    assert {c["name"] for c in collections} >= {"kept 9", "kept 15", "embed-security"}


def test_sigterm_leaves_no_process_behind(up: Up) -> None:
    programs = psutil.Process(up.process.pid).children(recursive=True)

    assert up.stop(signal.SIGTERM) == 0
    assert not [program for program in programs if program.is_running()]
    assert up.kin.alive() == []
