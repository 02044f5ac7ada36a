"""What is done to a deployment: one function a fault, as a context in which the fault lasts."""

import shutil
import signal
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xmlrpc.client import ServerProxy

import psutil
from supervisor.xmlrpc import SupervisorTransport

from benchmarks.broker_proxy import BrokerProxy
from benchmarks.stack import Stack
from local.processes import Kin

INFERENCE, PIPELINE, INGEST = "inference@", "pipeline@", "ingest@"
PARSER, GUNICORN, BEAT = "ingest.load.child", "gunicorn", "beat-schedule"
SWEEP, SUPERVISORD, VALKEY, POSTGRES = "sweep@", "local.supervisord", "valkey-server", "postgres"
# A message to the broker is longer; the beginning of one is no message.
CUTS, CUT_AFTER_BYTES = 24, 40


@dataclass(frozen=True, slots=True)
class Target:
    """A running deployment, whose broker is reached through `proxy`.

    `small_disk` is the blob store, where that is a file system of its own.
    """

    stack: Stack
    proxy: BrokerProxy
    small_disk: Path | None = None

    def processes(self, mark: str) -> list[psutil.Process]:
        """Those whose command line or name says so."""
        return [one for one in Kin.of(self.stack.layout).alive() if mark in _words(one)]

    def kill(self, mark: str) -> None:
        """SIGKILL to all of them."""
        for process in self.processes(mark):
            with suppress(psutil.NoSuchProcess):
                process.kill()


Strike = Callable[[Target], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """`during` is the step that some work is in when it strikes; it lasts so many seconds."""

    name: str
    strike: Strike
    during: str
    lasts_s: float = 0.0


def _words(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join([process.name(), *process.cmdline()])
    return ""


def killed(mark: str) -> Strike:
    """SIGKILL to the processes of that mark."""

    @contextmanager
    def strike(target: Target) -> Iterator[None]:
        target.kill(mark)
        yield

    return strike


@contextmanager
def gunicorn_worker_killed(target: Target) -> Iterator[None]:
    """One of the processes that answer."""
    _signal(_children(target.processes(GUNICORN))[:1], signal.SIGKILL)
    yield


@contextmanager
def gunicorn_master_killed(target: Target) -> Iterator[None]:
    """The process that started those."""
    _signal(_parents(target.processes(GUNICORN)), signal.SIGKILL)
    yield


@contextmanager
def broker_data_lost(target: Target) -> Iterator[None]:
    """Valkey is killed and finds nothing of what it had."""
    # While it still lives: it would be started again before we had removed them.
    shutil.rmtree(target.stack.layout.valkey / "appendonlydir")
    target.kill(VALKEY)
    yield


@contextmanager
def broker_connections_cut(target: Target) -> Iterator[None]:
    """Connections to the broker are reset in the middle of messages, both ways."""
    target.proxy.cut(CUTS, CUT_AFTER_BYTES)
    try:
        yield
    finally:
        target.proxy.cut(0, 0)


@contextmanager
def postgres_stopped(target: Target) -> Iterator[None]:
    """A fast shutdown, and a start afterwards."""
    with _supervisor(target.stack) as supervisor:
        supervisor.stopProcess("stores:postgres")
        try:
            yield
        finally:
            supervisor.startProcess("stores:postgres")


@contextmanager
def postgres_killed(target: Target) -> Iterator[None]:
    """A crash: the log has to be replayed."""
    _signal(_parents(target.processes(POSTGRES)), signal.SIGKILL)
    yield


@contextmanager
def disk_full(target: Target) -> Iterator[None]:
    """Not a byte is free where the blobs lie."""
    assert target.small_disk
    ballast = target.small_disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(1 << 16)):
            pass
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def sweep_late(target: Target) -> Iterator[None]:
    """The clock and the sweep are halted while an inference worker is killed."""
    halted = [*target.processes(BEAT), *target.processes(SWEEP)]
    _signal(halted, signal.SIGSTOP)
    target.kill(INFERENCE)
    try:
        yield
    finally:
        _signal(halted, signal.SIGCONT)


def _signal(processes: list[psutil.Process], number: int) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _parents(processes: list[psutil.Process]) -> list[psutil.Process]:
    pids = {process.pid for process in processes}
    return [process for process in processes if process.ppid() not in pids]


def _children(processes: list[psutil.Process]) -> list[psutil.Process]:
    pids = {process.pid for process in processes}
    return [process for process in processes if process.ppid() in pids]


@contextmanager
def _supervisor(stack: Stack) -> Iterator[Any]:
    """Its commands: http://supervisord.org/api.html"""
    conf = ConfigParser(interpolation=None)
    conf.read(stack.layout.supervisord_conf)
    server = conf["unix_http_server"]
    socket = stack.layout.sockets / "supervisor.sock"
    transport = SupervisorTransport(server["username"], server["password"], f"unix://{socket}")
    with ServerProxy("http://localhost", transport) as proxy:
        yield proxy.supervisor


ALL = (
    Fault("inference worker killed", killed(INFERENCE), "generate_answer"),
    Fault("pipeline worker killed", killed(PIPELINE), "embed_question"),
    Fault("ingest worker killed", killed(INGEST), "embed_document"),
    Fault("parsers killed", killed(PARSER), "load_document"),
    Fault("gunicorn worker killed", gunicorn_worker_killed, "generate_answer"),
    Fault("gunicorn master killed", gunicorn_master_killed, "generate_answer"),
    Fault("broker killed, its data lost", broker_data_lost, "generate_answer"),
    Fault("broker connections cut in mid-message", broker_connections_cut, "generate_answer", 8.0),
    Fault("Postgres stopped for ten seconds", postgres_stopped, "generate_answer", 10.0),
    Fault("Postgres killed", postgres_killed, "embed_document"),
    Fault("disk of the blob store full", disk_full, "load_document", 15.0),
    Fault("sweep late, inference worker killed", sweep_late, "generate_answer", 20.0),
    Fault("supervisord killed", killed(SUPERVISORD), "generate_answer"),
)
