"""New passwords by one-time passwords: told to who is logged in, mailed to who is not."""

from typing import Any

from apiflask import APIBlueprint

from api import limits
from api.auth import holder, is_stranger, jti, signed_in
from api.mail import ask_for_one_time_password
from api.user_replies import OneTimePasswordOut, PasswordChangedOut
from api.user_schemas import SHORTEST_PASSWORD, NewPasswordIn, ResetIn
from models.account import change_password
from models.errors import RedtenError
from models.one_time_password import add_one_time_password, consume, find_one_time_password
from models.password import hash_password
from models.session import session_scope
from models.user import User

blueprint = APIBlueprint("passwords", __name__, tag="Users")

SHORTEST_TOKEN, LONGEST_TOKEN = 4, 256
CREATE, CONSUME = "User create one-time-password failed", "User consume one-time-password failed"
RESET = {202: "On its way, if there is such an account."}
MAILED = "if there is an account with that email, a one-time password is on its way to it"


@blueprint.post("/user/password/reset")
@limits.tries
@blueprint.input(ResetIn)
@blueprint.output(OneTimePasswordOut, status_code=201)
@signed_in(blueprint, in_tenant=False, strangers=True, responses=RESET)
def reset_password(json_data: ResetIn) -> Any:
    """Make a one-time password, with which you set a new one.

    Without a token, and with the email alone, it is mailed; the answer is the same for every email.
    """
    if not json_data.email:
        raise _incomplete(CREATE, "email is set to the user's email address")
    if is_stranger() and json_data.user_id is None:
        ask_for_one_time_password(json_data.email)
        return {"msg": MAILED}, 202
    user = _named(CREATE, json_data.user_id, json_data.email)
    with session_scope() as session:
        made, token = add_one_time_password(session, user)
    numbers = {"user_id": made.id, "otp_id": made.id}
    return {**numbers, "token": token, "exp_date": made.expires_at}


@blueprint.post("/user/password/change")
@limits.tries
@blueprint.input(NewPasswordIn)
@blueprint.output(PasswordChangedOut)
@signed_in(blueprint, in_tenant=False, strangers=True)
def use_one_time_password(json_data: NewPasswordIn) -> dict[str, Any]:
    """Set a new password by a one-time password; no token is needed.

    All tokens end, but for the one that the request brings.
    """
    email, token, password = _complete(json_data)
    if not is_stranger():
        _named(CONSUME, json_data.user_id, email)
    with session_scope() as session:
        found = find_one_time_password(session, email, token, json_data.user_id)
    # Between two transactions, as it takes long, and only for who has a good one.
    hashed = hash_password(password)
    with session_scope() as session:
        consume(session, found.id)
        change_password(session, found.user_id, hashed, None if is_stranger() else jti())
    return {"user_id": found.user_id, "otp_id": found.id}


def _complete(wanted: NewPasswordIn) -> tuple[str, str, str]:
    """Email, one-time password and password, each as it must be."""
    email, token, password = wanted.email or "", wanted.token or "", wanted.password or ""
    wrong = {
        "the email is set": not email,
        "the passsword is set": not password,
        "the passsword is longer than 4 characters": len(password) < SHORTEST_PASSWORD,
        "the token is longer than 4 characters": len(token) < SHORTEST_TOKEN,
        "the token is shorter than 256 characters": len(token) > LONGEST_TOKEN,
    }
    for what, is_wrong in wrong.items():
        if is_wrong:
            raise _incomplete(CONSUME, what)
    return email, token, password


def _named(what: str, user_id: int | None, email: str) -> User:
    """Whoever the request names, and that must be whose token it brings."""
    if is_stranger():
        raise RedtenError("invalid_token", f"{what} due to invalid token")
    if user_id is None or user_id < 0:
        raise _incomplete(what, "user_id is a non-negative number")
    user = holder().user
    if user_id != user.id:
        raise RedtenError("invalid_token", f"{what} due to invalid token")
    if email.lower() != user.email.lower():
        raise RedtenError("other_email", f"{what} - user_email does not match {email}")
    return user


def _incomplete(what: str, needed: str) -> RedtenError:
    return RedtenError("incomplete", f"{what} please ensure {needed}")
