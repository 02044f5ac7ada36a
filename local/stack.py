"""Everything that runs on this machine: started in order, kept alive, stopped in order."""

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from celeryconfig import QUEUES
from local import ports, postgres, programs, tls, valkey, weights
from local.environment import environment, for_migration
from local.errands import Errand
from local.errors import LocalError
from local.layout import Layout, write_private
from local.logs import end_of
from local.processes import Kin, end, reap
from local.programs import Program
from local.readiness import Readiness
from local.supervision import Supervisor, Unreachable
from local.terminal import tell
from local.waiting import POLL_S, Patience
from settings import settings
from tasks.broker import WORKERS

FLOWER, INFERENCE = "flower", "inference"
# Postgres may have a long log to replay after a crash.
STORES_LIMIT_S = 300.0
READY_LIMIT_S = 120.0
TEND_EVERY_S = 1.0
# For what has lost its supervisor: the lease repeats what is not done by then.
GRACE_S, HURRIED_GRACE_S = 3.0, 0.5
# Group after group at their slowest: the door and the workers 15 s each, the stores 60 s.
STOP_LIMIT_S = 100.0
# What /readyz calls the two stores; a worker it calls "worker for QUEUE".
LOGS = {"database": "postgres", "broker": "valkey"}


class Stack:
    """One data directory's programs; the caller holds its lock."""

    def __init__(self, layout: Layout, port: int, kin: Kin, patience: Patience) -> None:
        self.layout = layout
        self._kin = kin
        self._patience = patience
        self._weights_to_make = weights.to_make()
        self._postgres = None if settings.database_url else postgres.prepare(layout)
        self._valkey = None if settings.redis_url else valkey.prepare(layout)
        tls.prepare(layout, settings.host)
        self.flower_port = ports.usual(layout.fingerprint, ports.FLOWER)
        self._stores = programs.stores(layout, self._postgres, self._valkey)
        self._services = programs.services(self.flower_port)
        self.environment = environment(layout, port, self._postgres, self._valkey)
        self._supervisor = self._configured()
        self._readiness = Readiness(settings.host, port, layout.ca)
        self._tended_at = 0.0

    def _configured(self) -> Supervisor:
        # supervisord warns without a password, though nobody else can reach its socket.
        password = secrets.token_urlsafe(24)
        conf, socket = self.layout.supervisord_conf, self.layout.sockets / "supervisor.sock"
        everything = [*self._stores, *self._services]
        text = programs.configuration(everything, conf.parent, socket, password)
        write_private(conf, text.encode())
        return Supervisor(conf, socket, password, self.environment)

    @property
    def names(self) -> list[str]:
        """The programs' names, which are those of their logs."""
        return [program.name for program in (*self._stores, *self._services)]

    def start(self) -> None:
        """Stores, tables, then all that needs them but flower, which nobody waits for."""
        making = self._make_weights()
        self._start_stores()
        self._migrate()
        if making is not None:
            making.finish(self._patience, "making the weights ready")
        self._start_services([p for p in self._services if p.name != FLOWER])

    def _make_weights(self) -> Errand | None:
        if not self._weights_to_make:
            return None
        return Errand(self.layout, ["weights"], self.environment)

    def _start_stores(self) -> None:
        self._supervisor.start()
        self._await(self._supervisor.answers, "supervisord")
        if self._postgres is not None:
            self._await(self._postgres.answers, "postgres")
        if self._valkey is not None:
            self._await(self._valkey.answers, "valkey")
            # All of them were of the last run, and one that was killed may look alive for a while.
            self._valkey.delete([WORKERS + queue for queue in QUEUES])

    def _await(self, answers: Callable[[], bool], name: str) -> None:
        log = self.layout.logs / f"{name}.log"
        try:
            self._patience.until(answers, f"starting {name}", STORES_LIMIT_S)
        except TimeoutError as exc:
            raise LocalError(f"{exc}; {end_of(log)}") from exc

    def _migrate(self) -> None:
        if self._postgres is not None:
            self._postgres.make_roles_and_database()
        command = ["migrate", "--admin-env", str(self.layout.admin_env)]
        told = for_migration(self.environment, self._postgres)
        Errand(self.layout, command, told).finish(self._patience, "migrating the database")

    def _start_services(self, services: Iterable[Program]) -> None:
        # Should supervisord die in between, `tend` starts everything again.
        with suppress(Unreachable):
            for program in services:
                self._supervisor.start_program(program.full_name)

    def await_ready(self) -> None:
        """Returns once a question could be answered; raises LocalError after two minutes.

        A worker that is busy loading a large model from a slow disk is waited for longer.
        """
        what = "waiting for the API and the workers, which load the model"
        while True:
            try:
                self._patience.until(self._ready, what, READY_LIMIT_S)
                return
            except TimeoutError as exc:
                missing = self._readiness.missing() or ["api"]
                if not self._loads_model(missing):
                    log = self.layout.logs / f"{LOGS.get(missing[0], missing[0].split()[-1])}.log"
                    said = f"{exc}, missing: {', '.join(missing)}; {end_of(log)}"
                    raise LocalError(said) from exc
                what = f"still loading {settings.model}"

    def _loads_model(self, missing: Sequence[str]) -> bool:
        """Whether only the inference worker is missing, and does not die over and over."""
        if list(missing) != [f"worker for {INFERENCE}"]:
            return False
        name = f"{programs.WORKERS[0]}:{INFERENCE}"
        with suppress(Unreachable):
            return self._supervisor.uptime_s(name) > READY_LIMIT_S / 2
        return False

    def _ready(self) -> bool:
        self.tend()
        return not self._readiness.missing()

    def start_flower(self) -> None:
        """Starts the last program."""
        self._start_services([p for p in self._services if p.name == FLOWER])

    def tend(self) -> None:
        """Brings back what supervisord cannot: itself, what it gave up, what lost its parent."""
        if not self._supervisor.lives():
            self._start_again()
        if time.monotonic() - self._tended_at < TEND_EVERY_S:
            return
        self._tended_at = time.monotonic()
        with suppress(Unreachable):
            for name in self._supervisor.given_up():
                self._supervisor.start_program(name)
        end(self._kin.orphans(self._supervisor.pid), GRACE_S)
        reap(self._supervisor.pid)

    def _start_again(self) -> None:
        tell("supervisord died: starting everything again ...")
        self._kin.end(GRACE_S)
        self._start_stores()
        self._start_services(self._services)

    def stop(self) -> None:
        """Ends everything in order; returns when no process is left. A second Ctrl-C hurries."""
        self._supervisor.ask_to_stop()
        deadline = time.monotonic() + STOP_LIMIT_S
        while self._supervisor.lives() and not self._hurried() and time.monotonic() < deadline:
            time.sleep(POLL_S)
        self._kin.end(HURRIED_GRACE_S if self._hurried() else GRACE_S)

    def _hurried(self) -> bool:
        return self._patience.interrupts > 1
