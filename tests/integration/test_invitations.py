"""Invitations: to one email, for a while, once."""

import pytest

from settings import settings
from tests.integration.door import send, sign_up
from tests.integration.processes import session_value
from tests.integration.tenancy import accepted, founded, invited, joined, roles

BOB = "bob@example.org"


@pytest.fixture
def acme(http):
    """The headers of the owner of a tenant of their own."""
    return founded(http, "ACME", "ann@example.org")


def not_found(reply):
    return (reply.status_code, reply.json["code"]) == (404, "invitation_not_found")


def test_who_is_invited_joins_in_that_role_and_twice_is_no_error(http, acme):
    token = invited(http, acme, "Bob@Example.org", "expert")["token"]
    bob = sign_up(http, BOB)
    for _ in range(2):
        reply = accepted(http, bob, token)
        assert (reply.status_code, reply.json["name"], reply.json["role"]) == (
            200,
            "ACME",
            "expert",
        )
    assert roles(http, acme)[BOB] == "expert"
    [listed] = http.get("/invitations", headers=acme).json["invitations"]
    assert listed["status"] == "accepted"
    assert "token" not in listed


def test_an_invitation_is_not_there_for_anybody_else(http, acme):
    token = invited(http, acme, BOB)["token"]
    eve = sign_up(http, "eve@example.org")
    theirs, nothing = accepted(http, eve, token), accepted(http, eve, "no such token")
    assert not_found(theirs)
    assert theirs.json == nothing.json
    assert not_found(accepted(http, acme, token))
    assert list(roles(http, acme)) == ["ann@example.org"]


def test_the_secret_is_not_kept(http, acme):
    token = invited(http, acme, BOB)["token"]
    assert len(token) >= 43
    assert token not in session_value("select invitations::text from invitations")


@pytest.mark.parametrize(
    ("void", "status"), [("expires_at = now()", "expired"), ("withdrawn_at = now()", "withdrawn")]
)
def test_an_invitation_that_is_void_lets_nobody_in(http, acme, void, status):
    token = invited(http, acme, BOB)["token"]
    session_value(f"update invitations set {void} returning 1")
    assert not_found(accepted(http, sign_up(http, BOB), token))
    [listed] = http.get("/invitations", headers=acme).json["invitations"]
    assert listed["status"] == status


def test_owners_withdraw_and_list_their_own_tenants_invitations_only(http, acme):
    made = invited(http, acme, BOB)
    other = founded(http, "Other", "eve@example.org")
    assert http.get("/invitations", headers=other).json["invitations"] == []
    path = f"/invitations/{made['id']}"
    theirs, nothing = http.delete(path, headers=other), http.delete("/invitations/9", headers=other)
    assert not_found(theirs)
    assert not_found(nothing)
    for _ in range(2):
        assert http.delete(path, headers=acme).json["status"] == "withdrawn"
    assert not_found(accepted(http, sign_up(http, BOB), made["token"]))


def test_only_owners_invite(http, acme):
    for role in ("expert", "member", "agent"):
        who = joined(http, acme, f"{role}@example.org", role)
        body = {"email": BOB, "role": "owner"}
        assert send(http, "POST", "/invitations", body, who).status_code == 403
        assert http.get("/invitations", headers=who).status_code == 403


def test_a_new_invitation_takes_the_place_of_the_earlier_one(http, acme):
    first, second = (invited(http, acme, BOB, role)["token"] for role in ("owner", "agent"))
    bob = sign_up(http, BOB)
    assert not_found(accepted(http, bob, first))
    assert accepted(http, bob, second).json["role"] == "agent"


def test_who_is_a_member_is_not_invited_and_keeps_their_role(http, acme):
    token = invited(http, acme, BOB, "agent")["token"]
    bob = sign_up(http, BOB)
    bob_id = session_value(f"select id from users where email = '{BOB}'")
    session_value(
        "insert into memberships (tenant_id, user_id, role)"
        f" values ({acme['X-Redten-Tenant']}, {bob_id}, 'owner') returning 1"
    )
    assert accepted(http, bob, token).json["role"] == "owner"
    again = send(http, "POST", "/invitations", {"email": BOB, "role": "agent"}, acme)
    assert (again.status_code, again.json["code"]) == (409, "already_member")


