"""Who belongs to the tenant, and as what."""

from typing import Any

from apiflask import APIBlueprint

from api.auth import caller, require_owner, signed_in
from api.replies import MemberOut, MembersOut
from api.schemas import In, MemberIn
from api.user_schemas import Email
from models.membership import hand_over, members, remove_member, set_role
from models.session import session_scope
from models.tenant import Role
from models.user import User

blueprint = APIBlueprint("members", __name__, tag="Members")


class HandOverIn(In):
    """The member who is to own the tenant."""

    email: Email


def _shown(user: User, role: str) -> dict[str, Any]:
    return {"user_id": user.id, "email": user.email, "role": role}


@blueprint.get("/members")
@blueprint.output(MembersOut)
@signed_in(blueprint)
def list_members() -> dict[str, Any]:
    """List the members of the tenant; for its owners."""
    require_owner()
    with session_scope(caller().tenant_id) as session:
        found = members(session, caller().tenant_id)
    return {"members": [_shown(user, role) for user, role in found]}


@blueprint.put("/members/<email>")
@blueprint.input(MemberIn)
@blueprint.output(MemberOut)
@signed_in(blueprint)
def change_role(email: str, json_data: MemberIn) -> dict[str, Any]:
    """Give a member another role; for owners of the tenant."""
    require_owner()
    with session_scope(caller().tenant_id) as session:
        user = set_role(session, caller(), email, Role(json_data.role))
    return _shown(user, json_data.role)


@blueprint.delete("/members/<email>")
@blueprint.output(MemberOut)
@signed_in(blueprint)
def delete_member(email: str) -> dict[str, Any]:
    """Take a member out of the tenant, for its owners; or leave it yourself.

    Their keys for it end at once. Their collections, private ones too, pass to you, or from who
    leaves to another owner.
    """
    if email.lower() != caller().email.lower():
        require_owner()
    with session_scope(caller().tenant_id) as session:
        user, role = remove_member(session, caller(), email)
    return _shown(user, role)


@blueprint.post("/tenant/hand-over")
@blueprint.input(HandOverIn)
@blueprint.output(MemberOut)
@signed_in(blueprint)
def hand_over_tenant(json_data: HandOverIn) -> dict[str, Any]:
    """Make a member an owner in your place; you stay as an expert."""
    require_owner()
    with session_scope(caller().tenant_id) as session:
        user = hand_over(session, caller(), json_data.email)
    return _shown(user, Role.OWNER)
