"""The end of a document's way: its chunks become searchable, and older versions go."""

import logging
from collections.abc import Iterator

from celery.exceptions import Ignore
from sqlalchemy.orm import Session

from models.chunks import Arriving, put_chunks
from models.document import Document, drop_older_versions
from models.naming import name_document
from models.rebuild import is_current
from models.session import session_scope
from tasks import artifacts, chains
from tasks.app import app
from tasks.flow import Flow
from tasks.lease import claimed
from tasks.loose import remove_loose, remove_work

log = logging.getLogger(__name__)

STEP = "store_document"


@app.task
def store_document(flow: Flow) -> None:
    """Stores the chunks, ends the work, and removes what is no longer needed.

    If the collection has gone over to another version meanwhile, the document begins again.
    """
    with claimed(flow, STEP) as held:
        with session_scope(flow["tenant_id"], long=True) as session:
            if wanted := is_current(session, held.record):
                stored, unused = _swap(session, flow, held.record)
            else:
                again = Document.hand_back(session, flow["id"], flow["attempt"], STEP)
        if not wanted:
            return _begin_again(flow, again)
        remove_loose(flow["tenant_id"], unused)
        remove_work(flow["tenant_id"], flow["id"])
    log.info("document %d attempt %d: done, %d chunks", flow["id"], flow["attempt"], stored)


def _swap(session: Session, flow: Flow, document: Document) -> tuple[int, list[str]]:
    """Chunks stored, and blobs that nobody needs any more.

    One transaction takes the new version in and the older ones out, so that no reader sees half
    of either. It ends the work last: its row must not be locked while the lease is extended.
    """
    language = flow["recipe"]["language"]
    stored = put_chunks(session, document, _arriving(flow), language)
    name_document(session, document, _beginning(flow), language)
    done = Document.finish(session, flow["id"], flow["attempt"], STEP)
    if done is None:
        raise Ignore
    done.pages, done.chunks = flow["pages"], stored
    done.stages = done.stages | {"store": [stored, stored]}
    session.flush()
    return stored, drop_older_versions(session, done)


def _beginning(flow: Flow) -> str:
    """The text of the first page that has any."""
    return next((page.text for page in artifacts.read_pages(flow) if page.text.strip()), "")


def _arriving(flow: Flow) -> Iterator[Arriving]:
    chunks, vectors = artifacts.read_chunks(flow), artifacts.read_vectors(flow)
    for one, vector in zip(chunks, vectors, strict=True):
        yield Arriving(one.position, one.page, one.text, one.heading, one.locator, one.meta, vector)


def _begin_again(flow: Flow, document: Document | None) -> None:
    artifacts.remove_attempt(flow)
    if document is not None:
        log.info("document %d: begins again, the collection has changed", document.id)
        chains.send("document", document.tenant_id, document.id, document.attempt)
