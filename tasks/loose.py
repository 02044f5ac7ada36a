"""Files that no row refers to are removed: at once where that can be, the rest by the clock."""

import logging
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import TypeVar

from sqlalchemy import func
from sqlalchemy.exc import SQLAlchemyError

from models.errors import RedtenError
from models.loose_blob import EXPIRED, LooseBlob, claim_loose, loosen, renew
from models.referred import Known, documents_folder, work_folder, working_attempts
from models.removal import Removed
from models.session import session_scope
from settings import settings
from tasks.blobs import ROOMS, BlobsAway, get_blobs
from tasks.uploads import place

log = logging.getLogger(__name__)

T = TypeVar("T")
WORK = re.compile(r"work/(?P<tenant>\d+)-(?P<document>\d+)/(?P<attempt>\d+)/")


@contextmanager
def coming(tenant_id: int, *places: str) -> Iterator[None]:
    """For storing files that are noted as loose, and writing the rows that refer to them.

    When that fails no file stays behind; what was adopted nevertheless is loose no more, and stays.
    """
    with ExitStack() as undo:
        undo.callback(remove_loose, tenant_id, places)
        try:
            yield
        except RedtenError as error:
            if error.code == EXPIRED:
                # Stored after the clock had been there: nobody else knows of them any more.
                _note_again(tenant_id, places)
            raise
        undo.pop_all()


def _note_again(tenant_id: int, places: Iterable[str]) -> None:
    with session_scope(tenant_id) as session:
        loosen(session, tenant_id, *places, chosen=True)


def renewing(tenant_id: int, places: Iterable[str], parts: Iterable[T]) -> Iterator[T]:
    """The same parts; as long as they come, what is being stored of them is kept from the clock.

    Raises RedtenError `upload_expired` if it came too late.
    """
    every_s = settings.loose_after_s / 4
    due = time.monotonic() + every_s
    for part in chain(parts, [None]):
        # After the last one as well: what takes its place now, the clock still knows of.
        if time.monotonic() > due:
            with session_scope(tenant_id) as session:
                renew(session, tenant_id, *places)
            due = time.monotonic() + every_s
        if part is not None:
            yield part


def remove_loose(tenant_id: int, places: Iterable[str]) -> None:
    """Removes what is noted as loose, as far as it can be done now.

    A folder stays noted: who still stores something there, unaware, is over when the clock comes.
    """
    for loose in places:
        _try_to_remove(tenant_id, loose, for_good=False)


def remove_for_good(tenant_id: int, loose: str) -> None:
    """As `remove_loose`, for the clock: nothing is noted any more afterwards."""
    _try_to_remove(tenant_id, loose, for_good=True)


def _try_to_remove(tenant_id: int, loose: str, for_good: bool) -> None:
    try:
        _remove(tenant_id, loose, for_good)
    except SQLAlchemyError as error:
        log.warning("%s is left to the clock: %s", loose, error)


def _remove(tenant_id: int, loose: str, for_good: bool) -> None:
    with session_scope(tenant_id, long=True) as session:
        found = claim_loose(session, tenant_id, loose)
        if found is None:
            return
        try:
            # In the transaction: nobody adopts the file while its row is locked.
            _remove_files(found)
        except BlobsAway as error:
            log.warning("%s cannot be removed yet: %s", loose, error)
            # Behind all others, which must not wait for it.
            found.since = func.now()
            return
        if for_good or not found.is_folder:
            session.delete(found)


def _remove_files(found: LooseBlob) -> None:
    store, key = place(found.place, chosen=found.chosen)
    if found.is_folder:
        store.remove(key.rstrip("/"))
    else:
        store.remove_one(key)


def remove_collection_blobs(removed: Removed) -> None:
    """Removes what a collection that is gone had in the store."""
    remove_loose(removed.tenant_id, [documents_folder(removed.collection_id)])
    for document_id in removed.unfinished:
        remove_work(removed.tenant_id, document_id)


def remove_work(tenant_id: int, document_id: int, attempt: int | None = None) -> None:
    """Removes what the steps of a document left each other, in one attempt or in all of them.

    What cannot be removed now is removed by the clock.
    """
    folder = work_folder(tenant_id, document_id, attempt)
    try:
        get_blobs().remove(folder.rstrip("/"))
    except BlobsAway as error:
        log.warning("document %d: %s is left to the clock: %s", document_id, folder, error)


def remove_old_work() -> None:
    """Removes the work of attempts that are over, however they ended.

    No note tells of it. An attempt that has been taken over may still write, and die of SIGKILL
    then; but what lies in this folder is little enough to be looked through.
    """
    # First what there is, then which attempts are current: none begins between, and looks over.
    found: dict[int, set[tuple[int, int]]] = {}
    for key in get_blobs().keys("work"):
        if named := WORK.match(key):
            tenant, document, attempt = map(int, named.groups())
            found.setdefault(tenant, set()).add((document, attempt))
    for tenant, attempts in found.items():
        with session_scope(tenant) as session:
            working = working_attempts(session, {document for document, _ in attempts})
        for document, attempt in attempts:
            if working.get(document) != attempt:
                remove_work(tenant, document, attempt)


def orphans(known: Known) -> list[str]:
    """Files of the deployment's store that nobody will ever refer to or remove; there are none."""
    store = get_blobs()
    keys = (key for room in ROOMS for key in store.keys(room))
    return [key for key in keys if not known.has(key) and not known.has(store.location(key))]
