"""Accounts: sign up, log in, look at oneself."""

from typing import Any

from apiflask import APIBlueprint

from api import tokens
from api.auth import caller, signed_in
from api.replies import UserOut, UserWithTokenOut
from api.schemas import INT32, LoginIn
from models.errors import RedtenError
from models.password import hash_password, is_outdated, verify
from models.session import session_scope
from models.tenant import DEFAULT_TENANT_ID, Role, join
from models.user import User, add_user, find_user, replace_password
from settings import settings

blueprint = APIBlueprint("users", __name__, tag="Users")

SHORTEST_PASSWORD = 4
LONGEST_ID = len(str(INT32))


def _shown(user: User, **more: Any) -> dict[str, Any]:
    return {
        "id": user.id,
        "user_id": user.id,
        "email": user.email,
        "state": user.state,
        "verified": user.verified,
        "role": user.role,
        "created_at": user.created_at,
        "updated_at": user.updated_at or "",
        **more,
    }


@blueprint.post("/user")
@blueprint.input(LoginIn)
@blueprint.output(UserWithTokenOut, status_code=201)
def sign_up(json_data: LoginIn) -> dict[str, Any]:
    """Make an account; the token works at once."""
    email, password = json_data.email.strip(), json_data.password
    _acceptable(email, password)
    hashed = hash_password(password)
    with session_scope(DEFAULT_TENANT_ID) as session:
        user = add_user(session, email, hashed, DEFAULT_TENANT_ID)
        if user is None:
            raise RedtenError("already_registered", f"User email {email} already registered")
        join(session, DEFAULT_TENANT_ID, user.id, Role.MEMBER)
        return _shown(user, token=tokens.issue(session, user))


def _acceptable(email: str, password: str) -> None:
    if not settings.signup_enabled:
        raise RedtenError("signup_disabled", "sign-up is off here: ask an administrator")
    if len(password) < SHORTEST_PASSWORD:
        raise RedtenError("short_password", "User password must be more than 4 characters")
    name, _, host = email.rpartition("@")
    if not name or not host or any(letter.isspace() for letter in email):
        raise RedtenError("bad_email", f"User email {email!r} is no email address")


@blueprint.post("/login")
@blueprint.input(LoginIn)
@blueprint.output(UserWithTokenOut, status_code=201)
def log_in(json_data: LoginIn) -> dict[str, Any]:
    """Trade email and password for a token."""
    email = json_data.email.strip()
    with session_scope() as session:
        user = find_user(session, email)
    # Between two transactions: a hash takes long, and a pooled connection is dear.
    right = verify(user.password if user else None, json_data.password)
    if user is None:
        message = f"User login failed - user does not exist with email={email}"
        raise RedtenError("no_such_user", message)
    if not right:
        raise RedtenError("wrong_password", "User login failed - invalid password")
    renewed = hash_password(json_data.password) if is_outdated(user.password) else None
    with session_scope() as session:
        if renewed:
            replace_password(session, user.id, renewed)
        return _shown(user, token=tokens.issue(session, user))


@blueprint.get("/user/<user_id>")
@blueprint.output(UserOut)
@signed_in(blueprint)
def get_user(user_id: str) -> dict[str, Any]:
    """Look at one's own account."""
    digits = user_id.isascii() and user_id.isdigit() and len(user_id) <= LONGEST_ID
    if not (digits and 0 < int(user_id) <= INT32):
        raise RedtenError("bad_user_id", "Invalid user_id must be a positive integer")
    if int(user_id) != caller().user_id:
        raise RedtenError("invalid_token", "User get failed due to invalid token")
    with session_scope() as session:
        return _shown(session.get_one(User, caller().user_id))
