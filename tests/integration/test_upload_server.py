"""Uploads through the real server into S3: its headers, its bodies, its broken connections."""

import os
import signal
import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from local.ports import usual
from tests.conftest import LAYOUT, PROJECT
from tests.integration.processes import program, until
from tests.integration.s3_server import CREDENTIALS, S3Server, s3_server

BUCKET = "ours"
MOST = 20_000_000
PART = b"a part of it " * 500_000  # more than S3 needs for a part of its own


class Server:
    """gunicorn with the API, as `redten up` starts it, for one newcomer."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.token = ""

    def send(self, method: str, path: str, headers: Any = None, **sending: Any) -> Any:
        """The reply, whatever it is; redirects are not followed."""
        with requests.Session() as session:
            # Neither a proxy nor a ~/.netrc of this machine has a part in it.
            session.trust_env = False
            return session.request(
                method,
                f"https://127.0.0.1:{self.port}{path}",
                headers={"Bearer": self.token, **(headers or {})},
                verify=str(LAYOUT.ca),
                timeout=20,
                allow_redirects=False,
                **sending,
            )

    def answers(self) -> bool:
        try:
            return bool(self.send("GET", "/healthz").ok)
        except (requests.ConnectionError, requests.Timeout):
            return False

    def newcomer(self) -> None:
        body = {"email": "member@example.org", "password": "a secret"}
        self.token = self.send("POST", "/user", json=body).json()["token"]

    def upload(self, data: Any, **told: str) -> Any:
        return self.send("POST", "/user/data", {"filename": "a.bin", **told}, data=data)

    def kept(self) -> list[dict[str, Any]]:
        return list(self.send("POST", "/user/data/search", json={}).json()["data"])

    @contextmanager
    def connection(self, head: str) -> Iterator[ssl.SSLSocket]:
        """A connection over which an upload has begun; closed at the end of the block."""
        context = ssl.create_default_context(cafile=LAYOUT.ca)
        request = f"POST /user/data HTTP/1.1\r\nHost: a\r\nBearer: {self.token}\r\nfilename: a\r\n"
        with (
            socket.create_connection(("127.0.0.1", self.port), 20) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
        ):
            secured.sendall(f"{request}{head}\r\n\r\n".encode())
            yield secured


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture(scope="module")
def running(services: None, s3: S3Server) -> Iterator[Server]:
    server = Server(usual(LAYOUT.fingerprint, 10_000))
    told = CREDENTIALS | {
        "REDTEN_BLOBS": f"s3://{BUCKET}/redten",
        "REDTEN_S3_ENDPOINT": s3.endpoint,
        "REDTEN_UPLOAD_LOCATIONS": f"s3://{BUCKET}/drop",
        "REDTEN_MAX_UPLOAD_BYTES": str(MOST),
        "REDTEN_API_WORKERS": "1",
        "REDTEN_PORT": str(server.port),
        "API_TLS_CERT": str(LAYOUT.cert),
        "API_TLS_KEY": str(LAYOUT.key),
    }
    gunicorn = [sys.executable, "-m", "gunicorn", "-c", "python:local.gunicorn_conf"]
    log = (LAYOUT.logs / "api.log").open("ab")
    how = {"env": os.environ | told, "cwd": PROJECT, "stderr": log, "end_with": signal.SIGINT}
    with log, program(*gunicorn, "api.wsgi:app", **how):
        until(server.answers, 60)
        yield server


@pytest.fixture
def server(db: None, running: Server, s3: S3Server) -> Server:
    """The server with an empty bucket and a newcomer."""
    s3.make(BUCKET)
    running.newcomer()
    return running


def test_headers_with_underscores_arrive(server):
    told = {"user_id": "1", "data_type": "note", "s3_enable": "1", "comments": "straße".encode()}

    reply = server.upload(b"x", **told)
    refused = server.upload(b"x", user_id="0")

    assert (reply.status_code, reply.json()["data_type"]) == (200, "note")
    assert reply.json()["comments"] == "straße"
    assert refused.status_code == 400
    assert "user_id" in refused.json()["msg"]


@pytest.mark.parametrize("path", ["/user/data", "/v1/dev/user/data"])
def test_a_body_is_bytes_whatever_its_content_type_says(server, path):
    told = {"filename": "a", "Content-Type": "application/x-www-form-urlencoded"}

    reply = server.send("POST", path, told, data=b"a=b&c=d")

    assert (reply.status_code, reply.json()["size_in_bytes"]) == (200, 7)


def test_a_file_of_unknown_length_comes_back_by_its_link(server, s3):
    data = server.upload(iter([PART, PART, b"the rest"])).json()

    assert data["size_in_bytes"] == 2 * len(PART) + 8
    reply = server.send("GET", f"/user/data/{data['data_id']}")
    assert reply.status_code == 302
    assert requests.get(reply.headers["Location"], timeout=20).content == PART * 2 + b"the rest"
    assert s3.unfinished(BUCKET) == []


@pytest.mark.parametrize(
    ("head", "begin"),
    [
        (f"Content-Length: {MOST}", b""),
        ("Transfer-Encoding: chunked", f"{MOST:x}\r\n".encode()),
    ],
    ids=["announced", "chunked"],
)
def test_a_client_that_breaks_off_leaves_nothing(server, s3, head, begin):
    with server.connection(head) as secured:
        secured.sendall(begin + PART * 2)
        until(lambda: s3.unfinished(BUCKET))

    until(lambda: not s3.unfinished(BUCKET))
    assert (s3.keys(BUCKET), server.kept()) == ([], [])


@pytest.mark.parametrize("told", [{}, {"data_type": "x" * 65}, {"sloc": "s3://other/1/a"}])
def test_a_refusal_is_heard_by_a_client_that_is_still_sending(server, s3, told):
    reply = server.upload(b"x" * (MOST + 1), **told)

    assert reply.status_code == (413 if not told else 403 if "sloc" in told else 400)
    assert (s3.keys(BUCKET), s3.unfinished(BUCKET), server.kept()) == ([], [], [])


def test_a_document_is_made_of_data_within_s3(server, s3):
    made = server.send("POST", "/collections", json={"name": "mine"})
    assert made.status_code == 201, made.text
    data = server.upload(b"31 metres", sloc=f"s3://{BUCKET}/drop/1/tower.txt").json()

    made = server.send("POST", f"/collections/mine/documents?data_id={data['data_id']}")

    assert made.status_code == 202, made.text
    assert made.json()["name"] == "a.bin"
    [copy] = [key for key in s3.keys(BUCKET) if key.startswith("redten/documents/")]
    held = s3.client().get_object(Bucket=BUCKET, Key=copy)
    assert held["Body"].read() == b"31 metres"
