"""Which names there are for the field `model`."""

from typing import Any

from apiflask import APIBlueprint

from api.auth import caller, signed_in
from api.openai.replies import ServedListOut, ServedOut
from models.errors import RedtenError
from models.model import served_models
from models.session import session_scope
from settings import settings

blueprint = APIBlueprint("served_models", __name__, tag="OpenAI")


@blueprint.get("/v1/models")
@blueprint.output(ServedListOut)
@signed_in(blueprint)
def list_served() -> dict[str, Any]:
    """List the models that answer, and the one that embeds."""
    return {"data": _served()}


@blueprint.get("/v1/models/<path:name>")
@blueprint.output(ServedOut)
@signed_in(blueprint)
def get_served(name: str) -> dict[str, Any]:
    """Look at one of them. Questions may name others too: the default answers those."""
    for one in _served():
        if one["id"] == name:
            return one
    raise RedtenError("unknown_model", f"there is no model {name}")


def _served() -> list[dict[str, Any]]:
    with session_scope(caller().tenant_id) as session:
        offered = served_models(session)
    answering = [{"id": one.name, "created": int(one.created_at.timestamp())} for one in offered]
    return [*answering, {"id": settings.embed_model, "created": 0}]
