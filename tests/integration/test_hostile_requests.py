"""Requests that are meant to break something: what is answered tells nothing of the inside."""

import json
import re
from typing import Any

import pytest

from local import postgres
from tests.conftest import CLUSTER
from tests.integration.door import send

INSIDE = re.compile(
    r"traceback|psycopg|sqlalchemy|select .+ from|insert into|\.py\b|site-packages|redten_app"
    r"|permission denied|redis|valkey|celery|postgres",
    re.IGNORECASE,
)
TEXTS = ["\0", "\ud800", "'; drop table users; --", "a" * 200_001, "{{7*7}}", "%s%s%n", "\x1b[2J"]
VALUES: list[Any] = [*TEXTS, -1, 2**31, 2**63, 2**200, 1e308, True, None, [], {}, [[[[]]]]]
ROUTES = [
    ("POST", "/login", "email"),
    ("POST", "/user", "email"),
    ("POST", "/collections", "name"),
    ("POST", "/keys", "name"),
    ("POST", "/ai/result", "question"),
    ("PUT", "/ai/result", "id"),
    ("POST", "/ai/result/search", "job_id"),
    ("POST", "/user/data/search", "data_id"),
    ("PUT", "/user/data", "data_id"),
    ("POST", "/job", "ask"),
]


@pytest.mark.parametrize(("method", "path", "field"), ROUTES)
def test_no_value_of_a_field_breaks_anything_or_shows_the_inside(
    http, headers, method, path, field
):
    for value in VALUES:
        reply = send(http, method, path, {"password": "a secret", field: value}, headers)

        assert reply.status_code < 500, (value, reply.json)
        assert not INSIDE.search(reply.text), (value, reply.text)


@pytest.mark.parametrize(
    "path",
    [
        "/job/{}", "/job/result/{}", "/ai/result/{}", "/documents/{}", "/collections/{}",
        "/user/data/{}", "/collections/{}/documents", "/jobs/{}/events", "/keys/{}",
    ],
)  # fmt: skip
def test_no_id_breaks_anything_or_shows_the_inside(http, headers, path):
    for id in ("0", "-1", "2147483648", "9" * 400, "1e9", "%00", "..%2f..", "'", "%ed%a0%80"):
        for method in ("GET", "DELETE"):
            reply = http.open(path.format(id), method=method, headers=headers)

            assert reply.status_code in (400, 404, 405), (method, id, reply.text)
            assert not INSIDE.search(reply.text)


@pytest.mark.parametrize(
    "name", ["Bearer", "Authorization", "X-Redten-Tenant", "Idempotency-Key", "Last-Event-ID"]
)
def test_no_header_breaks_anything_or_shows_the_inside(http, headers, name):
    for value in ("Bearer \xff\xfe", "a.b.c", "rdt_'", "x" * 5000, "\xc3\xa9", "-1", "1; drop"):
        reply = http.get("/job/1", headers=headers | {name: value})

        assert reply.status_code < 500, (value, reply.text)
        assert not INSIDE.search(reply.text)


def test_a_statement_that_fails_is_answered_with_the_uniform_error(http, headers):
    def tell(statement: str) -> None:
        with CLUSTER.connect(postgres.DATABASE) as connection:
            connection.execute(statement.encode())

    tell("revoke insert on collections from redten_app")
    try:
        reply = send(http, "POST", "/collections", {"name": "mine"}, headers)
    finally:
        tell("grant insert on collections to redten_app")

    assert reply.status_code == 500
    assert reply.json["code"] == "internal_error"
    assert not INSIDE.search(json.dumps(reply.json))
