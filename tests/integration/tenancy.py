"""Tenants and their people, made through the API."""

from typing import Any

from flask.testing import FlaskClient

from tests.integration.door import send, sign_up

Headers = dict[str, str]


def founded(http: FlaskClient, name: str, email: str) -> Headers:
    """A new tenant; gives the headers of its owner, whose account is new too, in it."""
    who = sign_up(http, email)
    made = send(http, "POST", "/tenants", {"name": name}, who)
    assert made.status_code == 201, made.json
    return who | {"X-Redten-Tenant": str(made.json["id"])}


def invited(http: FlaskClient, owner: Headers, email: str, role: str = "member") -> Any:
    """A new invitation, with its token."""
    made = send(http, "POST", "/invitations", {"email": email, "role": role}, owner)
    assert made.status_code == 201, made.json
    return made.json


def accepted(http: FlaskClient, who: Headers, token: str) -> Any:
    """The reply to who accepts."""
    return send(http, "POST", "/invitations/accept", {"token": token}, who)


def joined(http: FlaskClient, owner: Headers, email: str, role: str = "member") -> Headers:
    """A new account that has joined the owner's tenant; its headers there."""
    who = sign_up(http, email)
    assert accepted(http, who, invited(http, owner, email, role)["token"]).status_code == 200
    return who | {"X-Redten-Tenant": owner["X-Redten-Tenant"]}


def roles(http: FlaskClient, owner: Headers) -> dict[str, str]:
    """Everybody's role, by email."""
    listed = http.get("/members", headers=owner)
    assert listed.status_code == 200, listed.json
    return {one["email"]: one["role"] for one in listed.json["members"]}
