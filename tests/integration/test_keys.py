"""Service keys: what they are good for, where they end, and what they may not do."""

import pytest
from flask.testing import FlaskClient

from models.session import session_scope
from models.tenant import Role, join
from tests.integration.door import send, sign_up
from tests.integration.processes import session_value


@pytest.fixture
def key(http: FlaskClient, headers: dict[str, str]) -> dict[str, object]:
    """A key that the member has just made."""
    reply = http.post("/keys", json={"name": "nightly"}, headers=headers)
    assert reply.status_code == 201, reply.json
    return dict(reply.json)


def bearing(key: dict[str, object]) -> dict[str, str]:
    return {"Authorization": f"Bearer {key['key']}"}


def test_a_key_is_as_good_as_the_token_in_either_header(http, headers, key):
    for carried in (bearing(key), {"Bearer": key["key"]}):
        assert http.get("/collections", headers=carried).status_code == 200
        made = http.post("/job", json={"ask": {"msg": "?"}}, headers=carried)
        assert made.status_code == 201
        assert http.get(f"/job/{made.json['id']}", headers=headers).status_code == 200


def test_the_secret_is_told_once_and_not_kept(http, headers, key):
    [listed] = http.get("/keys", headers=headers).json["keys"]
    assert "key" not in listed
    assert key["key"].startswith(listed["hint"])
    assert len(key["key"]) > 40
    assert key["key"] not in str(session_value("select service_keys::text from service_keys"))


def test_a_revoked_key_is_refused_like_any_bad_token(http, headers, key):
    revoked = http.delete(f"/keys/{key['id']}", headers=headers)
    assert revoked.json["revoked_at"]

    refused = http.get("/collections", headers=bearing(key))

    assert (refused.status_code, refused.json["code"]) == (401, "invalid_token")
    again = http.delete(f"/keys/{key['id']}", headers=headers)
    assert again.json["revoked_at"] == revoked.json["revoked_at"]


def test_an_expired_key_is_refused(http, headers):
    made = http.post("/keys", json={"name": "k", "expires_in_days": 1}, headers=headers).json
    assert http.get("/collections", headers=bearing(made)).status_code == 200
    session_value("update service_keys set expires_at = now() - interval '1 s' returning id")
    assert http.get("/collections", headers=bearing(made)).status_code == 401


def test_a_key_of_an_account_that_was_closed_is_refused(http, key):
    session_value("update users set state = 1 where email = 'member@example.org' returning id")
    assert http.get("/collections", headers=bearing(key)).status_code == 401


def test_a_key_is_good_for_the_tenant_that_it_was_made_in_only(http, headers, key):
    session_value(
        "insert into tenants (id, name) overriding system value values (2, 'other') returning id"
    )
    with session_scope(2) as session:
        join(session, 2, int(key["user_id"]), Role.OWNER)
    there = {"X-Redten-Tenant": "other"}
    assert http.get("/collections", headers=headers | there).status_code == 200

    assert http.get("/collections", headers=bearing(key) | there).status_code == 404
    made = http.post("/keys", json={"name": "k"}, headers=headers | there).json
    # There it acts as an owner; at home its user is none.
    assert http.get("/members", headers=bearing(made)).status_code == 200
    assert http.get("/members", headers=bearing(key)).status_code == 403


def test_a_key_can_neither_make_nor_revoke_keys(http, headers, key):
    for method, path in (("POST", "/keys"), ("DELETE", f"/keys/{key['id']}")):
        refused = http.open(path, method=method, json={"name": "k"}, headers=bearing(key))
        assert (refused.status_code, refused.json["code"]) == (403, "forbidden")
    assert http.get("/collections", headers=bearing(key)).status_code == 200


def test_others_keys_are_out_of_reach_but_for_an_owner(http, owner, key):
    stranger = sign_up(http, "other@example.org")
    assert http.get("/keys", headers=stranger).json["keys"] == []
    assert http.delete(f"/keys/{key['id']}", headers=stranger).status_code == 404
    assert [one["id"] for one in http.get("/keys", headers=owner).json["keys"]] == [key["id"]]
    assert http.delete(f"/keys/{key['id']}", headers=owner).status_code == 200


@pytest.mark.parametrize("body", [{}, {"name": "7"}, {"name": "k", "expires_in_days": 0}])
def test_a_key_needs_a_name_and_a_future(http, headers, body):
    refused = http.post("/keys", json=body, headers=headers)
    assert (refused.status_code, refused.json["code"]) == (400, "invalid_request")


def test_keys_of_a_closed_account_stay_dead_when_it_is_opened_again(http, headers, owner):
    key = send(http, "POST", "/keys", {"name": "nightly"}, headers).json["key"]
    member = http.get("/collections", headers={"Bearer": key})
    assert member.status_code == 200
    id = session_value("select id from users where email = 'member@example.org'")
    for state in (1, 0):
        changed = send(http, "PUT", "/user", {"user_id": id, "state": state}, owner)
        assert changed.status_code == 200, changed.json
    assert http.get("/collections", headers={"Bearer": key}).status_code == 401
