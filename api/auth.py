"""Who is calling, and for which tenant."""

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from apiflask import APIBlueprint
from flask import g, request

from api import tokens
from models.errors import RedtenError
from models.session import session_scope
from models.tenant import Belonging, Caller, Role, belongings
from settings import settings

TENANT_HEADER = "X-Redten-Tenant"
SECURITY_SCHEMES = {
    "token": {
        "type": "apiKey",
        "in": "header",
        "name": settings.token_header,
        "description": "The bare token that a login gives.",
    },
    "authorization": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
}

View = Callable[..., Any]


def signed_in(blueprint: APIBlueprint) -> Callable[[View], View]:
    """The view is for token holders only; it finds them by `caller()`."""

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Any:
            g.caller = _identify()
            return view(*args, **kwargs)

        documented = blueprint.doc(security=["token", "authorization"])(checked)
        return cast(View, documented)

    return decorate


def caller() -> Caller:
    """Whoever holds the token of this request."""
    return cast(Caller, g.caller)


def _identify() -> Caller:
    with session_scope() as session:
        user = tokens.holder(session, _token())
        all_of_them = belongings(session, user.id)
    # WSGI gives headers as Latin-1; clients send UTF-8.
    named = request.headers.get(TENANT_HEADER, "").encode("latin-1").decode("utf-8", "replace")
    place = _chosen(all_of_them, named, user.default_tenant_id)
    return Caller(user.id, user.email, place.tenant_id, place.role)


def _token() -> str:
    """From the published client's own header, or from Authorization."""
    bare = request.headers.get(settings.token_header)
    if bare:
        return bare.removeprefix("Bearer ").strip()
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer" and token:
        return token.strip()
    raise tokens.invalid_token()


def _chosen(all_of_them: list[Belonging], wanted: str, default: int) -> Belonging:
    for one in all_of_them:
        if wanted in (one.tenant, str(one.tenant_id)) if wanted else one.tenant_id == default:
            return one
    raise RedtenError("tenant_not_found", f"you belong to no tenant {wanted or 'any more'}")


def require_owner() -> None:
    """Raises RedtenError `forbidden` for anybody else."""
    if caller().role is not Role.OWNER:
        raise RedtenError("forbidden", "only an owner of the tenant may do that")
