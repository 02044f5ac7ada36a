"""Collections that are made anew, a step further each time."""

from models import rebuild
from models.session import session_scope
from tasks import chains
from tasks.app import app


@app.task
def advance_rebuilds() -> None:
    """Looks at every rebuild under way once; beat calls it every few seconds."""
    with session_scope() as session:
        found = rebuild.rebuilding(session)
    for tenant_id, collection_id in found:
        with session_scope(tenant_id, long=True) as session:
            moved = rebuild.advance(session, collection_id)
        for document in moved:
            chains.send("document", tenant_id, document.id, document.attempt)
