"""Who is calling, and for which tenant."""

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from apiflask import APIBlueprint
from flask import g, request
from sqlalchemy.orm import Session

from api import tokens
from models.errors import RedtenError
from models.service_key import PREFIX, key_holder
from models.session import session_scope
from models.tenant import Belonging, Caller, Role, belongings
from models.user import User
from settings import settings

TENANT_HEADER = "X-Redten-Tenant"
SECURITY_SCHEMES = {
    "token": {
        "type": "apiKey",
        "in": "header",
        "name": settings.token_header,
        "description": "The bare token that a login gives, or a service key.",
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
        user, bound_to = _holder(session, _token())
        all_of_them = belongings(session, user.id)
    if bound_to is not None:
        all_of_them = [one for one in all_of_them if one.tenant_id == bound_to]
    g.by_key = bound_to is not None
    # WSGI gives headers as Latin-1; clients send UTF-8.
    named = request.headers.get(TENANT_HEADER, "").encode("latin-1").decode("utf-8", "replace")
    place = _chosen(all_of_them, named, bound_to or user.default_tenant_id)
    return Caller(user.id, user.email, place.tenant_id, place.role)


def _holder(session: Session, token: str) -> tuple[User, int | None]:
    """Whose token it is, and for a service key the one tenant that it is good for."""
    if not token.startswith(PREFIX):
        return tokens.holder(session, token), None
    held = key_holder(session, token)
    if held is None:
        raise tokens.invalid_token()
    user_id, tenant_id = held
    return session.get_one(User, user_id), tenant_id


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


def require_login() -> None:
    """Raises RedtenError `forbidden` for who came with a service key."""
    if g.by_key:
        raise RedtenError("forbidden", "a service key may not do that: log in and use the token")


def require_owner() -> None:
    """Raises RedtenError `forbidden` for anybody else."""
    if caller().role is not Role.OWNER:
        raise RedtenError("forbidden", "only an owner of the tenant may do that")
