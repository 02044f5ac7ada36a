"""Tokens of people: logged in for, renewed, ended."""

from typing import Any

from apiflask import APIBlueprint

from api import limits, tokens
from api.auth import holder, jti, signed_in
from api.replies import UserWithTokenOut
from api.schemas import LoginIn
from api.user_replies import DoneOut, shown
from models.account import locked_users
from models.errors import RedtenError
from models.password import hash_password, is_outdated, verify
from models.session import session_scope
from models.user import (
    User,
    find_user,
    is_still,
    replace_password,
    revoke_token,
    revoke_tokens,
)
from settings import settings

blueprint = APIBlueprint("sessions", __name__, tag="Users")


@blueprint.post("/login")
@limits.tries
@blueprint.input(LoginIn)
@blueprint.output(UserWithTokenOut, status_code=201)
def log_in(json_data: LoginIn) -> dict[str, Any]:
    """Trade email and password for a token."""
    while True:
        user = _known(json_data.email.strip(), json_data.password)
        if shown := _let_in(user, json_data.password):
            return shown
        # The account was changed meanwhile, as by a log-in that has made its hash anew.


def _known(email: str, password: str) -> User:
    with session_scope() as session:
        user = find_user(session, email)
    # Between two transactions: a hash takes long, and a pooled connection is dear.
    right = verify(user.password if user else None, password)
    if user is None:
        message = f"User login failed - user does not exist with email={email}"
        raise RedtenError("no_such_user", message)
    if not right:
        raise RedtenError("wrong_password", "User login failed - invalid password")
    if settings.requires_verified_email and not user.verified:
        message = f"User login rejected - the email address: {user.email} is not verified"
        raise RedtenError("not_verified", message)
    return user


def _let_in(user: User, password: str) -> dict[str, Any] | None:
    """The account and a token; None if the password that was right is one no more."""
    renewed = hash_password(password) if is_outdated(user.password) else None
    with session_scope() as session:
        if not is_still(session, user):
            return None
        if renewed:
            replace_password(session, user.id, renewed)
        return shown(user, token=tokens.issue(session, user))


@blueprint.post("/logout")
@blueprint.output(DoneOut)
@signed_in(blueprint, in_tenant=False)
def log_out() -> dict[str, Any]:
    """End the token that this request brings."""
    with session_scope() as session:
        revoke_token(session, jti())
    return {}


@blueprint.post("/logout/all")
@blueprint.output(DoneOut)
@signed_in(blueprint, in_tenant=False)
def log_out_everywhere() -> dict[str, Any]:
    """End all your tokens, this one too; service keys stay."""
    with session_scope() as session:
        # Who renews a token meanwhile comes before or after, and not in between.
        locked_users(session, holder().user.id)
        revoke_tokens(session, holder().user.id)
    return {}


@blueprint.post("/token/refresh")
@blueprint.output(UserWithTokenOut, status_code=201)
@signed_in(blueprint, in_tenant=False)
def refresh_token() -> dict[str, Any]:
    """Trade a token for a new one; the old one ends."""
    user = holder().user
    with session_scope() as session:
        # Of two who bring the same token at once, one gets another; and none does while all of the
        # account's tokens end.
        if not (is_still(session, user) and revoke_token(session, jti())):
            raise tokens.invalid_token()
        return shown(user, token=tokens.issue(session, user))
