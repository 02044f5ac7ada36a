"""The passages that answer a question best, and those nearest to an expert's answer."""

from collections.abc import Sequence

import numpy as np
from sqlalchemy.orm import Session

from engines.embedder import TextKind, get_embedder
from models.collection import Collection
from models.search import Found, neighbours, vector_candidates
from models.session import session_scope
from settings import settings
from tasks import events
from tasks.app import app
from tasks.find import Hit, filters_of, find_passages
from tasks.flow import Flow, Params, Passage, pack, unpack
from tasks.lease import advancing, running
from tasks.rerank import JUDGED, judged

SUPPORT_PASSAGES = 5
# Whoever has so much of what was asked in so many words is near enough, whatever its vector says.
BORNE_ENOUGH = 0.5
# Of jobs that were written before there was one.
MARGIN = 0.2
STEP, THEN = "retrieve_passages", "generate_answer"


@app.task
def retrieve_passages(flow: Flow) -> Flow:
    """Adds at most `max_doc_scores` of the `match_docs` best chunks, and what stands around them.

    Chunks whose cosine to the question is below `min_q_score` stay out, unless they have most of
    its words; so do those that score more than `margin` below the best one.
    """
    with running(flow, "retrieve_passages", then="generate_answer"):
        found = _retrieved(_current(flow, flow["question"], "query"))
    events.emit(flow["id"], "passages", {"passages": found["passages"]})
    return found


def _current(flow: Flow, text: str, kind: TextKind) -> Flow:
    """The flow with the vector of the model that serves the collection now.

    While the work was on its way the collection may have gone over to another model.
    """
    if flow["collection_id"] is None:
        return flow
    with session_scope(flow["tenant_id"], durable=False) as session:
        model = session.get_one(Collection, flow["collection_id"]).embed_model_name
    if model == flow["embed_model_name"]:
        return flow
    vector = pack(get_embedder(model).embed([text], kind))
    return flow | {"vector": vector, "embed_model_name": model}


def _retrieved(flow: Flow) -> Flow:
    params = flow["params"]
    rerank = params.get("rerank", bool(settings.reranker))
    count = max(JUDGED, params["match_docs"]) if rerank else params["match_docs"]
    with session_scope(flow["tenant_id"], durable=False) as session:
        hits = _search(session, flow, count)
    if rerank and hits:
        # Not within a session: who judges would hold a connection for as long.
        hits = [hit for hit, _ in judged(flow["question"], hits)]
    near = _near_enough(params, hits[: params["match_docs"]])
    return _found(flow, [*near, *_around(flow, near)])


def _search(session: Session, flow: Flow, count: int) -> list[Hit]:
    """In the collection asked, and in further ones that the question names."""
    if flow["collection_id"] is None:
        return []
    params, [vector] = flow["params"], unpack(flow["vector"], 1)
    searched = [flow["collection_id"], *params.get("collections", ())]
    mode, filters = params.get("mode", "hybrid"), filters_of(params.get("filters", {}))
    return find_passages(session, flow["question"], vector, searched, count, mode, filters)


def _near_enough(params: Params, hits: Sequence[Hit]) -> list[Hit]:
    # What is much worse than the best leads a small model astray more often than it helps.
    worst = max((hit.score for hit in hits), default=0.0) - params.get("margin", MARGIN)
    near = [
        hit
        for hit in hits
        if (hit.cosine >= params["min_q_score"] or hit.borne >= BORNE_ENOUGH) and hit.score >= worst
    ]
    return near[: params["max_doc_scores"]]


def _around(flow: Flow, near: Sequence[Hit]) -> list[Found]:
    """The neighbours of the passages, as many on either side as were asked for."""
    most = flow["params"].get("neighbours", 0)
    if not most or not near:
        return []
    with session_scope(flow["tenant_id"], durable=False) as session:
        return neighbours(session, near, most, most)


def _found(flow: Flow, found: Sequence[Found]) -> Flow:
    """The flow with passages, in that order, and their vectors."""
    vectors = np.array([one.embedding for one in found], np.float32)
    cosines = vectors @ unpack(flow["vector"], 1)[0] if found else []
    passages = [
        Passage(
            id=one.id,
            document_id=one.document_id,
            source=one.source,
            page=one.page,
            position=one.position,
            locator=one.locator,
            heading=one.heading,
            text=one.text,
            score=round(float(cosine), 6),
        )
        for one, cosine in zip(found, cosines, strict=True)
    ]
    return flow | {"passages": passages, "vectors": pack(vectors)}


@app.task
def retrieve_support(flow: Flow) -> Flow:
    """Adds the chunks nearest to the reviewed answer, as the collection is now."""
    flow = _current(flow, flow["answer"], "document")
    with advancing(flow, "retrieve_support", then="score_review") as (session, _):
        if flow["collection_id"] is None:
            return _found(flow, [])
        [vector] = unpack(flow["vector"], 1)
        wanted = {flow["collection_id"]: vector}
        return _found(flow, vector_candidates(session, wanted, SUPPORT_PASSAGES))
