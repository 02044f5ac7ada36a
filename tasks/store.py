"""The end of a document's way: its chunks become searchable, and older versions go."""

import logging

from celery.exceptions import Ignore

from models.document import Document, drop_older_versions, put_chunks
from models.session import session_scope
from tasks import artifacts
from tasks.app import app
from tasks.blobs import document_key, get_blobs
from tasks.flow import Flow
from tasks.lease import claimed

log = logging.getLogger(__name__)


@app.task
def store_document(flow: Flow) -> None:
    """Stores the chunks, ends the work, and removes what is no longer needed."""
    with claimed(flow, "store_document") as document:
        stored, unused = _swap(flow)
        for sha256 in unused:
            get_blobs().remove(document_key(document.collection_id, sha256))
        artifacts.remove(flow["tenant_id"], flow["id"])
    log.info("document %d attempt %d: done, %d chunks", flow["id"], flow["attempt"], stored)


def _swap(flow: Flow) -> tuple[int, list[str]]:
    """Chunks stored and contents that nobody has any more.

    One transaction takes the new version in and the older ones out, so that no reader sees half
    of either.
    """
    chunks, vectors = artifacts.read_chunks(flow), artifacts.read_vectors(flow)
    with session_scope(flow["tenant_id"]) as session:
        document = Document.finish(session, flow["id"], flow["attempt"], "store_document")
        if document is None:
            raise Ignore
        document.pages, document.chunks = flow["pages"], len(chunks)
        document.stages = document.stages | {"store": [len(chunks), len(chunks)]}
        put_chunks(session, document, ((c.position, c.page, c.text) for c in chunks), vectors)
        return len(chunks), drop_older_versions(session, document)
