"""Emails, verified by a link that reached them."""

from typing import Any

from apiflask import APIBlueprint
from flask import request

from api import limits
from api.mail import ask_for_link
from api.schemas import INT32
from api.user_replies import DoneOut, VerifiedOut
from api.user_schemas import AgainIn, LinkIn
from models.errors import RedtenError
from models.session import session_scope
from models.verification import verify_email
from settings import settings

blueprint = APIBlueprint("verification", __name__, tag="Users")

LONGEST_URL = 512
SHORTEST_TOKEN, LONGEST_TOKEN = 20, 256


@blueprint.get("/user/verify")
@limits.tries
@blueprint.input(LinkIn, location="query")
@blueprint.output(VerifiedOut)
def verify(query_data: LinkIn) -> dict[str, Any]:
    """Verify an email by the link that was mailed to it; it is good once."""
    if not settings.verifies_email:
        return {"msg": "User verification success"}
    user_id, token = _complete(query_data)
    with session_scope() as session:
        user = verify_email(session, user_id, token)
    names = ("email", "state", "verified", "role")
    shown = {name: getattr(user, name) for name in names}
    return {**shown, "user_id": user.id, "msg": f"user {user.id} verified {user.email}"}


def _complete(link: LinkIn) -> tuple[int, str]:
    """User and token, each as it must be."""
    if not request.query_string or len(request.url) > LONGEST_URL:
        raise _incomplete("Missing required query params")
    if not link.u:
        raise _incomplete("Missing required query param: user id")
    if not link.t:
        raise _incomplete("User verify failed - please ensure the token t is set")
    digits = link.u.isascii() and link.u.isdigit() and len(link.u) <= len(str(INT32))
    if not (digits and 0 < int(link.u) <= INT32):
        raise _incomplete("User verify failed - the user id must be a positive number")
    if len(link.t) < SHORTEST_TOKEN:
        raise _incomplete("User verify failed - the token is too short")
    if len(link.t) > LONGEST_TOKEN:
        raise _incomplete("User verify failed - the token is too long")
    return int(link.u), link.t


def _incomplete(said: str) -> RedtenError:
    return RedtenError("incomplete", said)


@blueprint.post("/user/verify")
@limits.tries
@blueprint.input(AgainIn)
@blueprint.output(DoneOut, status_code=202)
def send_again(json_data: AgainIn) -> dict[str, Any]:
    """Have the link mailed again; the answer is the same for every email."""
    if not settings.verifies_email:
        raise RedtenError("verification_off", "emails are not verified here: nothing is to be done")
    ask_for_link(json_data.email)
    return {"msg": "if there is an account with that email, and it waits, a link is on its way"}
