"""Tenants of a deployment under test, each with an owner and a collection."""

import uuid
from typing import Any

from benchmarks.crowd import PLACES, Organisation, collection, send
from benchmarks.stack import Stack


def founded(stack: Stack, count: int, patience_s: float) -> list[Organisation]:
    """So many of them, ready to upload and to ask."""
    return [_found(stack, number, patience_s) for number in range(count)]


def _found(stack: Stack, number: int, patience_s: float) -> Organisation:
    account = {"email": f"owner-{number}@example.org", "password": uuid.uuid4().hex}
    token = _made(stack, "/user", account)["token"]
    tenant = {"name": f"{PLACES[number]} station"}
    _made(stack, "/tenants", tenant, {"Bearer": token})
    founded = Organisation(stack, number, token, tenant["name"], patience_s)
    _made(stack, "/collections", {"name": collection(founded)}, founded.headers)
    return founded


def _made(
    stack: Stack, path: str, body: dict[str, str], headers: dict[str, str] | None = None
) -> dict[str, Any]:
    reply = send(stack, "POST", path, json=body, headers=headers)
    if reply is None or reply.status_code != 201:
        raise SystemExit(f"POST {path}: {reply.text if reply is not None else 'no answer'}")
    made: dict[str, Any] = reply.json()
    return made
