"""Retrieval by Dify's contract for external knowledge: POST /retrieval.

https://docs.dify.ai/en/use-dify/knowledge/external-knowledge-api
"""

from typing import Annotated, Any

from apiflask import APIBlueprint
from pydantic import Field

from api.auth import signed_in
from api.dify_conditions import ConditionsIn, filters_of
from api.retrieval import found_passages
from api.retrieval_replies import RecordsOut
from api.retrieval_schemas import Question, RetrieveIn
from api.schemas import In, Ref

blueprint = APIBlueprint("dify", __name__, tag="Retrieval")

MOST = 100
DESCRIBED = ("document_id", "collection", "source", "page", "heading", "locator")


class SettingIn(In):
    """How many, and how near to the question at least: a cosine."""

    top_k: Annotated[int, Field(ge=1)] = 5
    score_threshold: Annotated[float, Field(ge=0, le=1)] | None = None


class RetrievalIn(In):
    """A query to the collection that `knowledge_id` names, by name or id."""

    knowledge_id: Annotated[Ref, Field(union_mode="left_to_right")]
    query: Question
    retrieval_setting: SettingIn = SettingIn()
    metadata_condition: ConditionsIn | None = None


# Dify tries an endpoint with a bare key: that is checked before the body.
@blueprint.post("/retrieval")
@signed_in(blueprint)
@blueprint.input(RetrievalIn)
@blueprint.output(RecordsOut)
def retrieve_records(json_data: RetrievalIn) -> dict[str, Any]:
    """Find passages as Dify asks for them; errors are {"error_code", "error_msg"}."""
    setting = json_data.retrieval_setting
    wanted = RetrieveIn(
        question=json_data.query,
        collection=json_data.knowledge_id,
        k=min(setting.top_k, MOST),
        filters=filters_of(json_data.metadata_condition),
    )
    records = [_record(one) for one in found_passages(wanted)]
    return {"records": [one for one in records if one["score"] >= (setting.score_threshold or 0)]}


def _record(passage: dict[str, Any]) -> dict[str, Any]:
    return {
        "content": passage["text"],
        "score": min(1.0, max(0.0, passage["scores"]["cosine"])),
        "title": passage["title"] or passage["source"],
        "metadata": {name: passage[name] for name in DESCRIBED},
    }
