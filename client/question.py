"""A question as the body of POST /job."""

from typing import Any, TypedDict

# The published client's own defaults, so that both clients get the same answer.
ASK_DEFAULTS = {"max_tokens": 512, "n_ctx": 2048, "n_batch": 10}
RAG_DEFAULTS = {"match_docs": 3, "max_doc_scores": 3, "min_q_score": 0.3, "min_a_score": 0.3}
ASK_WORKER = 1
READY = 1
ASK_JOB = 1


class Options(TypedDict, total=False):
    """How to answer; what is left out is as the published client asks for it.

    `collection` is a name or an id, none at all means no retrieval; without `model_name` the
    deployment's default answers. The best `max_doc_scores` of `match_docs` passages are used, all
    of them without it. Scores are cosine similarities, lengths are tokens.
    """

    collection: str | None
    model_name: str
    max_tokens: int
    n_ctx: int
    match_docs: int
    max_doc_scores: int
    min_q_score: float
    min_a_score: float
    session_id: str
    derived_session_id: str
    tags: str


def job_body(question: str, options: Options, user_id: int) -> dict[str, Any]:
    """What POST /job takes."""
    given: dict[str, Any] = dict(options)
    collection = given.pop("collection", None)
    rag = {name: given.pop(name) for name in RAG_DEFAULTS if name in given}
    if "match_docs" in rag:
        rag.setdefault("max_doc_scores", rag["match_docs"])
    asked = {"msg": question, "collection_id": collection, "rag": RAG_DEFAULTS | rag}
    return {
        "user_id": user_id,
        "worker_id": ASK_WORKER,
        "state": READY,
        "job_type": ASK_JOB,
        "ask": ASK_DEFAULTS | given | asked,
    }
