"""What the operator's commands write into the registry, as the owner of its tables."""

import re
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models.errors import RedtenError
from models.model import Adapter, Model, ModelAlias, default_model, registered

# An @ parts it from a collection.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+/:-]{0,127}")


@dataclass(frozen=True, slots=True)
class Weights:
    """A file in the weights folder, under the name it is to be asked for by."""

    name: str
    file: str
    sha256: str
    size_in_bytes: int


@dataclass(frozen=True, slots=True)
class Traits:
    """What a model's file says of it."""

    architecture: str
    quantization: str
    n_ctx_train: int
    parameters: int
    has_chat_template: bool
    licence: str | None


def require_free(session: Session, name: str) -> None:
    """Raises RedtenError `bad_name`, or `name_taken` by a model, an alias or an adapter."""
    if not NAME.fullmatch(name):
        raise RedtenError("bad_name", f"{name!r} is no name: letters, digits and . _ + - / : only")
    holder = registered(session, name)
    if holder is not None:
        what = f"the model {holder.name}"
    elif find_adapter_row(session, name) is not None:
        what = "an adapter"
    else:
        return
    raise RedtenError("name_taken", f"{name!r} is taken by {what}: choose another one")


def add_model(session: Session, weights: Weights, traits: Traits) -> Model:
    """A new model. Raises RedtenError `name_taken`."""
    require_free(session, weights.name)
    row = insert(Model).values(**_columns(weights), **_columns(traits))
    made: Model | None = session.scalar(row.on_conflict_do_nothing().returning(Model))
    if made is None:
        raise RedtenError("name_taken", f"{weights.file} is registered already")
    return made


def add_adapter(session: Session, weights: Weights, base: Model) -> Adapter:
    """A new adapter of the model. Raises RedtenError `name_taken`."""
    require_free(session, weights.name)
    row = insert(Adapter).values(**_columns(weights), model_id=base.id)
    made: Adapter | None = session.scalar(row.on_conflict_do_nothing().returning(Adapter))
    if made is None:
        raise RedtenError("name_taken", f"{weights.file} is registered already")
    return made


def _columns(values: Weights | Traits) -> dict[str, object]:
    return {name: getattr(values, name) for name in values.__dataclass_fields__}


def require_model(session: Session, name: str) -> Model:
    """The registered model of that name or alias. Raises RedtenError `model_not_found`."""
    found = registered(session, name)
    if found is None:
        raise RedtenError(
            "model_not_found", f"no model {name!r} is registered: `redten models list`"
        )
    return found


def find_adapter_row(session: Session, name: str) -> Adapter | None:
    """The adapter of that name, whichever model it is for."""
    return session.scalar(select(Adapter).where(Adapter.name == name))


def remove(session: Session, name: str) -> str:
    """Takes a model or an adapter out; gives its file, which lies in the weights folder still.

    Raises RedtenError `is_default`, `has_adapters` or `model_not_found`.
    """
    adapter = find_adapter_row(session, name)
    found = adapter or require_model(session, name)
    if isinstance(found, Model):
        _require_removable(session, found)
    session.delete(found)
    session.flush()
    return found.file


def _require_removable(session: Session, model: Model) -> None:
    if default_model(session).file == model.file:
        raise RedtenError(
            "is_default",
            f"{model.name} is the default: `redten models default` another one first",
        )
    if model.adapters:
        names = ", ".join(adapter.name for adapter in model.adapters)
        raise RedtenError("has_adapters", f"{model.name} has adapters, remove them first: {names}")


def set_default(session: Session, name: str) -> Model:
    """What answers from now on where no model that is here is named."""
    model = require_model(session, name)
    # One after the other: the unique index allows one default at every moment.
    session.execute(update(Model).where(Model.is_default).values(is_default=False))
    session.execute(update(Model).where(Model.id == model.id).values(is_default=True))
    return model


def set_alias(session: Session, alias: str, name: str) -> Model:
    """Another name for a model; an alias that is there already moves to it."""
    model = require_model(session, name)
    holder = registered(session, alias)
    if holder is None or alias in (holder.name, holder.file):
        require_free(session, alias)
    row = insert(ModelAlias).values(alias=alias, model_id=model.id)
    session.execute(
        row.on_conflict_do_update(index_elements=["alias"], set_={"model_id": model.id})
    )
    return model
