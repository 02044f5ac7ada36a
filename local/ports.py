"""Which ports are free."""

import errno
import socket

from local.errors import LocalError


def require(host: str, port: int) -> None:
    """Raises LocalError, with the way out, if nothing can listen on that port."""
    refusal = _refusal(host, port)
    if refusal is not None and refusal.errno == errno.EADDRINUSE:
        raise LocalError(f"port {port} is in use on {host}: stop what listens there or use --port")
    if refusal is not None:
        raise LocalError(f"cannot listen on {host} port {port}: {refusal.strerror}")


def kept(fingerprint: str, first: int, ports: int) -> int:
    """A free port of 127.0.0.1 from a range: mostly the same at each start of a data directory.

    Two that start at once would both take the first free one of the range.
    """
    return first_free(first + int(fingerprint, 16) % ports)


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
