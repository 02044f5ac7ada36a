"""Service keys: secrets for programs, each good for one user in one tenant."""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy import ForeignKey, String, Text, and_, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.sql.elements import ColumnElement

from models.base import Base, Dated, Numbered, Owned
from models.errors import RedtenError
from models.secret import digest
from models.tenant import Caller, Role

PREFIX = "rdt_"
SECRET_BYTES = 32
SHOWN = len(PREFIX) + 4


class Scope(StrEnum):
    """What a key is good for; api/scopes.py says which of them a route needs.

    Ask, search and embed; look at what is there; bring and remove documents, files and sources;
    review answers; deliver answers as a remote agent; look at members and keys, see to failures.
    """

    ASK = "ask"
    READ = "read"
    INGEST = "ingest"
    REVIEW = "review"
    DELIVER = "deliver"
    MANAGE = "manage"


class ServiceKey(Numbered, Owned, Dated, Base):
    """What is known of a key; the secret itself is not kept."""

    __tablename__ = "service_keys"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(128))
    secret_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    hint: Mapped[str] = mapped_column(String(16))
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=f"{{{','.join(Scope)}}}")
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class Bearer:
    """What a valid key stands for; `noted` is whether its use was written down a moment ago."""

    id: int
    user_id: int
    tenant_id: int
    scopes: frozenset[str]
    noted: bool


def add_key(
    session: Session,
    caller: Caller,
    name: str,
    expires_in_days: int | None,
    scopes: Collection[Scope] = tuple(Scope),
) -> tuple[ServiceKey, str]:
    """A new key and its secret, which nobody will be able to tell again."""
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    key = ServiceKey(
        tenant_id=caller.tenant_id,
        user_id=caller.user_id,
        name=name,
        secret_sha256=digest(secret),
        hint=secret[:SHOWN],
        scopes=[scope for scope in Scope if scope in scopes],
        expires_at=expires_in_days and datetime.now(UTC) + timedelta(expires_in_days),
    )
    session.add(key)
    session.flush()
    return key, secret


def keys_of(session: Session, caller: Caller) -> list[ServiceKey]:
    """The caller's keys in the tenant, for an owner everybody's; revoked ones too."""
    return list(
        session.scalars(select(ServiceKey).where(_within_reach(caller)).order_by(ServiceKey.id))
    )


def revoke_key(session: Session, caller: Caller, id: int) -> ServiceKey:
    """Ends a key; again is no error. Raises RedtenError `key_not_found`."""
    found = session.scalar(select(ServiceKey).where(ServiceKey.id == id, _within_reach(caller)))
    if found is None:
        raise RedtenError("key_not_found", f"there is no key {id}")
    found.revoked_at = found.revoked_at or datetime.now(UTC)
    return found


def key_bearer(session: Session, secret: str) -> Bearer | None:
    """What a valid key stands for. Crosses the wall, by `service_key_bearer`."""
    columns = ("id", "user_id", "tenant_id", "scopes", "noted")
    table = func.service_key_bearer(digest(secret)).table_valued(*columns)
    row = session.execute(select(table)).one_or_none()
    if row is None:
        return None
    return Bearer(row.id, row.user_id, row.tenant_id, frozenset(row.scopes), row.noted)


def note_use(session: Session, id: int) -> None:
    """Writes down that the key was used now, for who wonders whether anything needs it still."""
    # Using it does not change it.
    used = {"last_used_at": func.now(), "updated_at": ServiceKey.updated_at}
    session.execute(update(ServiceKey).where(ServiceKey.id == id).values(used))


def _within_reach(caller: Caller) -> ColumnElement[bool]:
    """Row-level security says the same of the tenant once more."""
    mine = or_(ServiceKey.user_id == caller.user_id, literal(caller.role is Role.OWNER))
    return and_(ServiceKey.tenant_id == caller.tenant_id, mine)
