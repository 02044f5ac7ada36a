"""Tenants that were deleted go: their work, then collection by collection, then all the rest."""

import logging

from sqlalchemy.exc import OperationalError

from models.closing import cancel_work, closing_tenants, collection_ids, remove_tenant
from models.collection import Collection
from models.errors import RedtenError
from models.removal import remove_collection
from models.session import session_scope
from tasks.app import app
from tasks.loose import remove_collection_blobs, remove_loose

log = logging.getLogger(__name__)


@app.task
def remove_closed_tenants() -> None:
    """Removes every closing tenant; whatever ends it half-way, the clock goes on there."""
    with session_scope() as session:
        closing = closing_tenants(session)
    for tenant_id in closing:
        try:
            _remove(tenant_id)
        # Steps and requests that were under way stood in the way, or another worker was quicker.
        except (OperationalError, RedtenError) as error:
            log.warning("tenant %d: goes on next time: %s", tenant_id, error)


def _remove(tenant_id: int) -> None:
    with session_scope(tenant_id, long=True) as session:
        # Requests that were let in before it closed may have begun more.
        cancel_work(session, tenant_id)
        collections = collection_ids(session, tenant_id)
    for id in collections:
        _remove_collection(tenant_id, id)
    with session_scope(tenant_id, long=True) as session:
        gone, places = remove_tenant(session, tenant_id)
    remove_loose(tenant_id, places)
    if gone:
        log.info("tenant %d: removed, with %d collections", tenant_id, len(collections))


def _remove_collection(tenant_id: int, id: int) -> None:
    with session_scope(tenant_id, long=True) as session:
        collection = session.get(Collection, id)
        removed = remove_collection(session, collection) if collection else None
    if removed:
        remove_collection_blobs(removed)
