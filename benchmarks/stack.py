"""A `redten up` of the benchmark's own, and requests to it."""

import importlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from local.credentials import password, read_exports
from local.layout import Layout
from local.postgres import Postgres
from local.postgres_home import choose, data_folder
from local.processes import Kin

# Services and computed prompts of somebody else's.
OUTSIDE = (
    *("DATABASE_URL", "DATABASE_ADMIN_URL", "REDIS_URL"),
    *("REDTEN_BLOBS", "REDTEN_DATA_DIR", "REDTEN_PREFIX_DIR"),
)


class Stack:
    """Started with `start`, which gives the seconds until it was ready; stopped with `stop`.

    `told` are further variables of its environment.
    """

    def __init__(self, root: Path, told: Mapping[str, str] | None = None) -> None:
        self.layout = Layout(root)
        self.told = dict(told or {})
        self.port = free_port()
        self.address = f"https://localhost:{self.port}"
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> float:
        """Waits for the ready line."""
        where = ["--data-dir", str(self.layout.root), "--port", str(self.port), "--quiet"]
        began = time.monotonic()
        plain = {name: value for name, value in os.environ.items() if name not in OUTSIDE}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cli", "up", *where],
            stdout=subprocess.PIPE,
            text=True,
            env=plain | self.told,
        )
        assert self.process.stdout
        line = self.process.stdout.readline()
        seconds = time.monotonic() - began
        if "ready" not in line:
            raise SystemExit(f"the stack did not start: {line}")
        return seconds

    def stop(self) -> None:
        """Ends it and waits."""
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            with self.process:
                self.process.wait()

    def forget(self) -> None:
        """Stops it and takes its data away; as root, Postgres' lie outside the data directory."""
        self.stop()
        for folder in (data_folder(self.layout).parent, self.layout.root):
            shutil.rmtree(folder, ignore_errors=True)

    def postgres(self) -> Postgres:
        """Its database."""
        passwords = [password(self.layout, f"postgres-{role}") for role in ("superuser", "login")]
        return Postgres(choose(self.layout), *passwords)

    def database_url(self) -> str:
        """Its Postgres, as the plain role."""
        return self.postgres().url

    def session(self) -> requests.Session:
        """Signed in as the administrator."""
        admin = read_exports(self.layout.admin_env)
        session = requests.Session()
        # A bundle or a proxy of the environment would have its say before ours.
        session.trust_env = False
        session.verify = str(self.layout.ca)
        body = {"email": admin["AI_EMAIL"], "password": admin["AI_PASSWORD"]}
        reply = session.post(f"{self.address}/login", json=body, timeout=10)
        session.headers["Bearer"] = reply.json()["token"]
        return session

    def pause(self, program: str, number: int) -> None:
        """SIGSTOP or SIGCONT to the worker of a queue."""
        for process in Kin.of(self.layout).alive():
            if f"{program}@" in " ".join(process.cmdline()):
                os.kill(process.pid, number)


def use_database_of(stack: Stack) -> None:
    """Before anything reads the settings: this process looks into the stack's Postgres."""
    if "settings" in sys.modules:
        raise SystemExit("the settings have been read already")
    os.environ["DATABASE_URL"] = stack.database_url()
    # The threads of this process wait like those of the workers.
    os.environ["GOMP_SPINCOUNT"] = "300"
    importlib.import_module("settings")
    # Not for the stacks that are started later.
    del os.environ["DATABASE_URL"]


def wait_for(session: requests.Session, url: str, over: Any, every_s: float = 0.01) -> Any:
    """Polls until `over(reply)`; gives the reply's JSON. Each poll costs the API some work."""
    while not over(reply := session.get(url, timeout=10)):
        time.sleep(every_s)
    return reply.json()


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port
