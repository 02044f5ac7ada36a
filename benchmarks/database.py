"""An embedded Postgres of the benchmark's own, with redten's schema, and nothing beside it."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local import postgres
from local.layout import Layout


@contextmanager
def database() -> Iterator[postgres.Postgres]:
    """Runs it, and points DATABASE_URL to it: import what reads the settings afterwards."""
    layout = Layout(Path(tempfile.mkdtemp(prefix="redten-vectors-")))
    layout.make()
    cluster = postgres.prepare(layout)
    os.environ["DATABASE_URL"] = cluster.url
    program = [str(cluster.home.binaries / "postgres"), "-D", str(cluster.home.data)]
    process = subprocess.Popen(program, cwd="/", stderr=subprocess.DEVNULL, **_account(cluster))
    try:
        while not cluster.answers():
            time.sleep(0.1)
        _migrate(cluster)
        yield cluster
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
        for folder in (cluster.home.data.parent, layout.root):
            shutil.rmtree(folder, ignore_errors=True)


def _account(cluster: postgres.Postgres) -> dict[str, Any]:
    """As root, the account that Postgres agrees to run as."""
    account = cluster.home.account
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _migrate(cluster: postgres.Postgres) -> None:
    from models.migrate import upgrade

    cluster.make_roles_and_database()
    upgrade(cluster.admin_url)
