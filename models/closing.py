"""Tenants that close: nobody gets in from the request on, and the rest goes piece by piece."""

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from models.collection import Collection
from models.errors import RedtenError
from models.invitation import withdraw_invitations
from models.loose_blob import LooseBlob, loosen
from models.membership import revoke_keys
from models.overdue import KINDS
from models.source import Source
from models.tenant import DEFAULT_TENANT_ID, Caller, Membership, Tenant, leave_default
from models.work import UNFINISHED, Work

CLOSED = "the tenant was deleted"


def close_tenant(session: Session, caller: Caller, name: str) -> list[Work]:
    """Shuts the tenant for good; gives the work that this has cancelled.

    Raises RedtenError `default_tenant`, and `wrong_name` unless its name is repeated.
    """
    if caller.tenant_id == DEFAULT_TENANT_ID:
        said = "everybody who signs up comes into the default tenant: it stays"
        raise RedtenError("default_tenant", said)
    tenant = session.get_one(Tenant, caller.tenant_id, with_for_update={"key_share": True})
    if tenant.name != name:
        raise RedtenError(
            "wrong_name", f"repeat the name of the tenant, {tenant.name}, to delete it"
        )
    tenant.closing_at = tenant.closing_at or func.now()
    session.flush()
    revoke_keys(session, tenant.id)
    withdraw_invitations(session, tenant.id)
    theirs = select(Membership.user_id).where(Membership.tenant_id == tenant.id)
    leave_default(session, tenant.id, *session.scalars(theirs))
    return cancel_work(session, tenant.id)


def cancel_work(session: Session, tenant_id: int) -> list[Work]:
    """Ends all that is unfinished in the tenant, and what its sources would begin."""
    session.execute(
        update(Source).where(Source.tenant_id == tenant_id).values(next_run_at=None, every_s=None)
    )
    cancelled = []
    for record in KINDS.values():
        unfinished = select(record.id).where(record.tenant_id == tenant_id, UNFINISHED)
        for id in session.scalars(unfinished.order_by(record.id)).all():
            cancelled.append(record.cancel(session, id, CLOSED))
    return [work for work in cancelled if work is not None]


def closing_tenants(session: Session) -> list[int]:
    """Ids of those to be removed. Crosses the wall, through the function of that name."""
    return list(session.scalars(select(func.closing_tenants())))


def collection_ids(session: Session, tenant_id: int) -> list[int]:
    """Of the tenant's collections, which are removed one by one."""
    of_tenant = select(Collection.id).where(Collection.tenant_id == tenant_id)
    return list(session.scalars(of_tenant.order_by(Collection.id)))


def remove_tenant(session: Session, tenant_id: int) -> tuple[bool, list[str]]:
    """Removes a closing tenant with every row that is left of it; False if somebody was quicker.

    Gives the places of its files as well, which are noted as loose. Crosses the wall, through the
    function of that name.
    """
    gone = session.scalars(select(func.remove_tenant(tenant_id))).one()
    loosen(session, tenant_id, f"data/{tenant_id}/", f"embeddings/{tenant_id}/")
    noted = select(LooseBlob.place).where(LooseBlob.tenant_id == tenant_id)
    return gone, list(session.scalars(noted.order_by(LooseBlob.place)))
