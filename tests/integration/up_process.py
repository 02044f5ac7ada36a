"""A `redten up` started by a test, and what can be seen of it from outside."""

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import requests

from local.credentials import read_exports
from local.layout import Layout
from local.postgres_home import data_folder
from local.processes import Kin
from settings import inherited_environment

REDTEN = [sys.executable, "-m", "cli"]
LIMIT_S = 60.0


class Up:
    """A `redten up` of a test (or what starts one), and what can be seen of it from outside."""

    def __init__(self, root: Path, port: int, command: Sequence[str] = ("up", "--quiet")) -> None:
        self.layout = Layout(root)
        self.layout.make()
        self.kin = Kin.of(self.layout)
        self.port = port
        self._command = command
        self.start()

    def start(self) -> None:
        where = ["--data-dir", str(self.layout.root), "--port", str(self.port)]
        self.process = subprocess.Popen(
            [*REDTEN, *self._command, *where], stdout=subprocess.PIPE, text=True, env=environment()
        )

    def ready_line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.flower = next(word for word in line.split() if word.startswith("http://"))
        return line

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        with self.process:
            return self.process.wait(timeout=LIMIT_S)

    def discard(self) -> None:
        """Ends what a failed test may have left; as root the cluster lies outside the folder."""
        if self.process.poll() is None:
            self.stop()
        self.kin.end(grace_s=5)
        cluster = data_folder(self.layout).parent
        if not self.layout.root.is_relative_to(cluster):
            shutil.rmtree(cluster, ignore_errors=True)

    def supervisord(self) -> psutil.Process:
        return next(p for p in self.kin.alive() if "local.supervisord" in " ".join(p.cmdline()))

    def programs(self) -> dict[str, psutil.Process]:
        """The programs that supervisord runs now, by name."""
        found = {}
        with suppress(psutil.NoSuchProcess, StopIteration):
            for process in self.supervisord().children():
                with suppress(psutil.NoSuchProcess):
                    found[program_name(process)] = process
        return found

    def call(self, method: str, path: str, body: Any = None, token: str = "") -> Any:
        """The JSON that the API answers with."""
        answer = requests.request(
            method,
            f"https://localhost:{self.port}{path}",
            json=body,
            headers={"Bearer": token},
            verify=str(self.layout.ca),
            timeout=5,
        )
        answer.raise_for_status()
        return answer.json()

    def is_ready(self) -> bool:
        try:
            self.call("GET", "/readyz")
        except requests.RequestException:
            return False
        return True

    def log_in(self) -> str:
        admin = read_exports(self.layout.admin_env)
        body = {"email": admin["AI_EMAIL"], "password": admin["AI_PASSWORD"]}
        return str(self.call("POST", "/login", body)["token"])


def program_name(process: psutil.Process) -> str:
    name = process.name()
    return {"postgres": "postgres", "valkey-server": "valkey"}.get(
        name, process.environ().get("SUPERVISOR_PROCESS_NAME", name)
    )


def environment() -> dict[str, str]:
    """That of the tests without services of their own, and with another Postgres of somebody's."""
    outside = ("DATABASE_URL", "DATABASE_ADMIN_URL", "REDIS_URL", "REDTEN_BLOBS")
    told = {name: value for name, value in inherited_environment().items() if name not in outside}
    return told | {"PGPORT": "1", "PGSERVICE": "nowhere", "PGOPTIONS": "--nonsense"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], object], what: str, limit_s: float = LIMIT_S) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"no {what} within {limit_s} s"
        time.sleep(0.05)


def run_up(root: Path, port: int) -> subprocess.CompletedProcess[str]:
    command = [*REDTEN, "up", "--data-dir", str(root), "--port", str(port)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=LIMIT_S, env=environment()
    )
