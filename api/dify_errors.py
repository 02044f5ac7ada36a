"""Refusals as Dify expects them: {"error_code", "error_msg"}."""

from typing import Any

from flask import request

BLUEPRINTS = ("dify",)
NO_KEY, BAD_KEY, NO_KNOWLEDGE = 1001, 1002, 2001


def error_body(code: str, message: str, status: int) -> dict[str, Any]:
    """The body; what Dify has no number for goes by its HTTP status."""
    return {"error_code": _number(code, status), "error_msg": message}


def _number(code: str, status: int) -> int:
    if code == "invalid_token":
        return BAD_KEY if _has_key() else NO_KEY
    return NO_KNOWLEDGE if code == "collection_not_found" else status


def _has_key() -> bool:
    kind, _, key = request.headers.get("Authorization", "").partition(" ")
    return kind.lower() == "bearer" and bool(key.strip())
