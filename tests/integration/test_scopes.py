"""What service keys are good for: every route says it, and holds to it."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.scopes import NEEDED, PEOPLE_ONLY
from models.service_key import Scope
from tests.integration.processes import session_value

# What is open to all the world.
OPEN = {
    "health.favicon",
    "health.front",
    "health.healthz",
    "health.readyz",
    "health.valid_post",
    "metrics",
    "openapi.docs",
    "openapi.spec",
    "openapi.swagger_ui_oauth_redirect",
    "sessions.log_in",
    "static",
    "swagger",
    "users.sign_up",
    "verification.send_again",
    "verification.verify",
}


NAMED = {"name": "x"}


def key(http: FlaskClient, headers: dict[str, str], *scopes: str) -> dict[str, str]:
    """The headers of a new key with these scopes."""
    reply = http.post("/keys", json={"name": "k", "scopes": scopes}, headers=headers)
    assert reply.status_code == 201, reply.json
    return {"Bearer": reply.json["key"]}


def asks_who_calls(view: Callable[..., Any] | None) -> bool:
    """Whether `signed_in` is among what a view is wrapped in."""
    while view is not None:
        if view.__code__.co_qualname.startswith("signed_in."):
            return True
        view = getattr(view, "__wrapped__", None)
    return False


def test_every_route_says_who_may_call_it():
    views = create_app().view_functions
    signed_in = {endpoint for endpoint, view in views.items() if asks_who_calls(view)}

    assert signed_in == set(NEEDED)
    assert views.keys() - signed_in == OPEN


def test_a_key_without_scopes_is_refused_at_every_route_for_people(http, headers):
    none = key(http, headers, "ask")
    session_value("update service_keys set scopes = '{}' returning id")
    for rule in http.application.url_map.iter_rules():
        if rule.endpoint in NEEDED and rule.methods & {"GET", "DELETE"}:
            values = dict.fromkeys(rule.arguments, 1) | {"kind": "job"}
            path = rule.build(values)[1].partition("?")[0]
            method = (rule.methods & {"GET", "DELETE"}).pop()
            body = {"user_id": 1, "email": "a@example.org"} if method == "DELETE" else None
            reply = http.open(path, method=method, query_string=NAMED, json=body, headers=none)
            assert reply.status_code == 403, rule.endpoint
            assert "service key" in reply.text, rule.endpoint


def test_a_key_does_what_its_scopes_say_and_is_told_what_it_lacks(http, headers):
    asks = key(http, headers, "ask")
    made = http.post("/job", json={"ask": {"msg": "how high?"}}, headers=asks)
    assert made.status_code == 201
    assert http.get(f"/job/{made.json['id']}", headers=asks).status_code == 200

    refused = http.post("/collections", json={"name": "mine"}, headers=asks)

    assert (refused.status_code, refused.json["code"]) == (403, "forbidden")
    assert "lacks the scope ingest" in refused.json["message"]
    assert http.get("/members", headers=asks).status_code == 403
    ingests = key(http, headers, "ingest")
    assert http.post("/collections", json={"name": "mine"}, headers=ingests).status_code == 201
    assert http.post("/job", json={"ask": {"msg": "?"}}, headers=ingests).status_code == 403


def test_openai_and_dify_say_it_in_their_own_form(http, headers):
    reads = key(http, headers, "read")["Bearer"]
    bearing = {"Authorization": f"Bearer {reads}"}
    chat = {"model": "m", "messages": [{"role": "user", "content": "?"}]}
    refused = http.post("/v1/chat/completions", json=chat, headers=bearing)
    assert (refused.status_code, refused.json["error"]["code"]) == (403, "forbidden")
    wanted = {"knowledge_id": "x", "query": "?", "retrieval_setting": {"top_k": 1}}
    refused = http.post("/retrieval", json=wanted, headers=bearing)
    assert refused.status_code == 403
    assert "lacks the scope ask" in refused.json["error_msg"]


def test_what_changes_who_gets_in_is_for_people_only(http, owner):
    everything = key(http, owner, *Scope)
    for endpoint in ("keys.create_key", "users.change_user", "tenants.delete_tenant"):
        assert NEEDED[endpoint] == PEOPLE_ONLY
    body = {"user_id": 1, "password": "another secret"}
    refused = http.put("/user", json=body, headers=everything)
    assert (refused.status_code, refused.json["code"]) == (403, "forbidden")


def test_keys_are_good_for_everything_unless_told_otherwise(http, headers):
    made = http.post("/keys", json={"name": "k"}, headers=headers).json
    assert made["scopes"] == list(Scope)
    # As those that older code has made.
    old = "insert into service_keys (tenant_id, user_id, name, secret_sha256, hint)"
    scopes = session_value(f"{old} values (1, 1, 'old', 'x', 'rdt_') returning scopes")
    assert scopes == list(Scope)


@pytest.mark.parametrize("scopes", [[], ["everything"], ["ask"] * 7, "ask"])
def test_scopes_that_are_none_are_refused(http, headers, scopes):
    refused = http.post("/keys", json={"name": "k", "scopes": scopes}, headers=headers)
    assert (refused.status_code, refused.json["code"]) == (400, "invalid_request")


def test_the_use_of_a_key_is_noted_once_a_minute(http, headers):
    def used() -> Any:
        [one] = http.get("/keys", headers=headers).json["keys"]
        assert one["revoked_at"] is None
        return one["last_used_at"]

    def stamp() -> Any:
        return session_value("select last_used_at from service_keys")

    reads = key(http, headers, "read")
    assert used() is None
    # A request that is refused is one that somebody makes.
    assert http.get("/members", headers=reads).status_code == 403
    assert http.get("/collections", headers=reads).status_code == 200
    first = stamp()
    assert used()
    assert http.get("/collections", headers=reads).status_code == 200
    assert stamp() == first
    session_value("update service_keys set last_used_at = now() - interval '61 s' returning id")
    assert http.get("/collections", headers=reads).status_code == 200
    assert stamp() > first
    assert session_value("select updated_at from service_keys") is None
