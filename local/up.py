"""`redten up`: one stack on one data directory, from the first check to the last process."""

import os
import shlex
from contextlib import suppress

from local.credentials import write_client_env
from local.errors import Stopped
from local.layout import Layout
from local.lock import held
from local.logs import Echo
from local.ports import require
from local.postgres_home import refuse_copy
from local.processes import Kin, adopt_orphans
from local.readiness import EVERYWHERE
from local.stack import GRACE_S, Stack
from local.terminal import show, tell
from local.waiting import Patience
from settings import forget_variables, settings

LEFTOVERS_LIMIT_S = 30.0


def up(layout: Layout, port: int, *, quiet: bool) -> None:
    """Runs the stack until a signal comes, then returns; raises LocalError if it cannot run."""
    patience = Patience()
    # For all that it starts as well: logs and data are their owner's alone.
    os.umask(0o077)
    layout.make()
    kin = Kin.of(layout)
    if settings.database_url is None:
        # libpq, here and in the programs, would be led elsewhere: to a port, a service, a file.
        forget_variables("PG")
    try:
        with held(layout.lock, f"https://{address(port)}"):
            adopt_orphans()
            refuse_copy(layout)
            _end_leftovers(kin, patience)
            require(settings.host, port)
            write_client_env(layout, address(port), settings.api_env)
            _run(Stack(layout, port, kin, patience), port, patience, quiet)
    except Stopped:
        tell("redten has stopped")


def address(port: int) -> str:
    """HOST:PORT as clients on this machine name it."""
    local = settings.host in (*EVERYWHERE, *EVERYWHERE.values(), "localhost")
    return f"{'localhost' if local else settings.host}:{port}"


def _end_leftovers(kin: Kin, patience: Patience) -> None:
    """Lets a run that was killed come to its end: its supervisord stops what it still has."""
    with suppress(TimeoutError):
        what = "waiting for the previous run to end"
        patience.until(lambda: not kin.supervised(), what, LEFTOVERS_LIMIT_S)
    if kin.alive():
        tell("ending what the previous run left behind ...")
        kin.end(GRACE_S)


def _run(stack: Stack, port: int, patience: Patience, quiet: bool) -> None:
    echo = None if quiet else Echo(stack.layout.logs, ["supervisord", *stack.names])
    if echo is not None:
        echo.start()
    try:
        stack.start()
        stack.await_ready()
        _announce(stack, port)
        stack.start_flower()
        while True:
            patience.step()
            stack.tend()
    finally:
        tell("stopping ...")
        stack.stop()
        if echo is not None:
            echo.stop()


def _announce(stack: Stack, port: int) -> None:
    url = f"https://{address(port)}"
    flower = f"http://127.0.0.1:{stack.flower_port}"
    client = f"(client: source {shlex.quote(str(stack.layout.client_env))})"
    show(f"redten is ready: {url}  docs {url}/docs  flower {flower}  {client}")
