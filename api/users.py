"""Accounts: sign up, look at oneself, change, close, search."""

import re
from typing import Any

from apiflask import APIBlueprint
from sqlalchemy.orm import Session

from api import limits, tokens
from api.auth import caller, holder, jti, signed_in
from api.mail import mail_link
from api.replies import UserOut, UserWithTokenOut
from api.schemas import INT32
from api.user_replies import UsersFoundOut, shown
from api.user_schemas import (
    ONE_ADDRESS,
    SHORTEST_PASSWORD,
    SignUpIn,
    UserChangeIn,
    UserGoneIn,
    UserSearchIn,
)
from models.account import (
    change_email,
    change_password,
    change_rights,
    deactivate,
    locked_users,
    users_like,
)
from models.errors import RedtenError
from models.invitation import Offer, accept, find_offer
from models.password import hash_password
from models.session import session_scope
from models.tenant import DEFAULT_TENANT_ID, Role, join
from models.user import ACTIVE, User, add_user
from settings import settings

blueprint = APIBlueprint("users", __name__, tag="Users")

LONGEST_ID = len(str(INT32))
SHORTEST_SEARCH = 3


@blueprint.post("/user")
@limits.tries
@blueprint.input(SignUpIn)
@blueprint.output(UserWithTokenOut, status_code=201)
def sign_up(json_data: SignUpIn) -> dict[str, Any]:
    """Make an account; the token works at once, unless emails must be verified first.

    Who brings an invitation joins the tenant that it is of, others the default one.
    """
    email, password = json_data.email.strip(), json_data.password
    offer = _offered(json_data.invitation, email)
    _acceptable(email, password)
    hashed, verified = hash_password(password), not settings.verifies_email
    home = offer.tenant_id if offer else DEFAULT_TENANT_ID
    with session_scope(home) as session:
        user = add_user(session, email, hashed, home, verified=verified)
        if user is None:
            raise RedtenError("already_registered", f"User email {email} already registered")
        if offer:
            accept(session, offer, user)
        else:
            join(session, DEFAULT_TENANT_ID, user.id, Role.MEMBER)
        made = shown(user, token=tokens.issue(session, user))
    mail_link(user)
    return made


def _offered(invitation: str | None, email: str) -> Offer | None:
    if invitation:
        with session_scope() as session:
            return find_offer(session, invitation, email)
    if not settings.signup_enabled:
        raise RedtenError("signup_disabled", "sign-up is off here: ask for an invitation")
    return None


def _acceptable(email: str, password: str) -> None:
    if len(password) < SHORTEST_PASSWORD:
        raise RedtenError("short_password", "User password must be more than 4 characters")
    _check_address(email)


def _check_address(email: str) -> None:
    if not re.fullmatch(ONE_ADDRESS, email):
        raise RedtenError("bad_email", f"User email {email!r} is no email address")


@blueprint.get("/user/<user_id>")
@blueprint.output(UserOut)
@signed_in(blueprint, in_tenant=False)
def get_user(user_id: str) -> dict[str, Any]:
    """Look at one's own account."""
    digits = user_id.isascii() and user_id.isdigit() and len(user_id) <= LONGEST_ID
    if not (digits and 0 < int(user_id) <= INT32):
        raise RedtenError("bad_user_id", "Invalid user_id must be a positive integer")
    if int(user_id) != holder().user.id:
        raise RedtenError("invalid_token", "User get failed due to invalid token")
    return shown(holder().user)


@blueprint.put("/user")
@blueprint.input(UserChangeIn)
@blueprint.output(UserOut)
@signed_in(blueprint, in_tenant=False)
def change_user(json_data: UserChangeIn) -> dict[str, Any]:
    """Change the email or the password; administrators change everybody's accounts, and more.

    A new password ends all other tokens, a new email every token.
    """
    _check_change(json_data)
    _may_touch(holder().user, json_data.user_id, "User update")
    hashed = hash_password(json_data.password) if json_data.password else None
    with session_scope() as session:
        user = _touched(session, json_data.user_id, "User update")
        rights = _rights(user, json_data)
        moved = json_data.email not in (None, user.email)
        if hashed:
            change_password(session, user.id, hashed, jti())
        if json_data.email and moved:
            change_email(session, user, json_data.email)
        # Last: an administrator may give an email and vouch for it.
        change_rights(session, user, **rights)
        session.refresh(user)
    if moved:
        mail_link(user)
    return shown(user)


def _check_change(wanted: UserChangeIn) -> None:
    if not wanted.model_dump(exclude={"user_id"}, exclude_none=True):
        said = "User update detected no changes - please set email, password, state or role"
        raise RedtenError("no_changes", said)
    if wanted.password is not None and len(wanted.password) < SHORTEST_PASSWORD:
        said = "User update failed - password must be longer than 4 characters"
        raise RedtenError("short_password", said)
    if wanted.email is not None:
        _check_address(wanted.email)


def _may_touch(who: User, user_id: int, what: str) -> None:
    """One's own account, and for an administrator of the deployment everybody's."""
    if who.state != ACTIVE or (user_id != who.id and not who.is_admin):
        raise RedtenError("invalid_token", f"{what} failed due to invalid token")


def _touched(session: Session, user_id: int, what: str) -> User:
    """The account to change; who changes it may have been changed themself a moment ago."""
    me = holder().user.id
    found = locked_users(session, me, user_id)
    _may_touch(found[me], user_id, what)
    if user_id not in found:
        raise RedtenError("user_not_found", f"there is no user {user_id}")
    return found[user_id]


def _rights(user: User, wanted: UserChangeIn) -> dict[str, Any]:
    """What an administrator changes of another; one's own may only be said as they are."""
    rights = wanted.model_dump(include={"state", "verified", "role"}, exclude_none=True)
    if user.id != holder().user.id:
        return rights
    if any(getattr(user, name) != value for name, value in rights.items()):
        said = "state, verified and role are changed by another administrator of the deployment"
        raise RedtenError("forbidden", said)
    return {}


@blueprint.delete("/user")
@blueprint.input(UserGoneIn)
@blueprint.output({}, status_code=204)
@signed_in(blueprint, in_tenant=False)
def delete_user(json_data: UserGoneIn) -> str:
    """Close the account: its tokens and keys end at once, its email stays taken."""
    with session_scope() as session:
        user = _touched(session, json_data.user_id, "User delete")
        if user.email.lower() != json_data.email.lower():
            said = f"User creation failed - unable to find user by email={json_data.email}"
            raise RedtenError("other_email", said)
        deactivate(session, user)
    return ""


@blueprint.post("/user/search")
@blueprint.input(UserSearchIn)
@blueprint.output(UsersFoundOut)
@signed_in(blueprint)
def search_users(json_data: UserSearchIn) -> dict[str, Any]:
    """Find accounts by a part of their email.

    Administrators of the deployment find all, owners the members of their tenant, others
    themselves.
    """
    if json_data.user_id != caller().user_id:
        raise RedtenError("invalid_token", "User search failed due to invalid token")
    if len(json_data.email) < SHORTEST_SEARCH:
        raise RedtenError("short_search", "User search requires at least 3 characters")
    with session_scope(caller().tenant_id) as session:
        found = users_like(session, caller(), json_data.email)
    if not found:
        raise RedtenError("no_users", "no users found")
    return {"users": [shown(user, msg="") for user in found]}
