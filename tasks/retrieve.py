"""The passages nearest to a question, or to an expert's answer."""

import numpy as np
from sqlalchemy.orm import Session

from models.document import Neighbour, nearest
from tasks import events
from tasks.app import app
from tasks.flow import Flow, Passage, pack, unpack
from tasks.lease import advancing

SUPPORT_PASSAGES = 5


def _search(session: Session, flow: Flow, count: int) -> list[Neighbour]:
    if flow["collection_id"] is None:
        return []
    [vector] = unpack(flow["vector"], 1)
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
    with advancing(flow, "retrieve_passages", then="generate_answer") as (session, _):
        params = flow["params"]
        hits = _search(session, flow, params["match_docs"])
        near = [hit for hit in hits if hit.score >= params["min_q_score"]]
        found = _found(flow, near[: params["max_doc_scores"]])
    events.emit(flow["id"], "passages", {"passages": found["passages"]})
    return found


@app.task
def retrieve_support(flow: Flow) -> Flow:
    """Adds the chunks nearest to the reviewed answer, as the collection is now."""
    with advancing(flow, "retrieve_support", then="score_review") as (session, _):
        return _found(flow, _search(session, flow, SUPPORT_PASSAGES))
