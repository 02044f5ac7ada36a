"""The end of a document's way: its chunks become searchable, and older versions go."""

import logging

from celery.exceptions import Ignore

from models.document import Document, drop_older_versions, put_chunks
from models.session import session_scope
from tasks import artifacts
from tasks.app import app
from tasks.blobs import get_blobs
from tasks.flow import Flow
from tasks.lease import claimed

log = logging.getLogger(__name__)


@app.task
def store_document(flow: Flow) -> None:
    """Stores the chunks, ends the work, and removes what is no longer needed."""
    with claimed(flow, "store_document") as held:
        stored, unused = _swap(flow, held.record)
        for blob in unused:
            get_blobs().remove(blob)
        artifacts.remove(flow["tenant_id"], flow["id"])
    log.info("document %d attempt %d: done, %d chunks", flow["id"], flow["attempt"], stored)


def _swap(flow: Flow, document: Document) -> tuple[int, list[str]]:
    """Chunks stored, and blobs that nobody needs any more.

    One transaction takes the new version in and the older ones out, so that no reader sees half
    of either. It ends the work last: its row must not be locked while the lease is extended.
    """
    chunks, vectors = artifacts.read_chunks(flow), artifacts.read_vectors(flow)
    with session_scope(flow["tenant_id"]) as session:
        put_chunks(session, document, ((c.position, c.page, c.text) for c in chunks), vectors)
        done = Document.finish(session, flow["id"], flow["attempt"], "store_document")
        if done is None:
            raise Ignore
        done.pages, done.chunks = flow["pages"], len(chunks)
        done.stages = done.stages | {"store": [len(chunks), len(chunks)]}
        return len(chunks), drop_older_versions(session, done)
