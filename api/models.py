"""Models: what may be asked by name."""

from typing import Any

from apiflask import APIBlueprint

from api.auth import caller, signed_in
from api.replies import ModelOut, ModelsOut
from models.model import Model, Served, default_model, models
from models.session import session_scope
from settings import settings

blueprint = APIBlueprint("models", __name__, tag="Models")


@blueprint.get("/models")
@blueprint.output(ModelsOut)
@signed_in(blueprint)
def list_models() -> dict[str, Any]:
    """List the models that can be named in a question; the default one answers for all others."""
    with session_scope(caller().tenant_id) as session:
        found, default = models(session), default_model(session)
    shown = [_shown(model, default) for model in found]
    return {
        "models": shown if any(one.default for one in shown) else [_unregistered(default), *shown]
    }


def _shown(model: Model, default: Served) -> ModelOut:
    return ModelOut(
        name=model.name,
        aliases=[one.alias for one in model.aliases],
        quantization=model.quantization,
        n_ctx_train=model.n_ctx_train,
        parameters=model.parameters,
        size_in_bytes=model.size_in_bytes,
        licence=model.licence,
        default=model.file == default.file,
        adapters=[one.name for one in model.adapters],
    )


def _unregistered(default: Served) -> ModelOut:
    """REDTEN_MODEL, of which no more is known than its name."""
    named = [alias for alias, file in settings.model_aliases.items() if file == default.file]
    return ModelOut(name=default.name, aliases=named, default=True)
