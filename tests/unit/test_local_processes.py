"""Whose processes are whose, and how they end; one start at a time; ports."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from local import ports
from local.errors import LocalError, Stopped
from local.lock import held
from local.processes import MARK, SUPERVISORD, Kin, end
from local.waiting import Patience

SLEEP = "import time; print('up', flush=True); time.sleep(600)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"

Start = Callable[..., psutil.Process]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts Python programs under a mark; they are up when this returns."""
    started = []

    def begin(code: str, mark: str, *arguments: str) -> psutil.Process:
        child = subprocess.Popen(
            [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, env={MARK: mark}
        )
        started.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        return psutil.Process(child.pid)

    yield begin
    for child in started:
        with child:
            child.kill()


@pytest.fixture
def restored_signals() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_only_programs_with_the_mark_are_kin(start: Start) -> None:
    ours, other = start(SLEEP, "mine"), start(SLEEP, "somebody's")

    alive = Kin("mine", frozenset()).alive()

    assert ours in alive
    assert other not in alive


def test_ending_kin_kills_the_deaf_and_spares_others(start: Start) -> None:
    deaf, other = start(DEAF, "mine"), start(SLEEP, "somebody's")

    Kin("mine", frozenset()).end(grace_s=0.2)

    assert not psutil.pid_exists(deaf.pid) or deaf.status() == psutil.STATUS_ZOMBIE
    assert other.is_running()


def test_a_child_is_no_orphan_of_the_supervisord_it_is(start: Start) -> None:
    child = start(SLEEP, "mine")
    kin = Kin("mine", frozenset())

    assert child in kin.orphans(supervisord=0)
    assert child not in kin.orphans(supervisord=child.pid)


def test_a_supervisord_is_told_from_what_it_leaves_behind(start: Start) -> None:
    kin = Kin("mine", frozenset())
    start(SLEEP, "mine")
    assert not kin.supervised()

    start(SLEEP, "mine", SUPERVISORD)

    assert kin.supervised()


def test_ending_a_process_that_has_gone_is_fine(start: Start) -> None:
    gone = start(SLEEP, "mine")
    gone.kill()
    gone.wait()

    end([gone], grace_s=1)

    assert not gone.is_running()


def test_a_lock_is_held_once_and_names_its_holder(tmp_path: Path) -> None:
    lock = tmp_path / "run" / "up.lock"
    lock.parent.mkdir()
    with (
        held(lock, "https://localhost:3000"),
        pytest.raises(LocalError, match=rf"pid {os.getpid()}, https://localhost:3000"),
        held(lock, "https://localhost:4000"),
    ):
        pytest.fail("held twice")


def test_a_lock_can_be_had_again(tmp_path: Path) -> None:
    lock = tmp_path / "up.lock"
    with held(lock, "first"):
        pass

    with held(lock, "second"):
        assert lock.read_text() == f"pid {os.getpid()}, second\n"


def test_a_port_in_use_is_named_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        with pytest.raises(LocalError, match=rf"port {port} is in use .* --port"):
            ports.require("127.0.0.1", port)


def test_the_next_free_port_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]

        assert ports.first_free(taken) > taken


def test_two_data_directories_usually_get_different_ports_though_none_is_taken_yet() -> None:
    one, other = ports.usual("1a", ports.FLOWER), ports.usual("2b", ports.FLOWER)

    assert one != other
    assert one == ports.usual("1a", ports.FLOWER)


def test_a_host_that_is_not_ours_is_an_error_with_its_reason() -> None:
    with pytest.raises(LocalError, match=r"cannot listen on 192\.0\.2\.1 port 3000: "):
        ports.require("192.0.2.1", 3000)


@pytest.mark.usefixtures("restored_signals")
def test_a_signal_ends_a_wait() -> None:
    patience = Patience()
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()

    with pytest.raises(Stopped):
        patience.until(lambda: False, "waiting for ever", limit_s=60)


@pytest.mark.usefixtures("restored_signals")
def test_a_hang_up_is_ignored_where_nohup_says_so() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    patience = Patience()
    os.kill(os.getpid(), signal.SIGHUP)

    assert not patience.asked_to_stop
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


@pytest.mark.usefixtures("restored_signals")
def test_a_wait_gives_up_and_says_what_for() -> None:
    with pytest.raises(TimeoutError, match="gave up starting postgres"):
        Patience().until(lambda: False, "starting postgres", limit_s=0)


@pytest.mark.usefixtures("restored_signals")
def test_a_long_wait_says_what_it_is_for(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("local.waiting.SILENT_S", 0.0)
    answers = iter([False, False, True])

    Patience().until(lambda: next(answers), "starting postgres", limit_s=60)

    assert capfd.readouterr().err == "starting postgres ...\n"
