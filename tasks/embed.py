"""Text into vectors: questions and reviews alone, documents in batches."""

from typing import Any

from celery.utils.log import get_task_logger

from engines.embedder import Vectors, get_embedder
from engines.errors import EngineError
from tasks import artifacts, mailbox
from tasks.app import app
from tasks.flow import Flow, pack
from tasks.lease import running
from tasks.progress import Progress

log = get_task_logger(__name__)

DOCUMENT_BATCH = 256


def _one(text: str, model: str | None) -> str:
    return pack(get_embedder(model).embed([text]))


@app.task
def embed_question(flow: Flow) -> Flow:
    """Adds the question's vector, by the collection's model."""
    with running(flow, "embed_question", then="retrieve_passages"):
        return flow | {"vector": _one(flow["question"], flow["embed_model_name"])}


@app.task
def embed_review(flow: Flow) -> Flow:
    """Adds the reviewed answer's vector."""
    with running(flow, "embed_review", then="retrieve_support"):
        return flow | {"vector": _one(flow["answer"], flow["embed_model_name"])}


@app.task
def embed_texts(texts: list[str], dimensions: int | None, address: str) -> None:
    """Leaves the vectors of texts at an address, and how many tokens were read; or a refusal."""
    try:
        reply = _embedded(texts, dimensions)
    except EngineError as error:
        reply = {"code": error.code, "message": str(error)}
    mailbox.put(address, reply)


def _embedded(texts: list[str], dimensions: int | None) -> dict[str, Any]:
    embedder = get_embedder()
    if dimensions not in (None, embedder.dimensions):
        told = f"dimensions: the vectors have {embedder.dimensions}, leave it out"
        return {"code": "bad_dimensions", "message": told}
    return {"vectors": pack(embedder.embed(texts)), "tokens": embedder.count(texts)}


@app.task
def embed_document(flow: Flow) -> Flow:
    """Embeds the chunks of a document and keeps the vectors beside them."""
    with running(flow, "embed_document", then="store_document"):
        texts = [chunk.text for chunk in artifacts.read_chunks(flow)]
        with Progress(flow, "embed", len(texts)) as progress:
            artifacts.write_vectors(flow, _batches(texts, flow["embed_model_name"], progress))
    return flow


def _batches(texts: list[str], model: str | None, progress: Progress) -> list[Vectors]:
    batches = []
    for start in range(0, len(texts), DOCUMENT_BATCH):
        batches.append(get_embedder(model).embed(texts[start : start + DOCUMENT_BATCH]))
        progress.reached(start + len(batches[-1]))
    return batches