def test_who_was_removed_does_not_come_back_by_an_old_invitation(http, acme):
    bob = sign_up(http, BOB)
    token = invited(http, acme, BOB)["token"]
    accepted(http, bob, token)
    assert http.delete(f"/members/{BOB}", headers=acme).status_code == 200
    assert not_found(accepted(http, bob, token))
    assert list(roles(http, acme)) == ["ann@example.org"]


@pytest.mark.parametrize("end", ["removed", "demoted"])
def test_who_was_an_owner_does_not_come_back_by_an_invitation_of_their_own(http, acme, end):
    bob = joined(http, acme, BOB, "owner")
    token = invited(http, bob, "second@example.org", "owner")["token"]
    if end == "removed":
        assert http.delete(f"/members/{BOB}", headers=acme).status_code == 200
    else:
        send(http, "PUT", f"/members/{BOB}", {"role": "member"}, acme)
    assert not_found(accepted(http, sign_up(http, "second@example.org"), token))


def test_a_tenant_invites_so_many_a_day(http, acme, monkeypatch):
    from models import invitation

    few = invitation.settings.model_copy(update={"invitations_per_day": 2})
    monkeypatch.setattr(invitation, "settings", few)
    for name in ("a", "b"):
        invited(http, acme, f"{name}@example.org")
    body = {"email": "c@example.org", "role": "member"}
    refused = send(http, "POST", "/invitations", body, acme)
    assert (refused.status_code, refused.json["code"]) == (429, "too_many_invitations")


@pytest.mark.parametrize("email", ["", "bob", "a b@example.org", "bob@", "b@e\r\nBcc: x@y.z"])
def test_what_is_no_email_is_not_invited(http, acme, email):
    refused = send(http, "POST", "/invitations", {"email": email, "role": "member"}, acme)
    assert (refused.status_code, refused.json["code"]) == (400, "invalid_request")


def test_an_invitation_by_mail_has_a_secret_of_its_own(http, acme, monkeypatch):
    from tasks import invite, smtp

    sent = []
    monkeypatch.setattr(smtp, "deliver", lambda message, email: sent.append((message, email)))
    made = invited(http, acme, BOB)
    assert made["mailed"] is False, "no mail server is set"
    invite.mail_invitation(int(acme["X-Redten-Tenant"]), made["id"])
    [(message, email)] = sent
    text = message.get_content()
    mailed = text.partition("redten tenants accept ")[2].split()[0]
    assert email == BOB
    assert mailed != made["token"]
    assert accepted(http, sign_up(http, BOB), mailed).status_code == 200
    invite.mail_invitation(int(acme["X-Redten-Tenant"]), made["id"])
    assert len(sent) == 1, "it is accepted already"


def signed_up(http, token, email=BOB):
    body = {"email": email, "password": "a secret", "invitation": token}
    return send(http, "POST", "/user", body)


def test_an_invitation_lets_a_new_account_in_where_sign_up_is_off(http, acme, monkeypatch):
    closed = settings.model_copy(update={"signup_enabled": False})
    monkeypatch.setattr("api.users.settings", closed)
    token = invited(http, acme, BOB, "expert")["token"]
    assert signed_up(http, None).json["code"] == "signup_disabled"
    assert not_found(signed_up(http, token, "eve@example.org"))
    made = signed_up(http, token)
    assert made.status_code == 201, made.json
    bob = {"Bearer": made.json["token"]}
    [home] = http.get("/tenants", headers=bob).json["tenants"]
    assert (home["name"], home["role"], home["default"]) == ("ACME", "expert", True)
    assert accepted(http, bob, token).status_code == 200
    assert "already registered" in signed_up(http, token).text
