"""The programs of one machine, and supervisord's configuration for them."""

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from local.layout import Layout
from local.postgres import Postgres
from local.processes import MARK
from local.valkey import Valkey
from local.workers import celery, worker_command

# Groups stop one after another, the highest number first; the programs of a group together.
STORES, WORKERS, DOOR = ("stores", 10), ("workers", 20), ("door", 30)

SUPERVISORD = """\
[supervisord]
logfile=../logs/supervisord.log
logfile_maxbytes=10MB
logfile_backups=3
pidfile=supervisord.pid
silent=true
nocleanup=true
{user}
[unix_http_server]
file={socket}
chmod=0700
username=redten
password={password}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""

# After five quick failures supervisord gives up, and `redten up` starts the program afresh: the
# pause between two tries never grows beyond five seconds.
PROGRAM = """
[program:{name}]
command={command}
autostart={autostart}
autorestart=true
startsecs=1
startretries=5
stopsignal={stop_signal}
stopwaitsecs={stop_wait_s}
killasgroup=true
redirect_stderr=true
stdout_logfile=../logs/{name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=3
"""


@dataclass(frozen=True)
class Program:
    """One line of work under supervisord.

    Paths below the data directory are relative to `run/`, the working directory of all: a data
    directory may have any name, and the configuration has no way to quote ` ;` or ` #`.
    """

    name: str
    group: tuple[str, int]
    command: Sequence[str]
    stop_signal: str = "TERM"
    stop_wait_s: int = 15
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """What supervisord calls it."""
        return f"{self.group[0]}:{self.name}"

    def section(self) -> str:
        """Its part of the configuration; the stores start with supervisord, the rest on demand."""
        text = PROGRAM.format(
            name=self.name,
            command=escaped(shlex.join(self.command)),
            autostart=str(self.group == STORES).lower(),
            stop_signal=self.stop_signal,
            stop_wait_s=self.stop_wait_s,
        )
        return text + "".join(f"{name}={escaped(value)}\n" for name, value in self.extra.items())


def escaped(value: str) -> str:
    """supervisord expands what follows a percent sign."""
    return value.replace("%", "%%")


def stores(layout: Layout, postgres: Postgres | None, valkey: Valkey | None) -> list[Program]:
    """The embedded servers that are wanted. They get no environment but what they need."""
    # The mark is how the next start finds what this one may leave behind.
    bare = ["/usr/bin/env", "-i", "LC_ALL=C", f"{MARK}={layout.fingerprint}"]
    programs = []
    if postgres is not None:
        home = postgres.home
        command = [*bare, str(home.binaries / "postgres"), "-D", f"../{home.data.name}"]
        account = {}
        if home.account is not None:
            # Another account, which cannot enter the working directory of the others.
            account = {"user": home.account.pw_name, "directory": str(home.sockets)}
        # INT is Postgres' fast shutdown: it does not wait for its clients.
        programs.append(Program("postgres", STORES, command, "INT", 60, account))
    if valkey is not None:
        command = [*bare, str(valkey.binary), "valkey.conf"]
        programs.append(Program("valkey", STORES, command, stop_wait_s=30))
    return programs


def services(flower_port: int) -> list[Program]:
    """Everything else, in the order in which it starts: what loads weights comes first."""
    in_order = ("inference", "pipeline", "ingest", "sweep")
    workers = [Program(queue, WORKERS, worker_command([queue])) for queue in in_order]
    gunicorn = [sys.executable, "-m", "gunicorn", "-c", "python:local.gunicorn_conf"]
    counters = {"environment": 'PROMETHEUS_MULTIPROC_DIR="metrics"'}
    beat = [*celery("beat"), "-s", "beat-schedule", "--pidfile=", "--loglevel", "WARNING"]
    flower = [*celery("flower"), "--address=127.0.0.1", f"--port={flower_port}"]
    return [
        *workers,
        Program("api", DOOR, [*gunicorn, "api.wsgi:app"], extra=counters),
        Program("beat", DOOR, beat),
        Program("flower", DOOR, flower),
    ]


def configuration(programs: Sequence[Program], run: Path, socket: Path, password: str) -> str:
    """supervisord's configuration file, to be read with the working directory at `run`."""
    if socket.is_relative_to(run):
        socket = socket.relative_to(run)
    # supervisord warns when it runs as root without having been told to.
    user = "user=root\n" if os.getuid() == 0 else ""
    head = SUPERVISORD.format(socket=escaped(str(socket)), password=password, user=user)
    groups = []
    for name, priority in (STORES, WORKERS, DOOR):
        members = ",".join(p.name for p in programs if p.group[0] == name)
        if members:
            groups.append(f"\n[group:{name}]\nprograms={members}\npriority={priority}\n")
    return head + "".join(program.section() for program in programs) + "".join(groups)
