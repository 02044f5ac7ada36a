"""A `redten up` of the tests' own, seen from outside: its ready line, files and processes."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.system.commands import REDTEN
from tests.system.people import Door
from tests.system.waiting import eventually

PROJECT = Path(__file__).parents[2]
WEIGHTS = os.environ.get("REDTEN_WEIGHTS_DIR", str(PROJECT / ".weights"))
STOP_S = 120.0
LOG_LINES, LOG_WIDTH = 15, 300
# A death is noticed within seconds, so that the tests about it are quick.
QUICK = {"REDTEN_LEASE_S": "6", "REDTEN_STALE_AFTER_S": "4", "REDTEN_SWEEP_EVERY_S": "1"}
TOLD = re.compile(r"(REDTEN|DATABASE|REDIS|TOKEN|AI|API|PROMETHEUS)_|USE_LOCAL$|LOG$")
# How the kernel knows each program: its name, or words of its command line.
PROGRAMS = {
    "postgres": ("postgres",),
    "valkey": ("valkey-server",),
    "inference": ("-Q", "inference"),
}


class Stack:
    """One running stack; `running` makes it."""

    def __init__(self, root: Path, process: subprocess.Popen[str], ready_line: str) -> None:
        self.root = root
        self.ready_line = ready_line
        self.client = exports(root / "client.env")
        self.admin = exports(root / "admin.env")
        self.door = Door(f"https://{self.client['AI_API']}", self.client["AI_API_CA"])
        self._process = process

    @property
    def flower(self) -> str:
        """Where flower listens."""
        [address] = re.findall(r"flower (http://\S+)", self.ready_line)
        return str(address)

    def is_ready(self) -> bool:
        """Whether every part is there."""
        return self.door.send("GET", "/readyz").status_code == 200

    def kill(self, name: str) -> None:
        """SIGKILL to one of the programs; returns when another has taken its place."""
        before = self._programs(name)
        before[0].kill()
        eventually(lambda: set(self._programs(name)) - set(before), f"new {name}")

    def postgres_data(self) -> Path:
        """Where its database lies; for root that is not below the data directory."""
        return Path(self._programs("postgres")[0].cwd())

    def _programs(self, name: str) -> list[psutil.Process]:
        below = psutil.Process(self._process.pid).children(recursive=True)
        return [process for process in below if _is(process, PROGRAMS[name])]


@contextmanager
def running(root: Path) -> Iterator[Stack]:
    """A stack on that data directory, with nothing left of it afterwards but its logs."""
    root.mkdir()
    command = [str(REDTEN), "up", "--quiet", "--data-dir", str(root), "--port", str(free_port())]
    with (root / "up.log").open("w") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, env=_environment()
        )
    with process:
        try:
            stack = _ready(root, process)
            postgres_data = stack.postgres_data()
            yield stack
        finally:
            _stop(process)
    shutil.rmtree(postgres_data.parent if postgres_data.parent != root else postgres_data)


def _ready(root: Path, process: subprocess.Popen[str]) -> Stack:
    assert process.stdout is not None
    ready_line = process.stdout.readline()
    assert ready_line, f"`redten up` did not start\n{logs(root)}"
    return Stack(root, process, ready_line)


def _stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()


def _environment() -> dict[str, str]:
    """This process's, without the services and options of other tests."""
    plain = {name: value for name, value in os.environ.items() if not TOLD.match(name)}
    return {**plain, **QUICK, "REDTEN_WEIGHTS_DIR": WEIGHTS}


def _is(process: psutil.Process, marks: tuple[str, ...]) -> bool:
    try:
        words = [process.name(), *process.cmdline()]
    except psutil.NoSuchProcess:
        return False
    return any(tuple(words[i : i + len(marks)]) == marks for i in range(len(words)))


def exports(path: Path) -> dict[str, str]:
    """The variables that a file of `export NAME=VALUE` lines sets."""
    words = shlex.split(path.read_text(), comments=True)
    return dict(word.split("=", 1) for word in words if word != "export")


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def logs(root: Path) -> str:
    """The ends of all logs."""
    paths = [root / "up.log", *sorted((root / "logs").glob("*.log"))]
    return "\n".join(line for path in paths for line in [f"--- {path.name}", *_end(path)])


def _end(path: Path) -> list[str]:
    lines = path.read_text(errors="replace").splitlines()[-LOG_LINES:]
    return [line[:LOG_WIDTH] for line in lines]
