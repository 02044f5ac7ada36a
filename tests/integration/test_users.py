"""Accounts, tokens and members."""

import threading

import jwt
import pytest
from argon2 import PasswordHasher
from argon2.low_level import Type

from models.session import session_scope
from models.user import Token, find_user, replace_password
from settings import settings
from tests.integration.door import log_in, send, sign_up
from tests.integration.processes import session_value

QUESTION = {"ask": {"msg": "How high is the tower?", "collection_id": "embed-security"}}


def test_login_gives_what_the_published_client_reads(http, headers):
    reply = log_in(http)
    assert reply.status_code == 201
    assert reply.json["user_id"] == reply.json["id"]
    assert (reply.json["state"], reply.json["role"], reply.json["msg"]) == (0, "user", "success")
    claims = jwt.decode(reply.json["token"], settings.token_public_key.read_text(), ["ES256"])
    assert claims["sub"] == "member@example.org"
    assert claims["exp"] - claims["iat"] == 2_592_000


def test_refusals_hold_the_words_that_the_published_client_looks_for(http, headers):
    wrong, unknown = log_in(http, password="wrong"), log_in(http, email="no@example.org")
    twice = send(http, "POST", "/user", {"email": "member@example.org", "password": "a secret"})
    short = send(http, "POST", "/user", {"email": "x@example.org", "password": "abc"})
    assert "invalid password" in wrong.text
    assert "user does not exist with email=no@example.org" in unknown.text
    assert "already registered" in twice.text
    assert "more than 4 characters" in short.text
    assert {one.status_code for one in (wrong, unknown, twice, short)} == {400}


def test_a_user_sees_themself_and_nobody_else(http, headers):
    own = log_in(http).json["id"]
    assert http.get(f"/user/{own}", headers=headers).json["email"] == "member@example.org"
    for other in (1, 999):
        reply = http.get(f"/user/{other}", headers=headers)
        assert (reply.status_code, reply.json["user_id"]) == (400, -1)
        assert "invalid token" in reply.text
    assert "positive integer" in http.get("/user/abc", headers=headers).text


@pytest.mark.parametrize("spoil", ["", "x", "none", "other key"])
def test_a_token_that_was_not_issued_here_is_refused(http, headers, spoil):
    token = headers["Bearer"]
    claims = jwt.decode(token, options={"verify_signature": False})
    forged = {
        "": "",
        "x": token[:-4] + "AAAA",
        "none": jwt.encode(claims, None, algorithm="none"),
        "other key": jwt.encode(claims, "a shared secret of at least 32 bytes", algorithm="HS256"),
    }[spoil]
    reply = send(http, "POST", "/job", QUESTION, {"Bearer": forged})
    assert (reply.status_code, reply.json["code"]) == (400, "invalid_token")


def test_a_revoked_token_and_one_of_a_former_email_are_refused(http, headers):
    with session_scope() as session:
        session.query(Token).update({"state": 1})
    assert http.get("/collections", headers=headers).status_code == 401
    fresh = {"Bearer": log_in(http).json["token"]}
    with session_scope() as session:
        find_user(session, "member@example.org").email = "new@example.org"
    assert http.get("/collections", headers=fresh).status_code == 401


def test_an_old_hash_still_logs_in_and_is_made_anew(http, headers):
    old = PasswordHasher(3, 4096, 1, type=Type.I).hash("a secret", salt=b"one salt for all")
    with session_scope() as session:
        user = find_user(session, "member@example.org")
        replace_password(session, user.id, old)

    assert log_in(http).status_code == 201

    assert session_value(f"select password from users where id = {user.id}").startswith(
        "$argon2id$"
    )
    assert log_in(http).status_code == 201


def test_sign_up_can_be_off(http, monkeypatch):
    closed = settings.model_copy(update={"signup_enabled": False})
    monkeypatch.setattr("api.users.settings", closed)
    reply = send(http, "POST", "/user", {"email": "x@example.org", "password": "a secret"})
    assert (reply.status_code, reply.json["code"]) == (403, "signup_disabled")


def test_the_last_owner_stays_one(http, owner):
    reply = send(http, "PUT", "/members/admin@redten.local", {"role": "member"}, owner)
    assert (reply.status_code, reply.json["code"]) == (409, "last_owner")


def test_two_owners_cannot_demote_each_other_at_once(http, owner):
    who = owner
    other = sign_up(http, "other@example.org")
    send(http, "PUT", "/members/other@example.org", {"role": "owner"}, who)
    emails = {"other@example.org": who, "admin@redten.local": other}

    def demote(email):
        client = http.application.test_client()
        send(client, "PUT", f"/members/{email}", {"role": "member"}, emails[email])

    for _ in range(5):
        threads = [threading.Thread(target=demote, args=(email,)) for email in emails]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert session_value("select count(*) from memberships where role = 'owner'") == 1
        session_value("update memberships set role = 'owner' returning 1")


def test_an_email_is_the_same_in_any_case(http, headers):
    again = send(http, "POST", "/user", {"email": "MEMBER@example.org", "password": "a secret"})
    assert "already registered" in again.text
    assert log_in(http, email="Member@Example.org").json["email"] == "member@example.org"


def test_a_tenant_that_one_does_not_belong_to_is_not_found(http, headers):
    for name, status in (("default", 200), ("1", 200), ("other", 404), ("2", 404)):
        reply = http.get("/collections", headers=headers | {"X-Redten-Tenant": name})
        assert reply.status_code == status, name


def test_every_wrong_login_takes_as_long_as_a_hash(http, headers, monkeypatch):
    checked = []
    monkeypatch.setattr("api.sessions.verify", lambda *args: checked.append(args) or False)
    log_in(http, email="nobody@example.org")
    log_in(http)
    assert [encoded is None for encoded, _ in checked] == [True, False]
