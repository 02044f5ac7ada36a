"""The passages nearest to a question, or to an expert's answer."""

import numpy as np

from models.document import Neighbour, nearest
from models.session import session_scope
from tasks.app import app
from tasks.flow import Flow, Passage, pack, unpack
from tasks.lease import running

SUPPORT_PASSAGES = 5


def _search(flow: Flow, count: int) -> list[Neighbour]:
    if flow["collection_id"] is None:
        return []
    [vector] = unpack(flow["vector"], 1)
    with session_scope(flow["tenant_id"]) as session:
        return nearest(session, flow["collection_id"], vector, count)


def _found(flow: Flow, hits: list[Neighbour]) -> Flow:
    """The flow with passages, best first, and their vectors."""
    passages = [
        Passage(
            id=hit.id,
            document_id=hit.document_id,
            source=hit.source,
            page=hit.page,
            text=hit.text,
            score=round(hit.score, 6),
        )
        for hit in hits
    ]
    vectors = pack(np.array([hit.embedding for hit in hits], np.float32))
    return flow | {"passages": passages, "vectors": vectors}


@app.task
def retrieve_passages(flow: Flow) -> Flow:
    """Adds at most `max_doc_scores` of the `match_docs` nearest chunks.

    Chunks whose cosine to the question is below `min_q_score` stay out.
    """
    with running(flow, "retrieve_passages", then="generate_answer"):
        params = flow["params"]
        hits = _search(flow, params["match_docs"])
        near = [hit for hit in hits if hit.score >= params["min_q_score"]]
        return _found(flow, near[: params["max_doc_scores"]])


@app.task
def retrieve_support(flow: Flow) -> Flow:
    """Adds the chunks nearest to the reviewed answer, as the collection is now."""
    with running(flow, "retrieve_support", then="score_review"):
        return _found(flow, _search(flow, SUPPORT_PASSAGES))
