"""Service keys: secrets for programs, each good for one user in one tenant."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta

from sqlalchemy import ForeignKey, String, func, literal, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.sql.elements import ColumnElement

from models.base import Base, Dated, Numbered, Owned
from models.errors import RedtenError
from models.tenant import Caller, Role

PREFIX = "rdt_"
SECRET_BYTES = 32
SHOWN = len(PREFIX) + 4


class ServiceKey(Numbered, Owned, Dated, Base):
    """What is known of a key; the secret itself is not kept."""

    __tablename__ = "service_keys"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(128))
    secret_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    hint: Mapped[str] = mapped_column(String(16))
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


def add_key(
    session: Session, caller: Caller, name: str, expires_in_days: int | None
) -> tuple[ServiceKey, str]:
    """A new key and its secret, which nobody will be able to tell again."""
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    key = ServiceKey(
        tenant_id=caller.tenant_id,
        user_id=caller.user_id,
        name=name,
        secret_sha256=_hash(secret),
        hint=secret[:SHOWN],
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


def key_holder(session: Session, secret: str) -> tuple[int, int] | None:
    """User and tenant that a valid key is for. Crosses the wall, by `service_key_holder`."""
    table = func.service_key_holder(_hash(secret)).table_valued("user_id", "tenant_id")
    row = session.execute(select(table)).one_or_none()
    return (row.user_id, row.tenant_id) if row else None


def _within_reach(caller: Caller) -> ColumnElement[bool]:
    is_owner = literal(caller.role is Role.OWNER)
    return or_(ServiceKey.user_id == caller.user_id, is_owner)


def _hash(secret: str) -> str:
    # Nothing slower is needed: nobody guesses 32 random bytes.
    return hashlib.sha256(secret.encode()).hexdigest()
