"""Tokens: ES256, thirty days, revocable by their `jti` (RFC 7519)."""

import time
import uuid
from datetime import UTC, datetime
from functools import lru_cache

import jwt
from sqlalchemy.orm import Session

from models.errors import RedtenError
from models.user import User, keep_token, token_holder
from settings import settings

ALGORITHM = "ES256"


@lru_cache(maxsize=1)
def _private_key() -> str:
    return settings.token_private_key.read_text()


@lru_cache(maxsize=1)
def _public_key() -> str:
    return settings.token_public_key.read_text()


def issue(session: Session, user: User) -> str:
    """A token for the user, remembered so that it can be revoked."""
    now, jti = int(time.time()), uuid.uuid4().hex
    expires = now + settings.token_expiry_s
    claims = {"sub": user.email, "org": settings.token_org, "iat": now, "exp": expires, "jti": jti}
    keep_token(session, user.id, jti, datetime.fromtimestamp(expires, UTC))
    return jwt.encode(claims, _private_key(), algorithm=ALGORITHM)


def holder(session: Session, token: str) -> tuple[User, str]:
    """To whom the token was issued, and its `jti`.

    Raises RedtenError `invalid_token`, whatever is wrong.
    """
    try:
        claims = jwt.decode(
            token,
            _public_key(),
            algorithms=[ALGORITHM],
            options={"require": ["exp", "sub", "jti"]},
        )
    except jwt.InvalidTokenError as error:
        raise invalid_token() from error
    jti = str(claims["jti"])
    user = token_holder(session, jti)
    if user is None or user.email != claims["sub"]:
        raise invalid_token()
    return user, jti


def invalid_token() -> RedtenError:
    """The refusal, in the words that the contract gives it."""
    return RedtenError("invalid_token", "Request failed due to invalid token: log in again")
