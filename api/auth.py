"""Who is calling, and for which tenant."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, cast

from apiflask import APIBlueprint
from flask import g, request
from sqlalchemy.orm import Session

from api import scopes, tokens
from models.errors import RedtenError
from models.service_key import PREFIX, Bearer, key_bearer, note_use
from models.session import session_scope
from models.tenant import Belonging, Caller, Role, belongings, pick
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


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose token came, and all tenants that it is good for."""

    user: User
    belongings: list[Belonging]


def signed_in(
    blueprint: APIBlueprint, *, in_tenant: bool = True, strangers: bool = False, **more: Any
) -> Callable[[View], View]:
    """The view is for token holders only; it finds them by `caller()`.

    With `in_tenant=False` those who belong to no tenant come in too, and there is only `holder()`.
    With `strangers=True` also those who bring no token at all; `is_stranger()` tells. `more` is for
    `blueprint.doc`, of which a second call would undo this one.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Any:
            g.is_stranger = strangers and not _brought()
            if not g.is_stranger:
                _identify(in_tenant)
            return view(*args, **kwargs)

        schemes: list[str | dict[str, list[Any]]] = [{"token": []}, {"authorization": []}]
        documented = blueprint.doc(security=schemes + [{}] * strangers, **more)(checked)
        return cast(View, documented)

    return decorate


def caller() -> Caller:
    """Whoever holds the token of this request, in the tenant that it is about."""
    return cast(Caller, g.caller)


def holder() -> Holder:
    """Whoever holds the token of this request."""
    return cast(Holder, g.holder)


def is_stranger() -> bool:
    """Whether nobody has said who they are."""
    return bool(g.is_stranger)


def jti() -> str:
    """Which token of its holder this is; a service key has none."""
    return str(g.jti)


def _identify(in_tenant: bool) -> None:
    with session_scope() as session:
        user, key = _holder(session, _token())
        all_of_them = belongings(session, user.id)
    if key is not None:
        scopes.require(request.endpoint, key.scopes)
        all_of_them = [one for one in all_of_them if one.tenant_id == key.tenant_id]
        _note(key)
    if settings.requires_verified_email and not user.verified:
        raise RedtenError(
            "not_verified",
            f"the email address {user.email} is not verified: follow the link in the mail, or ask"
            " for another with `redten account verify`",
        )
    g.holder = Holder(user, all_of_them)
    if in_tenant:
        place = _chosen(all_of_them, key.tenant_id if key else user.default_tenant_id)
        g.caller = Caller(user.id, user.email, place.tenant_id, place.role)


def _note(key: Bearer) -> None:
    """Once a minute: a row that every request writes would make them wait for each other."""
    if not key.noted:
        with session_scope(key.tenant_id, durable=False) as session:
            note_use(session, key.id)


def _holder(session: Session, token: str) -> tuple[User, Bearer | None]:
    """Whose token it is, and what a service key stands for."""
    if not token.startswith(PREFIX):
        user, g.jti = tokens.holder(session, token)
        return user, None
    key = key_bearer(session, token)
    if key is None:
        raise tokens.invalid_token()
    return session.get_one(User, key.user_id), key


def _token() -> str:
    token = _brought()
    if not token:
        raise tokens.invalid_token()
    return token


def _brought() -> str:
    """From the published client's own header, or from Authorization; empty if neither is there."""
    bare = request.headers.get(settings.token_header)
    if bare:
        return bare.removeprefix("Bearer ").strip()
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _chosen(all_of_them: list[Belonging], default: int) -> Belonging:
    """The tenant that the header names, or else the default one."""
    # WSGI gives headers as Latin-1; clients send UTF-8.
    named = request.headers.get(TENANT_HEADER, "").encode("latin-1").decode("utf-8", "replace")
    if named:
        return pick(all_of_them, named)
    for one in all_of_them:
        if one.tenant_id == default:
            return one
    said = f"name another with {TENANT_HEADER}" if all_of_them else "and to no other"
    raise RedtenError("tenant_not_found", f"you belong to your default tenant no more: {said}")


def require_owner() -> None:
    """Raises RedtenError `forbidden` for anybody else."""
    if caller().role is not Role.OWNER:
        raise RedtenError("forbidden", "only an owner of the tenant may do that")
