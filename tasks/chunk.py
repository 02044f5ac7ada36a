"""Pages, cut into chunks."""

from collections.abc import Iterator

from engines.embedder import get_embedder, get_tokenizer
from ingest.chunk import OPENING_TOKENS, Chunk, chunk, running_lines
from tasks import artifacts
from tasks.app import app
from tasks.flow import Flow
from tasks.lease import Held, running
from tasks.progress import Progress

# Of the window, for what is put before a chunk when it is embedded: the opening, and a name.
HEADER_TOKENS = OPENING_TOKENS + 22


@app.task
def chunk_document(flow: Flow) -> Flow:
    """Cuts the pages and keeps the chunks for the next step."""
    with running(flow, "chunk_document", then="embed_document") as held:
        flow["chunks"] = artifacts.write_chunks(flow, _chunks(flow, held))
    return flow


def _chunks(flow: Flow, held: Held) -> Iterator[Chunk]:
    recipe = flow["recipe"]
    model = recipe["embed_model_name"]
    window = get_embedder(model).window
    # What is longer would be embedded without its end.
    size = min(recipe["chunk_tokens"], max(window // 2, window - HEADER_TOKENS))
    overlap = min(recipe["chunk_overlap"], size // 3)
    with Progress(flow, "chunk", 0) as progress:
        repeated = running_lines(artifacts.read_pages(flow))
        pages, offsets = artifacts.read_pages(flow), get_tokenizer(model).offsets
        cut = chunk(pages, offsets, size, overlap, repeated)
        for count, one in enumerate(cut, start=1):
            held.insist()
            yield one
            progress.reached(count)
