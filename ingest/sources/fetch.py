"""Reading from the web without being led into the house: the address itself is checked.

A name may resolve to another address each time it is looked up, and a server may send its reader
on: so each hop is looked up once, what was found is checked, and the connection goes to exactly
that address.
"""

import http.client
import ipaddress
import logging
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urljoin, urlsplit, urlunsplit

from ingest.sources.item import Sink, SourceError

log = logging.getLogger(__name__)
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MOST_REDIRECTS = 5
CONNECT_S, SILENCE_S = 5.0, 15.0
PIECE_BYTES = 65_536
LONGEST_VERSION = 512
# An IPv4 address hides in these, and whoever translates it may stand inside.
DISGUISES = [
    ipaddress.ip_network(network)
    for network in ("::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16")
]
OF_URLS = "%/:?#[]@!$&'()*+,;=~"
DEFAULT_PORTS = {"http": 80, "https": 443}
MOVED = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class Guard:
    """What may be read: `refusal` says why not of a scheme, host and port.

    `networks` are those that may be connected to although they are not everybody's; `limit_s` is
    for all that it takes to read one thing.
    """

    refusal: Callable[[str, str, int], str | None]
    networks: Sequence[Network]
    limit_s: float


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came, and from where in the end; `changed` is False if it is the version known."""

    url: str
    version: str
    changed: bool = True


def fetch(url: str, guard: Guard, sink: Sink, known: str = "") -> Fetched:
    """The content behind a URL, into the sink; `known` is the version that was read last.

    Raises SourceError, also after some of the content.
    """
    with _Deadline(guard.limit_s) as deadline:
        for _ in range(MOST_REDIRECTS + 1):
            parts = split(url)
            if why := guard.refusal(parts.scheme, parts.hostname or "", parts.port or 0):
                raise SourceError("address_not_allowed", why)
            with _answer(parts, guard, deadline, known) as answer:
                if answer.status not in MOVED:
                    return _content(url, answer, sink, known)
                url = _target(url, answer.getheader("Location") or "")
        raise SourceError("unreadable", f"more than {MOST_REDIRECTS} redirects")


def _target(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise SourceError("bad_address", "a redirect leads to what is no address") from error


def split(url: str) -> SplitResult:
    """The parts of a URL, ready for the wire. SourceError `bad_address` if it is none."""
    try:
        parts = urlsplit(quote(url.strip(), safe=OF_URLS))
        port = parts.port or DEFAULT_PORTS[parts.scheme]
        host = (urlsplit(url.strip()).hostname or "").encode("idna").decode()
    except (KeyError, ValueError) as error:
        raise SourceError("bad_address", f"not an address of the web: {url!r}") from error
    # A NUL would end the name early for who looks it up, and for nobody else.
    if not host.isprintable() or not host or parts.username is not None:
        raise SourceError("bad_address", "an address of the web has a host and no password")
    place = f"[{host}]" if ":" in host else host
    return SplitResult(parts.scheme, f"{place}:{port}", parts.path or "/", parts.query, "")


class _Deadline:
    """Cuts the connection when the time is over, whatever it is waiting for."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s, self.over = limit_s, False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(limit_s, self._end)
        self._timer.daemon = True

    def __enter__(self) -> "_Deadline":
        self._timer.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self._timer.cancel()
        # Cut off, even what seems complete may be a part.
        if self.over:
            said = f"not within {self.limit_s:g} seconds"
            raise SourceError("too_slow", said) from error

    def watch(self, connected: socket.socket) -> None:
        """The connection to cut is this one now."""
        self._socket = connected
        if self.over:
            self._end()

    def _end(self) -> None:
        self.over = True
        if self._socket is not None:
            with suppress(OSError):
                # Not a TLS socket's own way, which disturbs a read in another thread.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class _Pinned(http.client.HTTPConnection):
    """Goes to the address that was checked, whatever the host's name means by now."""

    def __init__(self, host: str, port: int, address: str, deadline: _Deadline) -> None:
        super().__init__(host, port)
        self.address, self.deadline = address, deadline

    def connect(self) -> None:
        self.sock = socket.create_connection((self.address, self.port), CONNECT_S)
        self.sock.settimeout(SILENCE_S)
        self.deadline.watch(self.sock)


