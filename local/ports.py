"""Which ports are free."""

import errno
import socket

from local.errors import LocalError

# Below those from which systems take ports for outgoing connections: a client that keeps trying a
# port in that range may in the end be connected to itself, and hold the port.
FLOWER, VALKEY, RANGE = 10000, 20000, 10000


def require(host: str, port: int) -> None:
    """Raises LocalError, with the way out, if nothing can listen on that port."""
    refusal = _refusal(host, port)
    if refusal is not None and refusal.errno == errno.EADDRINUSE:
        raise LocalError(f"port {port} is in use on {host}: stop what listens there or use --port")
    if refusal is not None:
        raise LocalError(f"cannot listen on {host} port {port}: {refusal.strerror}")


def usual(fingerprint: str, first: int) -> int:
    """The free port of 127.0.0.1 that a data directory usually gets in the range from `first` on.

    Were it always the first free one, two that start at once would both take it.
    """
    return first_free(first + int(fingerprint, 16) % RANGE)


def first_free(port: int) -> int:
    """The first free port of 127.0.0.1 from `port` on."""
    for candidate in range(port, port + 1000):
        if _refusal("127.0.0.1", candidate) is None:
            return candidate
    raise LocalError(f"no free port between {port} and {port + 999}")


def _refusal(host: str, port: int) -> OSError | None:
    """Why nothing can listen on that port; None if it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: connections of an earlier run that linger must not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError as exc:
            return exc
    return None
