"""Accounts: changed, closed, searched."""

import threading

import pytest

from models.account import remove_expired
from models.one_time_password import add_one_time_password
from models.session import session_scope
from models.user import find_user, keep_token
from models.verification import add_verification
from tests.integration.door import ADMIN, log_in, send, sign_up
from tests.integration.processes import session_value

MEMBER = "member@example.org"


@pytest.fixture
def member(http, headers):
    """The id of the member whose headers those are."""
    return log_in(http).json["id"]


def change(http, headers, **body):
    return send(http, "PUT", "/user", body, headers)


def close(http, headers, **body):
    return send(http, "DELETE", "/user", body, headers)


def search(http, headers, **body):
    return send(http, "POST", "/user/search", body, headers)


def known(http, headers):
    """Whether a token still opens the door."""
    return http.get("/collections", headers=headers).status_code == 200


def test_a_new_password_replaces_the_old_one_and_ends_all_other_tokens(http, headers, member):
    other = {"Bearer": log_in(http).json["token"]}

    reply = change(http, headers, user_id=member, password="another")

    assert (reply.status_code, reply.json["user_id"], reply.json["msg"]) == (200, member, "success")
    assert log_in(http).status_code == 400
    assert log_in(http, password="another").status_code == 201
    assert (known(http, headers), known(http, other)) == (True, False)


def test_a_new_email_ends_every_token_and_stays_verified_where_nobody_verifies(
    http, headers, member
):
    reply = change(http, headers, user_id=member, email="new@example.org")

    assert (reply.status_code, reply.json["email"]) == (200, "new@example.org")
    assert reply.json["verified"] == 1
    assert not known(http, headers)
    assert log_in(http, email="new@example.org").status_code == 201
    # Nor do they come back with the email.
    change(
        http,
        {"Bearer": log_in(http, "new@example.org").json["token"]},
        user_id=member,
        email=MEMBER,
    )
    assert not known(http, headers)


def test_what_cannot_be_changed_is_refused_in_the_words_of_the_contract(http, headers, member):
    sign_up(http, "taken@example.org")
    refused = {
        "User update detected no changes": {"user_id": member},
        "password must be longer than 4 characters": {"user_id": member, "password": "abc"},
        "User email is already in use: TAKEN@example.org": {
            "user_id": member,
            "email": "TAKEN@example.org",
        },
        "is no email address": {"user_id": member, "email": "a@example.org,b@example.org"},
        "User update failed due to invalid token": {"user_id": 1, "password": "another"},
        "User update failed - please ensure user_id is set": {"email": MEMBER},
    }
    for said, body in refused.items():
        reply = change(http, headers, **body)
        assert said in reply.json["msg"]
        assert (reply.status_code, reply.json["user_id"]) == (400, -1), said
    nobody = change(http, {"Bearer": "x"}, user_id=member, password="another")
    assert "User update failed due to invalid token" in nobody.json["msg"]
    assert nobody.status_code == 400


def test_nobody_gives_themself_rights(http, headers, owner, member):
    for rights in ({"role": "admin"}, {"state": 1}, {"verified": 0}):
        reply = change(http, headers, user_id=member, **rights)
        assert (reply.status_code, reply.json["code"]) == (403, "forbidden")
    assert change(http, owner, user_id=1, role="user").status_code == 403
    same = change(http, headers, user_id=member, state=0, verified=1, role="user")
    assert (same.status_code, same.json["role"]) == (200, "user")


def test_an_administrator_changes_other_accounts(http, headers, owner, member):
    changed = change(http, owner, user_id=member, role="admin", password="another")
    assert (changed.status_code, changed.json["role"]) == (200, "admin")
    assert not known(http, headers)
    assert log_in(http, password="another").json["role"] == "admin"

    assert change(http, owner, user_id=member, state=1).json["state"] == 1
    assert "user does not exist" in log_in(http, password="another").text
    assert change(http, owner, user_id=member, state=0).json["state"] == 0
    assert log_in(http, password="another").status_code == 201
    assert change(http, owner, user_id=999, state=1).status_code == 404


def test_a_closed_account_is_shut_at_once_and_its_email_stays_taken(http, headers, member):
    key = send(http, "POST", "/keys", {"name": "k"}, headers).json["key"]
    with session_scope() as session:
        _, one_time = add_one_time_password(session, find_user(session, MEMBER))

    reply = close(http, headers, user_id=member, email="Member@example.org")

    assert (reply.status_code, reply.data) == (204, b"")
    assert not known(http, headers)
    assert not known(http, {"Bearer": key})
    assert f"user does not exist with email={MEMBER}" in log_in(http).text
    again = send(http, "POST", "/user", {"email": MEMBER, "password": "a secret"})
    assert "already registered" in again.text
    by_one_time = {"email": MEMBER, "token": one_time, "password": "another"}
    refused = send(http, "POST", "/user/password/change", by_one_time)
    assert "does not exist" in refused.text


def test_closing_needs_the_id_and_the_email_of_the_caller(http, headers, member):
    refused = {
        "User delete failed due to invalid token": {"user_id": 1, "email": ADMIN[0]},
        "User creation failed - unable to find user by email=x@example.org": {
            "user_id": member,
            "email": "x@example.org",
        },
        "User delete failed - please ensure user_id and user_email were set on the request": {
            "user_id": member
        },
    }
    for said, body in refused.items():
        reply = close(http, headers, **body)
        assert said in reply.json["msg"]
        assert (reply.status_code, reply.json["user_id"]) == (400, -1), said
    assert known(http, headers)


