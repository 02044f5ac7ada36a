"""Links that prove that an email reaches its account."""

import secrets
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session

from models.base import Base, Dated, Numbered
from models.errors import RedtenError
from models.secret import Secret, digest, in_seconds
from models.user import ACTIVE, User
from settings import settings

TOKEN_BYTES = 16


class Verification(Numbered, Secret, Dated, Base):
    """What is known of a link; its token is not kept."""

    __tablename__ = "users_verified"

    verified_at: Mapped[datetime | None]


def add_verification(session: Session, user: User) -> str:
    """The 32 characters that a new link carries."""
    token = secrets.token_hex(TOKEN_BYTES)
    session.add(
        Verification(
            user_id=user.id,
            email=user.email,
            token_sha256=digest(token),
            expires_at=in_seconds(settings.email_verification_expiry_s),
        )
    )
    return token


def verify_email(session: Session, user_id: int, token: str) -> User:
    """The account, whose email is verified from now on.

    What is wrong with a link, only who has it hears: RedtenError `verification_not_found`,
    `inactive`, `already_verified` or `verification_expired`.
    """
    found = session.execute(
        select(Verification, User)
        .join(User, User.id == Verification.user_id)
        .where(User.id == user_id, User.email == Verification.email)
        .where(Verification.token_sha256 == digest(token))
        # The account's row is the turnstile: of two who come at once the second is too late.
        .with_for_update(of=User, key_share=True)
    ).one_or_none()
    if found is None:
        said = "User verify failed - User verification record does not exist"
        raise RedtenError("verification_not_found", said)
    link, user = found
    _check(link, user)
    link.verified_at, user.verified = datetime.now(UTC), 1
    session.flush()
    return user


def _check(link: Verification, user: User) -> None:
    if user.state != ACTIVE:
        said = f"User {user.id} is inactive - not able to verify {user.email}"
        raise RedtenError("inactive", said)
    if user.verified or link.verified_at is not None:
        raise RedtenError("already_verified", "User already verified")
    if link.expired:
        said = f"user {user.email} verification has expired"
        raise RedtenError("verification_expired", said)
