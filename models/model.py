"""The registry of models and their adapters: which weights answer to which name.

It is the deployment's: every tenant reads it, the operator's commands write it as the owner of
the tables.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, or_, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship, selectinload

from models.base import Base, Dated, Numbered
from models.errors import RedtenError
from settings import settings


class Model(Numbered, Dated, Base):
    """A GGUF in the weights folder."""

    __tablename__ = "models"
    __table_args__ = (
        Index("uq_models_default", "is_default", unique=True, postgresql_where=text("is_default")),
    )

    name: Mapped[str] = mapped_column(String(128), unique=True)
    file: Mapped[str] = mapped_column(String(255), unique=True)
    sha256: Mapped[str] = mapped_column(String(64))
    architecture: Mapped[str] = mapped_column(String(64))
    quantization: Mapped[str] = mapped_column(String(32))
    n_ctx_train: Mapped[int]
    parameters: Mapped[int] = mapped_column(BigInteger)
    size_in_bytes: Mapped[int] = mapped_column(BigInteger)
    has_chat_template: Mapped[bool]
    licence: Mapped[str | None] = mapped_column(String(128))
    is_default: Mapped[bool] = mapped_column(server_default="false")

    aliases: Mapped[list["ModelAlias"]] = relationship(
        order_by="ModelAlias.alias", cascade="all, delete-orphan", passive_deletes=True
    )
    adapters: Mapped[list["Adapter"]] = relationship(order_by="Adapter.name", passive_deletes="all")


class ModelAlias(Base):
    """Another name of a model."""

    __tablename__ = "model_aliases"

    alias: Mapped[str] = mapped_column(String(128), primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"))


class Adapter(Numbered, Dated, Base):
    """A LoRA in the weights folder, for one model."""

    __tablename__ = "adapters"

    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"))
    name: Mapped[str] = mapped_column(String(128), unique=True)
    file: Mapped[str] = mapped_column(String(255), unique=True)
    sha256: Mapped[str] = mapped_column(String(64))
    size_in_bytes: Mapped[int] = mapped_column(BigInteger)


@dataclass(frozen=True, slots=True)
class Served:
    """What answers: `file` lies in the weights folder; `sha256` is known of registered ones."""

    name: str
    file: str
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Offered:
    """A name that clients may ask for, and since when; the epoch for one that nobody registered."""

    name: str
    created_at: datetime


def find_model(session: Session, name: str | None) -> Served:
    """The model that a job names: registered, else a file that is there, else the default.

    Published clients always name a model that is rarely the one deployed, so an unknown name is
    no error. Whether the file is on the machine that answers shows when it is loaded.
    """
    if name and (found := registered(session, name)):
        return _served(found)
    if name and (file := _installed(name)):
        return Served(file, file, None)
    return default_model(session)


def default_model(session: Session) -> Served:
    """What answers where nothing else is named: the registry's default, else REDTEN_MODEL."""
    found = session.scalar(select(Model).where(Model.is_default))
    found = found or session.scalar(select(Model).where(Model.file == settings.model))
    return _served(found) if found else Served(settings.model, settings.model, None)


def _served(model: Model) -> Served:
    return Served(model.name, model.file, model.sha256)


def _installed(name: str) -> str | None:
    """The file of that name, or of what REDTEN_MODEL_ALIASES calls so."""
    # Compared with what is there: a name from a client must lead nowhere else.
    there = {path.name for path in settings.weights_dir.glob("*.gguf")}
    return next((one for one in (name, settings.model_aliases.get(name)) if one in there), None)


def registered(session: Session, name: str) -> Model | None:
    """The model of that name, file or alias."""
    aliased = select(ModelAlias.model_id).where(ModelAlias.alias == name)
    # No text in Postgres can hold it.
    if "\0" in name:
        return None
    return session.scalar(
        select(Model).where(or_(Model.name == name, Model.file == name, Model.id.in_(aliased)))
    )


def find_adapter(session: Session, name: str, model: Served) -> str:
    """The file of an adapter, in the weights folder.

    Raises RedtenError `unknown_adapter` if the model has none of that name: unlike a model, an
    adapter that is named must exist.
    """
    found = session.scalar(
        select(Adapter.file)
        .join(Model, Model.id == Adapter.model_id)
        .where(Adapter.name == name.replace("\0", "\ufffd"), Model.file == model.file)
    )
    if found is None:
        raise RedtenError(
            "unknown_adapter",
            f"the model {model.name} has no adapter {name!r}: GET /models lists what there is",
        )
    return found


def models(session: Session) -> list[Model]:
    """All registered models with aliases and adapters, by name."""
    everything = (selectinload(Model.aliases), selectinload(Model.adapters))
    return list(session.scalars(select(Model).options(*everything).order_by(Model.name)))


def served_models(session: Session) -> list[Offered]:
    """The names that clients may choose from: registered ones, and the default in any case."""
    offered = [Offered(one.name, one.created_at) for one in models(session)]
    default = default_model(session).name
    if default in (one.name for one in offered):
        return offered
    return [Offered(default, datetime.fromtimestamp(0, UTC)), *offered]
