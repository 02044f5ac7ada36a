"""Secrets that are handed out once and come back once: what is kept of them, and for how long."""

import hashlib
from datetime import UTC, datetime, timedelta

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, declared_attr, mapped_column


def digest(secret: str) -> str:
    """What is kept of a secret. Nothing slower is needed: nobody guesses 16 random bytes."""
    return hashlib.sha256(secret.encode()).hexdigest()


def in_seconds(seconds: float) -> datetime:
    """The moment so many seconds from now."""
    return datetime.now(UTC) + timedelta(seconds=seconds)


class Secret:
    """A secret by its hash, for the user who had that email then."""

    email: Mapped[str] = mapped_column(String(320))
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime]

    @declared_attr
    @classmethod
    def user_id(cls) -> Mapped[int]:
        return mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)

    @property
    def expired(self) -> bool:
        """Whether it came too late."""
        return self.expires_at <= datetime.now(UTC)
