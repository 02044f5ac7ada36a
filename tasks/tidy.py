"""What the clock clears away in the file store."""

from models.loose_blob import overdue_blobs
from models.session import session_scope
from settings import settings
from tasks.app import app
from tasks.blobs import get_blobs
from tasks.loose import remove_for_good, remove_old_work


@app.task
def tidy_store() -> None:
    """Removes files that have been loose for long, the work of attempts that are over, and files
    that were never stored whole; beat calls it every minute, and twice at once does no harm.
    """
    with session_scope() as session:
        overdue = overdue_blobs(session, settings.loose_after_s)
    for tenant_id, place in overdue:
        remove_for_good(tenant_id, place)
    remove_old_work()
    get_blobs().remove_half_made(settings.loose_after_s)
