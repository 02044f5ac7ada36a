"""Requests to the API in this process, as the published client and curl send them."""

import json
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.integration.processes import until

ADMIN = ("admin@redten.local", "a secret")
RAG = ("match_docs", "max_doc_scores", "min_q_score", "min_a_score")


def send(
    http: FlaskClient,
    method: str,
    path: str,
    body: Any = None,
    headers: dict[str, str] | None = None,
) -> TestResponse:
    """JSON without a word about it."""
    data = json.dumps(body) if body is not None else None
    return http.open(path, method=method, data=data, headers=headers)


def log_in(
    http: FlaskClient, email: str = "member@example.org", password: str = "a secret"
) -> TestResponse:
    """The answer to a log-in, by default of the member that `headers` has made."""
    return send(http, "POST", "/login", {"email": email, "password": password})


def sign_up(http: FlaskClient, email: str) -> dict[str, str]:
    """A new account; gives the headers that it signs with."""
    reply = http.post("/user", data=f'{{"email": "{email}", "password": "a secret"}}')
    assert reply.status_code == 201, reply.json
    return {"Bearer": reply.json["token"]}


def ask(http: FlaskClient, headers: dict[str, str], question: str, **more: Any) -> int:
    """Asks the public collection with the published client's limits; gives the job's id."""
    rag = {name: more.pop(name) for name in RAG if name in more}
    wanted = {"msg": question, "collection_id": "embed-security", "rag": rag} | more
    reply = http.post("/job", json={"ask": wanted}, headers=headers)
    assert reply.status_code == 201, reply.json
    return int(reply.json["id"])


def result(http: FlaskClient, headers: dict[str, str], job: int, limit_s: float = 30.0) -> Any:
    """How the job ended, as the client sees it."""

    def over() -> Any:
        reply = http.get(f"/job/result/{job}", headers=headers)
        return reply.json if reply.status_code == 200 else None

    return until(over, limit_s)


def answer(http: FlaskClient, headers: dict[str, str], job: int, limit_s: float = 30.0) -> Any:
    """The answer to a job that must succeed."""
    over = result(http, headers, job, limit_s)
    assert over["status"] == "done", over
    return http.get(f"/ai/result/{job}", headers=headers).json


def upload(http: FlaskClient, headers: dict[str, str], name: str, content: bytes) -> Any:
    """Sends a document to the public collection and waits until it is over."""
    path = f"/collections/embed-security/documents?name={name}"
    sent = http.post(path, data=content, headers=headers).json

    def over() -> Any:
        seen = http.get(f"/documents/{sent['id']}", headers=headers).json
        return seen if seen["state"] > 2 else None

    return until(over)
