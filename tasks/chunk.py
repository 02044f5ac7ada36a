"""Pages, cut into chunks."""

from collections.abc import Iterator

from ingest.chunk import Chunk, chunk
from tasks import artifacts
from tasks.app import app
from tasks.flow import Flow
from tasks.lease import running
from tasks.progress import Progress


@app.task
def chunk_document(flow: Flow) -> Flow:
    """Cuts the pages and keeps the chunks for the next step."""
    with running(flow, "chunk_document", then="embed_document"):
        flow["chunks"] = artifacts.write_chunks(flow, _chunks(flow))
    return flow


def _chunks(flow: Flow) -> Iterator[Chunk]:
    with Progress(flow, "chunk", 0) as progress:
        for count, one in enumerate(chunk(artifacts.read_pages(flow)), start=1):
            yield one
            progress.reached(count)
