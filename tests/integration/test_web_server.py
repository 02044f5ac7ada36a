"""What the real web server lets in: addresses, sizes, silence, and certificates of clients."""

import json
import os
import signal
import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner

from client.client import Client
from local.ports import first_free, usual
from local.quotas_cli import quotas
from settings import settings
from tests.conftest import CLUSTER, LAYOUT, PROJECT
from tests.integration.processes import program, until
from tests.integration.uploading import files
from tests.unit.client_tls import authority

MOST = 5000


class Door:
    """gunicorn with the API, as `redten up` starts it."""

    def __init__(self, port: int, **told: str) -> None:
        self.port, self.told = port, told
        self.cert: tuple[str, str] | None = None

    @contextmanager
    def open(self) -> Iterator["Door"]:
        told = {
            "REDTEN_API_WORKERS": "1",
            "REDTEN_PORT": str(self.port),
            "API_TLS_CERT": str(LAYOUT.cert),
            "API_TLS_KEY": str(LAYOUT.key),
            **self.told,
        }
        gunicorn = [sys.executable, "-m", "gunicorn", "-c", "python:local.gunicorn_conf"]
        log = (LAYOUT.logs / "door.log").open("ab")
        how = {"env": os.environ | told, "cwd": PROJECT, "stderr": log, "end_with": signal.SIGKILL}
        with log, program(*gunicorn, "api.wsgi:app", **how):
            until(self.listens, 60)
            yield self

    def listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def send(self, method: str, path: str, **sending: Any) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            return session.request(
                method,
                f"https://127.0.0.1:{self.port}{path}",
                verify=str(LAYOUT.ca),
                cert=self.cert,
                timeout=20,
                **sending,
            )

    def fail(self, number: int, address: str) -> int:
        """A sign-up that is refused, for another account each time, as from that address."""
        body = {"email": f"user{number}@example.org", "password": "x"}
        headers = {"X-Forwarded-For": address, "X-Real-IP": address, "Forwarded": f"for={address}"}
        return self.send("POST", "/user", json=body, headers=headers).status_code

    def raw(self, request: bytes) -> tuple[int, dict[str, Any]]:
        """Status and body of what comes back for these very bytes, until the server hangs up."""
        context = ssl.create_default_context(cafile=LAYOUT.ca)
        with (
            socket.create_connection(("127.0.0.1", self.port), 20) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
        ):
            secured.sendall(request)
            reply = b""
            while piece := secured.recv(65536):
                reply += piece
        head, _, body = reply.partition(b"\r\n\r\n")
        return (int(head.split()[1]), json.loads(body)) if head else (0, {})


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority that issues certificates of clients; one lies beside it."""
    return authority(tmp_path_factory.mktemp("clients"), "clients", "localhost")


@pytest.fixture(scope="module")
def doors(services: None, issuer: Path) -> Iterator[tuple[Door, Door, Door]]:
    """One as it comes; one behind a proxy; one that asks its clients for certificates."""
    first = usual(LAYOUT.fingerprint, 11_000)
    second = first_free(first + 1)
    third = first_free(second + 1)
    plain = {"REDTEN_CLIENT_SILENCE_S": "1.5", "REDTEN_MAX_BODY_BYTES": str(MOST)}
    asked = {"API_TLS_CLIENT_CA": str(issuer)}
    made = (
        Door(first, **plain, **asked),
        Door(second, REDTEN_PROXIES="1"),
        Door(third, **asked, API_TLS_CLIENT="required"),
    )
    with ExitStack() as stack:
        # All at once: each takes seconds to import its libraries.
        openings = [stack.enter_context(door.open()) for door in made]
        yield openings[0], openings[1], openings[2]


TRIES = settings.failed_tries


def test_a_client_does_not_choose_its_address(doors, db):
    door, _, _ = doors
    for number in range(TRIES):
        assert door.fail(number, f"198.51.100.{number}") == 400
    assert door.fail(TRIES, "203.0.113.9") == 429


def test_behind_a_proxy_only_what_the_proxy_has_added_counts(doors, db):
    _, behind, _ = doors
    for number in range(TRIES):
        assert behind.fail(number, f"198.51.100.{number}, 192.0.2.1") == 400
    assert behind.fail(TRIES, "203.0.113.9, 192.0.2.1") == 429
    assert behind.fail(TRIES, "203.0.113.9, 192.0.2.2") == 400


HEAD = b"POST /login HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (HEAD + b"Content-Length: %d\r\n\r\n" % (MOST + 1) + b"x" * (MOST + 1), 413, None),
        (
            HEAD
            + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % (MOST + 1)
            + b"x" * (MOST + 1)
            + b"\r\n0\r\n\r\n",
            413,
            None,
        ),
        (HEAD + b"X-Long: " + b"x" * 9000 + b"\r\n\r\n", 431, "request_header_fields_too_large"),
        (HEAD + b"A: b\r\n" * 101 + b"\r\n", 431, "request_header_fields_too_large"),
        (b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\n\r\n", 414, "request_uri_too_long"),
        (b"nonsense\r\n\r\n", 400, "bad_request"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, None),
        (HEAD + b"Content-Length: 9\r\n\r\n{", 400, None),
    ],
    ids=["large", "chunked", "header", "headers", "path", "nonsense", "chunks", "slow"],
)
def test_what_is_no_request_is_refused_in_the_form_of_all_refusals(
    doors, db, request_, status, code
):
    door, _, _ = doors
    answered, body = door.raw(request_)
    assert answered == status, body
    assert body["code"] == code or code is None
    assert body["message"] == body["msg"]


def test_a_client_that_falls_silent_in_its_head_is_given_up(doors, db):
    door, _, _ = doors
    assert door.raw(HEAD) == (0, {})
    assert door.send("GET", "/healthz").ok


def test_a_body_of_unknown_length_is_measured_at_its_end(
    doors, db, monkeypatch: pytest.MonkeyPatch
):
    door, _, _ = doors
    monkeypatch.setattr("local.deployment.owner_url", lambda _: CLUSTER.admin_url)
    CliRunner().invoke(quotas, ["set", "1", "--storage-bytes", "10"])
    account = {"email": "member@example.org", "password": "a secret"}
    token = door.send("POST", "/user", json=account).json()["token"]
    told = {"Bearer": token, "filename": "a"}

    refused = door.send("POST", "/user/data", data=iter([b"12345", b"123456"]), headers=told)

    assert (refused.status_code, refused.json()["code"]) == (507, "storage_full")
    assert files() == []


def test_no_version_of_anything_is_told(doors, db):
    door, _, _ = doors
    for path in ("/healthz", "/nothing"):
        assert not any(letter.isdigit() for letter in door.send("GET", path).headers["Server"])


def client(door: Door, cert: tuple[str, str] | None) -> Client:
    return Client(
        f"https://localhost:{door.port}",
        "member@example.org",
        "a secret",
        ca=str(LAYOUT.ca),
        cert=cert,
    )


def test_certificates_of_clients_are_checked_where_they_are_asked_for(doors, db, issuer):
    optional, _, required = doors
    own = str(issuer.with_name("clients-server.pem"))
    strangers = str(
        authority(issuer.parent, "strangers", "localhost").with_name("strangers-server.pem")
    )
    with client(optional, None) as bare:
        assert bare.collections()
    for door in (optional, required):
        with client(door, (own, own)) as known:
            assert known.collections()
        door.cert = (strangers, strangers)
        with pytest.raises(requests.ConnectionError):
            door.send("GET", "/healthz")
        door.cert = None
    with pytest.raises(requests.ConnectionError):
        required.send("GET", "/healthz")
