"""Invitations to the tenant: made, listed, withdrawn, accepted."""

from typing import Annotated, Any

from apiflask import APIBlueprint
from pydantic import StringConstraints

from api import limits
from api.auth import caller, holder, require_owner, signed_in
from api.mail import mail_invitation
from api.replies import Out, Stamp
from api.schemas import In, MemberIn
from api.tenants import TenantOut, shown
from api.user_schemas import Email
from models.invitation import (
    Invitation,
    accept,
    find_offer,
    invitations,
    invite,
    withdraw_invitation,
)
from models.session import session_scope
from models.tenant import Role

blueprint = APIBlueprint("invitations", __name__, tag="Tenants")


class InvitationIn(MemberIn):
    """Who is invited, and as what."""

    email: Email


class AcceptanceIn(In):
    """The secret of an invitation."""

    token: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)]


class InvitationOut(Out):
    """An invitation: `pending`, `accepted`, `withdrawn` or `expired`."""

    id: int
    email: str
    role: str
    status: str
    invited_by: int | None
    created_at: Stamp
    expires_at: Stamp
    msg: str = "success"


class NewInvitationOut(InvitationOut):
    """A new invitation and its secret, `token`, which is not kept; `mailed`: it is on its way."""

    tenant: str
    token: str
    mailed: bool


class InvitationsOut(Out):
    """The tenant's invitations, newest first."""

    invitations: list[InvitationOut]
    msg: str = "success"


@blueprint.post("/invitations")
@blueprint.input(InvitationIn)
@blueprint.output(NewInvitationOut, status_code=201)
@signed_in(blueprint)
def create_invitation(json_data: InvitationIn) -> dict[str, Any]:
    """Invite somebody by email, for owners; the secret is told this once, and mailed if it can be.

    Whoever has the account of that email accepts it. It takes the place of an earlier one.
    """
    require_owner()
    with session_scope(caller().tenant_id) as session:
        made = invite(session, caller(), json_data.email, Role(json_data.role))
    told = InvitationOut.model_validate(made.invitation).model_dump()
    mailed = mail_invitation(made.invitation)
    return told | {"tenant": made.tenant, "token": made.token, "mailed": mailed}


@blueprint.get("/invitations")
@blueprint.output(InvitationsOut)
@signed_in(blueprint)
def list_invitations() -> dict[str, Any]:
    """List the tenant's invitations, those that are over too; for its owners."""
    require_owner()
    with session_scope(caller().tenant_id) as session:
        return {"invitations": invitations(session, caller())}


@blueprint.delete("/invitations/<number:id>")
@blueprint.output(InvitationOut)
@signed_in(blueprint)
def delete_invitation(id: int) -> Invitation:
    """Withdraw an invitation at once, for owners; who has accepted it stays a member."""
    require_owner()
    with session_scope(caller().tenant_id) as session:
        return withdraw_invitation(session, caller(), id)


@blueprint.post("/invitations/accept")
@limits.tries
@blueprint.input(AcceptanceIn)
@blueprint.output(TenantOut)
@signed_in(blueprint, in_tenant=False)
def accept_invitation(json_data: AcceptanceIn) -> dict[str, Any]:
    """Join the tenant that has invited the email of your account; twice is no error."""
    user = holder().user
    with session_scope() as session:
        offer = find_offer(session, json_data.token, user.email)
    with session_scope(offer.tenant_id) as session:
        return shown(accept(session, offer, user), user)
