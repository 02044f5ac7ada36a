"""How much the tenant uses of what it may have."""

from typing import Any

from apiflask import APIBlueprint

from api.auth import caller, signed_in
from api.replies import Out
from models.quota import usage
from models.session import session_scope

blueprint = APIBlueprint("quotas", __name__, tag="Tenants")


class UsageOut(Out):
    """How much is used of how much; 0 is no limit."""

    used: int
    most: int


class QuotaOut(Out):
    """Questions and files of texts in flight, new documents in flight, and what is stored."""

    jobs: UsageOut
    documents: UsageOut
    storage_bytes: UsageOut
    msg: str = "success"


@blueprint.get("/quota")
@blueprint.output(QuotaOut)
@signed_in(blueprint)
def get_quota() -> dict[str, Any]:
    """See how much the tenant uses of what it may have at once, and store."""
    with session_scope(caller().tenant_id) as session:
        return dict(usage(session, caller().tenant_id))