def test_an_administrator_closes_other_accounts(http, headers, owner, member):
    assert close(http, owner, user_id=member, email=MEMBER).status_code == 204
    assert not known(http, headers)


def test_the_last_owner_of_a_tenant_cannot_vanish(http, owner):
    reply = close(http, owner, user_id=1, email=ADMIN[0])
    assert (reply.status_code, reply.json["code"]) == (409, "last_owner")
    assert "make another member owner" in reply.json["msg"]

    sign_up(http, "heir@example.org")
    send(http, "PUT", "/members/heir@example.org", {"role": "owner"}, owner)

    assert close(http, owner, user_id=1, email=ADMIN[0]).status_code == 204


def test_an_owner_whose_account_is_closed_is_none_to_count_on(http, owner):
    heir = sign_up(http, "heir@example.org")
    send(http, "PUT", "/members/heir@example.org", {"role": "owner"}, owner)
    id = log_in(http, "heir@example.org").json["id"]
    close(http, heir, user_id=id, email="heir@example.org")

    assert close(http, owner, user_id=1, email=ADMIN[0]).status_code == 409


def test_two_owners_cannot_vanish_at_once(http, owner):
    heir = sign_up(http, "heir@example.org")
    send(http, "PUT", "/members/heir@example.org", {"role": "owner"}, owner)
    id = log_in(http, "heir@example.org").json["id"]
    doors = [
        (owner, {"user_id": 1, "email": ADMIN[0]}),
        (heir, {"user_id": id, "email": "heir@example.org"}),
    ]
    statuses = []

    def leave(headers, body):
        statuses.append(close(http.application.test_client(), headers, **body).status_code)

    threads = [threading.Thread(target=leave, args=door) for door in doors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [204, 409]


def test_a_search_reaches_as_far_as_who_searches(http, headers, owner, member):
    elsewhere = sign_up(http, "elsewhere@example.org")
    session_value("delete from memberships where user_id = 3 returning 1")
    session_value("insert into tenants (name) values ('other') returning id")
    session_value(
        "insert into memberships (tenant_id, user_id, role)"
        " select max(id), 3, 'owner' from tenants returning 1"
    )
    session_value(
        "update users set default_tenant_id = (select max(id) from tenants)"
        " where id = 3 returning 1"
    )
    session_value("update users set role = 'user' where id = 1 returning 1")

    def found(headers, id):
        reply = search(http, headers, user_id=id, email="EXAMPLE.org")
        return [one["email"] for one in reply.json["users"]]

    assert found(headers, member) == [MEMBER]
    assert found(owner, 1) == [MEMBER]
    assert found(elsewhere, 3) == ["elsewhere@example.org"]
    session_value("update users set role = 'admin' where id = 1 returning 1")
    assert found(owner, 1) == ["elsewhere@example.org", MEMBER]


def test_a_search_answers_as_the_contract_says(http, headers, member):
    reply = search(http, headers, user_id=member, email="member")
    assert (reply.status_code, reply.json["msg"]) == (200, "success")
    assert reply.json["users"] == [
        {
            "user_id": member,
            "email": MEMBER,
            "state": 0,
            "verified": 1,
            "role": "user",
            "msg": "",
        }
    ]
    refused = {
        "no users found": {"user_id": member, "email": "m%r"},
        "User search requires at least 3 characters": {"user_id": member, "email": "me"},
        "User search failed due to invalid token": {"user_id": 1, "email": "member"},
        "Missing user_id and email to search": {"user_id": member},
    }
    for said, body in refused.items():
        reply = search(http, headers, **body)
        assert said in reply.json["msg"]
        assert (reply.status_code, reply.json["users"]) == (400, []), said


def test_a_service_key_changes_no_account(http, headers, member):
    key = {"Bearer": send(http, "POST", "/keys", {"name": "k"}, headers).json["key"]}
    asked = {"user_id": member, "email": MEMBER, "password": "another"}
    for method, path in (
        ("PUT", "/user"),
        ("DELETE", "/user"),
        ("POST", "/user/search"),
        ("POST", "/user/password/reset"),
        ("POST", "/logout"),
        ("POST", "/logout/all"),
        ("POST", "/token/refresh"),
    ):
        reply = send(http, method, path, asked, key)
        assert (reply.status_code, reply.json["code"]) == (403, "forbidden"), path


def test_what_expired_long_ago_is_forgotten(http, headers, member):
    with session_scope() as session:
        user = find_user(session, MEMBER)
        keep_token(session, user.id, "old", user.created_at)
        add_one_time_password(session, user)
        add_verification(session, user)
    long_ago = "set expires_at = now() - interval '2 days' where user_id = %(id)s"
    session_value(f"update users_otp {long_ago} returning 1", id=member)
    session_value(f"update users_verified {long_ago} returning 1", id=member)
    session_value(f"update users_tokens {long_ago} and jti = 'old' returning 1", id=member)

    with session_scope() as session:
        assert remove_expired(session) == 3

    assert known(http, headers)