class _PinnedTLS(_Pinned):
    """The same with TLS; the certificate must be the host's."""

    default_port = http.client.HTTPS_PORT

    def connect(self) -> None:
        super().connect()
        # First where the deadline finds it, then the handshake.
        self.sock = tls = ssl.create_default_context().wrap_socket(
            self.sock, server_hostname=self.host, do_handshake_on_connect=False
        )
        self.deadline.watch(tls)
        tls.do_handshake()


@contextmanager
def _answer(
    parts: SplitResult, guard: Guard, deadline: _Deadline, known: str
) -> Iterator[http.client.HTTPResponse]:
    host, port = parts.hostname or "", parts.port or 0
    kind = _PinnedTLS if parts.scheme == "https" else _Pinned
    try:
        connection = kind(host, port, _checked_address(host, port, guard.networks), deadline)
        try:
            target = urlunsplit(("", "", parts.path, parts.query, ""))
            connection.request("GET", target, headers=_headers(known))
            with closing(connection.getresponse()) as answer:
                yield answer
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, zlib.error) as error:
        said = f"{host} cannot be read ({type(error).__name__})"
        raise SourceError("unreadable", said) from error


def _checked_address(host: str, port: int, networks: Sequence[Network]) -> str:
    """Where the host is; SourceError if any of its addresses is not for everybody."""
    found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for address in found:
        if not may_connect(address, networks):
            # Who named the host is not told: it shows how things are laid out in the house.
            log.warning("%s is at %s, which REDTEN_WEB_NETWORKS does not name", host, address)
            raise SourceError("address_not_allowed", f"{host} is at no address that is allowed")
    return found[0]


def may_connect(address: str, networks: Sequence[Network]) -> bool:
    """Whether an address is everybody's, or in a network that was named."""
    ip = ipaddress.ip_address(address)
    if any(ip in network for network in networks):
        return True
    mine = (ip.is_private, ip.is_loopback, ip.is_link_local, ip.is_multicast, ip.is_reserved)
    hidden = any(ip in network for network in DISGUISES) or getattr(ip, "is_site_local", False)
    return ip.is_global and not any(mine) and not hidden


def _headers(known: str) -> dict[str, str]:
    """A version is the validator that the server gave, with the name of its header."""
    headers = {"User-Agent": "redten", "Accept-Encoding": "gzip", "Connection": "close"}
    kind, _, value = known.partition(" ")
    condition = {"etag": "If-None-Match", "modified": "If-Modified-Since"}.get(kind)
    return headers | ({condition: value} if condition else {})


def _content(url: str, answer: http.client.HTTPResponse, sink: Sink, known: str) -> Fetched:
    if answer.status == http.client.NOT_MODIFIED and known:
        return Fetched(url, known, changed=False)
    if answer.status != http.client.OK:
        raise SourceError("unreadable", f"the server answers {answer.status}")
    for piece in _decoded(answer):
        sink.write(piece)
    if answer.length:
        raise SourceError("unreadable", "the connection broke off")
    return Fetched(url, _version(answer))


def _version(answer: http.client.HTTPResponse) -> str:
    for kind, header in (("etag", "ETag"), ("modified", "Last-Modified")):
        value = answer.getheader(header) or ""
        # It will be sent back, and stored.
        if value and value.isascii() and value.isprintable() and len(value) <= LONGEST_VERSION:
            return f"{kind} {value}"
    return ""


def _decoded(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    coding = (answer.getheader("Content-Encoding") or "identity").strip().lower()
    pieces = iter(lambda: answer.read1(PIECE_BYTES), b"")
    if coding == "identity":
        return pieces
    if coding not in ("gzip", "x-gzip"):
        raise SourceError("unreadable", f"compressed as {coding!r}, which was not asked for")
    return _gunzipped(pieces)


def _gunzipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """In small pieces, so that whoever counts them can stop before they fill the memory."""
    gunzip = zlib.decompressobj(wbits=31)
    for piece in pieces:
        while piece and not gunzip.eof:
            yield gunzip.decompress(piece, PIECE_BYTES)
            piece = gunzip.unconsumed_tail
    if not gunzip.eof:
        raise SourceError("unreadable", "the compressed content broke off")
