"""Password hashes: argon2id by OWASP's minimum; older argon2i hashes still open the door once."""

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

# 19 MiB, two passes, one lane (OWASP Password Storage Cheat Sheet).
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Each hash takes memory and a core: more at once would be a way to bring the service down.
TURNS = threading.BoundedSemaphore(2)
# Checked for unknown users, so that the time of a refusal does not tell who exists.
NOBODY = HASHER.hash("nobody")


def hash_password(password: str) -> str:
    """An encoded argon2id hash with a salt of its own."""
    with TURNS:
        return HASHER.hash(password)


def verify(encoded: str | None, password: str) -> bool:
    """Whether the password is right; None takes as long as a wrong one."""
    try:
        with TURNS:
            HASHER.verify(encoded or NOBODY, password)
    except (VerifyMismatchError, InvalidHashError):
        return False
    return encoded is not None


def is_outdated(encoded: str) -> bool:
    """Whether the hash should be made anew now that the password is at hand."""
    return HASHER.check_needs_rehash(encoded)
