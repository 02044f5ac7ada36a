"""An uploaded file, read into pages."""

import logging
from collections.abc import Iterator
from pathlib import Path

from ingest.load import Page, count_pages, load
from models.collection import Collection
from models.document import Document
from models.errors import RedtenError
from models.session import session_scope
from tasks import artifacts
from tasks.app import app
from tasks.blobs import fetched
from tasks.flow import Flow
from tasks.lease import running
from tasks.progress import Progress

log = logging.getLogger(__name__)


@app.task
def load_document(tenant_id: int, id: int, attempt: int) -> Flow:
    """Reads the file page by page and keeps the pages for the next step."""
    flow = Flow(kind="document", tenant_id=tenant_id, id=id, attempt=attempt, seconds={})
    with running(flow, "load_document", then="chunk_document") as held:
        document = held.record
        log.info("document %d attempt %d: started", id, attempt)
        with session_scope(tenant_id) as session:
            collection = session.get_one(Collection, document.collection_id)
            flow["embed_model_name"] = collection.embed_model_name
        flow["pages"] = _load(flow, document)
    return flow


def _load(flow: Flow, document: Document) -> int:
    try:
        with fetched(document.blob) as path:
            return artifacts.write_pages(flow, _pages(flow, path, document.name))
    except KeyError as error:
        raise RedtenError("blob_missing", "the uploaded file is gone: send it again") from error


def _pages(flow: Flow, path: Path, name: str) -> Iterator[Page]:
    with Progress(flow, "load", count_pages(path, name)) as progress:
        for count, page in enumerate(load(path, name), start=1):
            yield page
            progress.reached(count)
