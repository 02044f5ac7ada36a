"""Passages for a question, without an answer: retrieval as a service."""

import time
from typing import Any

from apiflask import APIBlueprint

from api.auth import caller, signed_in
from api.retrieval_replies import PassagesOut
from api.retrieval_schemas import RetrieveIn
from api.worker_reply import worker_reply
from models.collection import common_model, find_collection
from models.errors import RedtenError
from models.session import session_scope
from settings import settings

blueprint = APIBlueprint("retrieval", __name__, tag="Retrieval")


@blueprint.post("/retrieve")
@blueprint.input(RetrieveIn)
@blueprint.output(PassagesOut)
@signed_in(blueprint)
def retrieve(json_data: RetrieveIn) -> dict[str, Any]:
    """Find the passages that bear on a question, in one collection or several."""
    began = time.perf_counter()
    passages = found_passages(json_data)
    return {"passages": passages, "seconds": round(time.perf_counter() - began, 4)}


def found_passages(wanted: RetrieveIn) -> list[dict[str, Any]]:
    """What a worker finds for the caller, best first. Raises RedtenError.

    `collection_not_found`, `mixed_models`, `no_reranker`, or what `worker_reply` raises.
    """
    if wanted.rerank and not settings.reranker:
        raise RedtenError("no_reranker", "there is no reranker here: leave out rerank")
    with session_scope(caller().tenant_id) as session:
        found = [find_collection(session, caller(), ref) for ref in wanted.refs]
    names = {one.id: one.name for one in found}
    asked = {
        "question": wanted.question,
        "collections": list(names),
        "embed_model_name": common_model(found),
        "count": wanted.k,
        "mode": wanted.mode,
        "filters": wanted.filters.told(),
        "around": wanted.neighbours,
        "rerank": wanted.rerank,
    }
    reply = worker_reply(
        "serve.serve_passages",
        settings.retrieve_wait_s,
        tenant_id=caller().tenant_id,
        asked=asked,
    )
    return [one | {"collection": names[one["collection_id"]]} for one in reply["passages"]]
