"""Processes that the tests start, and waiting for what they do."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from local import postgres
from models.work import State
from tasks import broker
from tests.conftest import CLUSTER, LAYOUT, PROJECT, VALKEY

FAKE = "tests.integration.fake_engine"


def until(condition: Callable[[], Any], limit_s: float = 30.0) -> Any:
    """Waits until the condition holds and gives its value."""
    deadline = time.monotonic() + limit_s
    while True:
        if value := condition():
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {limit_s} s: {condition}")
        time.sleep(0.02)


@contextmanager
def program(
    *command: str | Path, end_with: int = signal.SIGTERM, **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, which is gone afterwards."""
    process = subprocess.Popen([str(word) for word in command], start_new_session=True, **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, end_with)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class Broker:
    """Valkey, on the port and the data of this run; it can be killed, and comes back."""

    def __init__(self) -> None:
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [str(VALKEY.binary), "valkey.conf"]
        with (LAYOUT.logs / "valkey.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=LAYOUT.run, stdout=log, start_new_session=True)
        until(VALKEY.answers)
        return process

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        """As a supervisor would after a crash."""
        self.kill()
        self.process = self._start()


class Database:
    """Postgres, on the data of this run; it can be stopped, and comes back."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Returns once it answers."""
        command = [str(CLUSTER.home.binaries / "postgres"), "-D", str(CLUSTER.home.data)]
        with (LAYOUT.logs / "postgres.log").open("ab") as log:
            options: dict[str, Any] = {"cwd": "/", "start_new_session": True, **_as_account()}
            self.process = subprocess.Popen(command, stderr=log, **options)
        until(CLUSTER.answers)

    def stop(self) -> None:
        """As fast as is safe: it does not wait for the pools' connections to go."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            kill(self.process)


def _as_account() -> dict[str, Any]:
    account = CLUSTER.home.account
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def worker(queue: str, module: str = "tasks.app", tasks: int = 1) -> subprocess.Popen[bytes]:
    """A worker for one queue, started and taking messages, so many at once."""
    log = (LAYOUT.logs / f"{queue}.log").open("ab")
    pool = "solo" if queue == "sweep" else "threads"
    command = f"-m celery -A {module} worker -Q {queue} --pool {pool} -c {tasks} -l INFO".split()
    quick = f"-n {queue}-{time.monotonic_ns()}@%h --without-gossip --without-mingle".split()
    process = subprocess.Popen(
        [sys.executable, *command, *quick],
        stdout=log,
        stderr=log,
        cwd=PROJECT,
        start_new_session=True,
    )
    log.close()
    return process


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to a worker and its children, as a crash of the machine would."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def halted(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """A worker that does nothing until the block ends."""
    os.killpg(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGCONT)


@contextmanager
def workers(tasks: int = 1, **modules: str) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """A worker for every queue but those given as None; ready when it gives them."""
    queues = {"pipeline": "tasks.app", "inference": "tasks.app", "ingest": "tasks.app"}
    with ExitStack() as stack:
        made = {}
        for queue, module in (queues | {"sweep": "tasks.app"} | modules).items():
            if module:
                # Who was killed a moment ago still counts as present.
                broker.connection().delete(broker.WORKERS + queue)
                made[queue] = worker(queue, module, tasks)
                stack.callback(_stop, made[queue])
        if "sweep" in made:
            stack.enter_context(_beat())
        until(lambda: not set(made) & set(broker.queues_without_worker()), 60)
        yield made


@contextmanager
def _beat() -> Iterator[None]:
    schedule = LAYOUT.run / "beat-schedule"
    command = f"-m celery -A tasks.app beat -s {schedule} --pidfile=".split()
    log = (LAYOUT.logs / "beat.log").open("ab")
    with log, program(sys.executable, *command, stdout=log, stderr=log, cwd=PROJECT):
        yield


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def asked() -> list[str]:
    """The questions that reached the fake engine, in order."""
    path = LAYOUT.run / "asked"
    return path.read_text().splitlines() if path.exists() else []


def session_value(statement: str, **values: Any) -> Any:
    """One value, read past the walls."""
    with CLUSTER.connect(postgres.DATABASE) as connection:
        row = connection.execute(statement.encode(), values or None).fetchone()
    return row[0] if row else None


def running(job: int, step: str) -> bool:
    where = f"select count(*) from jobs where id = {job} and step = '{step}' and state = "
    return session_value(f"{where} {State.RUNNING:d}") == 1


def answers_of(job: int) -> int:
    return session_value(f"select count(*) from answers where job_id = {job}")


@contextmanager
def answering(tasks: int = 1) -> Iterator[subprocess.Popen[bytes]]:
    """An inference worker that answers so many questions at once."""
    with workers(tasks, pipeline="", ingest="", sweep="", inference=FAKE) as made:
        yield made["inference"]
