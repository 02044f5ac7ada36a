"""One-time passwords: each is good for setting one new password, once."""

import secrets
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Mapped, Session

from models.base import Base, Dated, Numbered
from models.errors import RedtenError
from models.secret import Secret, digest, in_seconds
from models.user import ACTIVE, User
from settings import settings

TOKEN_BYTES = 32


class OneTimePassword(Numbered, Secret, Dated, Base):
    """What is known of a one-time password; it is not kept itself."""

    __tablename__ = "users_otp"

    consumed_at: Mapped[datetime | None]


def add_one_time_password(session: Session, user: User) -> tuple[OneTimePassword, str]:
    """A new one, and the 64 characters that nobody will be able to tell again."""
    token = secrets.token_hex(TOKEN_BYTES)
    made = OneTimePassword(
        user_id=user.id,
        email=user.email,
        token_sha256=digest(token),
        expires_at=in_seconds(settings.otp_expiry_s),
    )
    session.add(made)
    session.flush()
    return made, token


def find_one_time_password(
    session: Session, email: str, token: str, user_id: int | None = None
) -> OneTimePassword:
    """The one that is still good for the active account with that email, and that id if given.

    What is wrong with it, only who has it hears: RedtenError `otp_not_found`, `otp_used` or
    `otp_expired`.
    """
    found = session.scalar(
        select(OneTimePassword)
        .join(User, User.id == OneTimePassword.user_id)
        .where(OneTimePassword.token_sha256 == digest(token), User.state == ACTIVE)
        .where(func.lower(User.email) == func.lower(email), User.email == OneTimePassword.email)
    )
    if found is None or user_id not in (None, found.user_id):
        raise RedtenError("otp_not_found", "User one-time-password record does not exist")
    if found.consumed_at is not None:
        raise already_used()
    if found.expired:
        raise RedtenError("otp_expired", "User one-time-password has expired")
    return found


def consume(session: Session, id: int) -> None:
    """Uses it up. Raises RedtenError `otp_used` if somebody was quicker."""
    unused = update(OneTimePassword).where(
        OneTimePassword.id == id, OneTimePassword.consumed_at.is_(None)
    )
    used = unused.values(consumed_at=func.now()).returning(OneTimePassword.id)
    if session.scalar(used) is None:
        raise already_used()


def already_used() -> RedtenError:
    """The refusal, in the words that the contract gives it."""
    return RedtenError("otp_used", "User consume one-time-password failed - no records found in db")
