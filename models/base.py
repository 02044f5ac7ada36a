"""What all records share."""

from datetime import datetime
from importlib import import_module
from pkgutil import iter_modules

from sqlalchemy import DateTime, ForeignKey, Identity, MetaData, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column

import models

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Every table."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        datetime: DateTime(timezone=True),
        dict[str, object]: JSONB,
    }


class Numbered:
    """A 32-bit id that the database gives, as published clients expect."""

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True, sort_order=-1)


class Dated:
    """When the row was made and last changed."""

    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=90)
    updated_at: Mapped[datetime | None] = mapped_column(onupdate=func.now(), sort_order=91)


class Owned:
    """A row that belongs to a tenant; row-level security reads this column."""

    @declared_attr
    @classmethod
    def tenant_id(cls) -> Mapped[int]:
        return mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"))


def all_tables() -> MetaData:
    """Every table of every module of ours; a record added later is in it."""
    for module in iter_modules(models.__path__):
        if not module.ispkg:
            import_module(f"models.{module.name}")
    return Base.metadata
