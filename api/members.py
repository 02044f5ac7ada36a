"""Who belongs to the tenant, and as what."""

from typing import Any

from apiflask import APIBlueprint

from api.auth import caller, require_owner, signed_in
from api.replies import MemberOut, MembersOut
from api.schemas import MemberIn
from models.session import session_scope
from models.tenant import Role, members, set_role

blueprint = APIBlueprint("members", __name__, tag="Members")


@blueprint.get("/members")
@blueprint.output(MembersOut)
@signed_in(blueprint)
def list_members() -> dict[str, Any]:
    """List the members of the tenant; for its owners."""
    require_owner()
    with session_scope(caller().tenant_id) as session:
        found = members(session)
    return {
        "members": [{"user_id": user.id, "email": user.email, "role": role} for user, role in found]
    }


@blueprint.put("/members/<email>")
@blueprint.input(MemberIn)
@blueprint.output(MemberOut)
@signed_in(blueprint)
def change_role(email: str, json_data: MemberIn) -> dict[str, Any]:
    """Give a member another role; for owners of the tenant."""
    require_owner()
    with session_scope(caller().tenant_id) as session:
        user = set_role(session, caller().tenant_id, email, Role(json_data.role))
    return {"user_id": user.id, "email": user.email, "role": json_data.role}
