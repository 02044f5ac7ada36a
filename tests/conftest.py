"""Where the tests' own Postgres and Valkey lie; settings are frozen when they are first read."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from local import postgres, postgres_home, tls, valkey
from local.credentials import password
from local.layout import Layout

PROJECT = Path(__file__).parents[1]

OPTIONS = ("AI_", "REDTEN_", "DATABASE_", "TOKEN_", "USER_")
for name in list(os.environ):
    if name.startswith(OPTIONS) and name != "REDTEN_WEIGHTS_DIR":
        del os.environ[name]

LAYOUT = Layout(Path(tempfile.mkdtemp(prefix="redten-tests-")))
LAYOUT.make()
tls.prepare(LAYOUT, "127.0.0.1")
VALKEY = valkey.prepare(LAYOUT)
CLUSTER = postgres.Postgres(
    postgres_home.choose(LAYOUT),
    password(LAYOUT, "postgres-superuser"),
    password(LAYOUT, "postgres-login"),
)
os.environ |= {
    "DATABASE_URL": CLUSTER.url,
    "REDIS_URL": VALKEY.url,
    "REDTEN_BLOBS": str(LAYOUT.blobs),
    "REDTEN_DATA_DIR": str(LAYOUT.root),
    "TOKEN_ALGO_PRIVATE_KEY": str(LAYOUT.private_key),
    "TOKEN_ALGO_PUBLIC_KEY": str(LAYOUT.public_key),
    "REDTEN_LEASE_S": "3",
    "REDTEN_STALE_AFTER_S": "1.5",
    "REDTEN_SWEEP_EVERY_S": "0.5",
    "REDTEN_DRAIN_S": "0.5",
}
os.environ.setdefault("REDTEN_WEIGHTS_DIR", str(PROJECT / ".weights"))


@atexit.register
def _forget() -> None:
    """Takes away what the tests leave on disk; as root, Postgres' data lie under /var/lib."""
    shutil.rmtree(LAYOUT.root, ignore_errors=True)
    shutil.rmtree(CLUSTER.home.data.parent, ignore_errors=True)
