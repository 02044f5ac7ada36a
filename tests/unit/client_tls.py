"""A small server that speaks TLS, and the authorities that vouch for it."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.unit.client_stub import USER

DOCUMENT = {"id": 3, "name": "a.txt", "state": 1}


class Seen(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Handler(BaseHTTPRequestHandler):
    """Logs anybody in, takes documents, and breaks off where the path says so."""

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        if "/torn/" in self.path:
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append(Seen("POST", self.path, dict(self.headers), body))  # type: ignore[attr-defined]
        self._answer(201, USER if self.path.endswith("/login") else DOCUMENT)

    def do_GET(self) -> None:
        self.server.seen.append(Seen("GET", self.path, dict(self.headers), b""))  # type: ignore[attr-defined]
        if self.path.endswith("/silent"):
            self.server.over.wait(10)  # type: ignore[attr-defined]
        elif self.path.endswith("/dropped"):
            self.close_connection = True
        elif self.path.endswith("/torn"):
            self._begin(200, 100)
            self.wfile.write(b"{")
            self.close_connection = True
        elif self.path.endswith("/page"):
            self._answer(200, "<html>")
        elif self.path.endswith("/moved"):
            self._answer(302, {"msg": "elsewhere"})
        else:
            self._answer(200, {"members": []})

    def _answer(self, status: int, body: object) -> None:
        raw = json.dumps(body).encode()
        self._begin(status, len(raw))
        self.wfile.write(raw)

    def _begin(self, status: int, length: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        if status == 302:
            self.send_header("Location", "http://elsewhere.test/")
        self.end_headers()


def authority(folder: Path, name: str, host: str) -> Path:
    """A certificate authority, and beside it a server certificate for `host`; the CA's file."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    ca_file = folder / f"{name}.pem"
    ca = _certificate(issuer, issuer, ca_key.public_key(), ca_key, None)
    ca_file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    leaf = _certificate(x509.Name([]), issuer, key.public_key(), ca_key, host)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / f"{name}-server.pem").write_bytes(pem + leaf.public_bytes(serialization.Encoding.PEM))
    return ca_file


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    host: str | None,
) -> x509.Certificate:
    now = datetime.now(UTC)
    names: list[x509.GeneralName] = [x509.DNSName(host or "ca")]
    if host == "localhost":
        names.append(x509.IPAddress(ip_address("127.0.0.1")))
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=host is not None)
    )
    return builder.sign(signer, hashes.SHA256())


@contextmanager
def serving(certificate: Path | None) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.seen, server.over = [], threading.Event()  # type: ignore[attr-defined]
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.over.set()  # type: ignore[attr-defined]
    server.shutdown()
    thread.join()
    server.server_close()
