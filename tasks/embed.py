"""Text into vectors: questions and reviews alone, documents in batches."""

from collections.abc import Iterator
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

from celery.utils.log import get_task_logger

from engines.embedder import Embedder, TextKind, Vectors, get_embedder
from engines.errors import EngineError
from ingest.chunk import Chunk
from models.naming import RUNS
from tasks import artifacts, mailbox
from tasks.app import app
from tasks.flow import Flow, pack
from tasks.lease import Held, running
from tasks.progress import Progress

log = get_task_logger(__name__)

DOCUMENT_PART = 512
# A name that is longer is a sentence; chunk, opening and name together have to fit the window.
NAME_WORDS = 12


def _one(text: str, model: str | None, kind: TextKind) -> str:
    return pack(get_embedder(model).embed([text], kind))


@app.task
def embed_question(flow: Flow) -> Flow:
    """Adds the question's vector, by the collection's model."""
    with running(flow, "embed_question", then="retrieve_passages"):
        return flow | {"vector": _one(flow["question"], flow["embed_model_name"], "query")}


@app.task
def embed_review(flow: Flow) -> Flow:
    """Adds the reviewed answer's vector."""
    with running(flow, "embed_review", then="retrieve_support"):
        return flow | {"vector": _one(flow["answer"], flow["embed_model_name"], "document")}


@app.task
def embed_texts(
    texts: list[str],
    dimensions: int | None,
    address: str,
    model: str | None = None,
    kind: TextKind = "document",
    any_model: bool = True,
) -> None:
    """Leaves the vectors of texts at an address, and how many tokens were read; or a refusal.

    With `any_model` the deployment's model stands in for one that is not installed.
    """
    try:
        embedder = _embedder(model, any_model)
        reply = _embedded(embedder, texts, kind, dimensions)
    except EngineError as error:
        reply = {"code": error.code, "message": str(error)}
    mailbox.put(address, reply)


def _embedder(model: str | None, any_model: bool) -> Embedder:
    try:
        return get_embedder(model)
    except EngineError as error:
        if not any_model or error.code != "unknown_embedder":
            raise
        return get_embedder()


def _embedded(
    embedder: Embedder, texts: list[str], kind: TextKind, dimensions: int | None
) -> dict[str, Any]:
    if dimensions not in (None, embedder.dimensions):
        told = f"dimensions: the vectors have {embedder.dimensions}, leave it out"
        return {"code": "bad_dimensions", "message": told}
    return {
        "model": embedder.name,
        "dimensions": embedder.dimensions,
        "vectors": pack(embedder.embed(texts, kind)),
        "tokens": embedder.count(texts, kind),
    }


@app.task
def embed_document(flow: Flow) -> Flow:
    """Embeds the chunks of a document and keeps the vectors beside them."""
    step = running(flow, "embed_document", then="store_document")
    with step as held, Progress(flow, "embed", flow["chunks"]) as progress:
        artifacts.write_vectors(flow, _embedded_parts(flow, held, progress))
    return flow


def _embedded_parts(flow: Flow, held: Held, progress: Progress) -> Iterator[Vectors]:
    """A part of the chunks at a time; the embedder joins what several documents ask for."""
    embedder = get_embedder(flow["recipe"]["embed_model_name"])
    chunks = artifacts.read_chunks(flow)
    while part := list(islice(chunks, DOCUMENT_PART)):
        held.insist()
        texts = [embedded_text(held.record.name, one) for one in part]
        try:
            yield embedder.embed(texts, wanted=held.ours)
        except EngineError:
            held.insist()  # given up only because the work is another's by now
            raise
        progress.reached(progress.done + len(part))


def embedded_text(name: str, chunk: Chunk) -> str:
    """What the vector of a chunk is computed from: whose it is, how its page begins, its own text.

    The document's name counts by its words, letters apart from digits, without folder and ending.
    """
    words = RUNS.findall(PurePosixPath(name).stem)[:NAME_WORDS]
    return "\n".join(line for line in (" ".join(words), chunk.opening, chunk.text) if line)
