"""A server played inside the process: set what each route answers, see what it was asked."""

import io
import json
from typing import Any

import requests
from requests.adapters import BaseAdapter

from client.client import Client

BASE = "https://stub.test/v1/dev"
EMAIL = "ann@example.com"
USER = {"user_id": 7, "email": EMAIL, "state": 0, "verified": 1, "role": "user", "token": "t-7"}

ANSWER = {
    "id": 9,
    "job_id": 5,
    "question": "how much oil?",
    "answer": "The lamp burns 1,200 litres.\n",
    "score": 0.8,
    "question_score": 0.75,
    "answer_score": 0.85,
    "match_source": "handbook.pdf",
    "match_page": 3,
    "model_name": "small.gguf",
    "data": {
        "grounded": True,
        "supported": True,
        "passages": [{"id": 1, "source": "handbook.pdf", "page": 3, "score": 0.8, "text": "oil"}],
    },
}

NO_SUCH_USER = (
    400,
    {"msg": f"User login failed - user does not exist with email={EMAIL}", "code": "no_user"},
)

Reply = tuple[int, Any] | BaseException


class Stub(BaseAdapter):
    """Answers each route with its replies in turn; the last one stays.

    A redirect's body is where it leads, which is a route of its own, called by its whole address.
    """

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[requests.PreparedRequest] = []
        self.bodies: list[bytes] = []
        self._replies: dict[tuple[str, str], list[Reply]] = {}
        self.on("POST", "/login", (201, USER))

    def on(self, method: str, path: str, *replies: Reply) -> None:
        self._replies[method, path] = list(replies)

    def client(self, **more: Any) -> Client:
        session = requests.Session()
        session.mount("https://", self)
        return Client(BASE, EMAIL, "secret", session=session, **more)

    def asked(self, method: str, path: str) -> list[Any]:
        """The JSON bodies that were sent to that route."""
        return [
            json.loads(body or b"null")
            for request, body in zip(self.requests, self.bodies, strict=True)
            if (request.method, _path(request)) == (method, path)
        ]

    @property
    def routes(self) -> list[str]:
        return [f"{request.method} {_path(request)}" for request in self.requests]

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        body = request.body or b""
        sent = body.read() if hasattr(body, "read") else body
        self.requests.append(request)
        self.bodies.append(sent.encode() if isinstance(sent, str) else sent)
        replies = self._replies.get((str(request.method), _path(request)), [(404, {"msg": "?"})])
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if isinstance(reply, BaseException):
            raise reply
        return _response(request, *reply)

    def close(self) -> None:
        """Nothing is held."""


def _path(request: requests.PreparedRequest) -> str:
    return str(request.url).removeprefix(BASE).partition("?")[0]


def _response(request: requests.PreparedRequest, status: int, body: Any) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response.request = request
    response.url = str(request.url)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    response.raw = io.BytesIO(raw)
    if status == 302:
        response.headers["Location"] = body
    return response


def answering() -> Stub:
    """A server that takes any question and has answered it at once, as job 5."""
    stub = Stub()
    stub.on("POST", "/job", (201, {"id": 5, "state": 1}))
    stub.on("GET", "/job/5", (200, {"id": 5, "state": 3}))
    stub.on("GET", "/ai/result/5", (200, ANSWER))
    return stub
