"""All checks, in order; one that cannot be done is a failure of its own."""

from collections.abc import Iterator

from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from local.doctor import broker, database, door, files
from local.doctor.finding import Check, Finding, bad
from local.errors import LocalError
from settings import settings

CHECKS: dict[str, Check] = {
    "private files": files.private_files,
    "token keys": files.token_keys,
    "room on disk": files.room_on_disk,
    "file store": files.file_store,
    "weights": files.weights,
    "certificate": door.certificate,
    "sign-up": door.sign_up,
    "mail": door.mail,
    "database": database.database,
    "tables": database.tables,
    "broker memory": broker.memory,
    "broker encryption": broker.encryption,
    "workers": broker.workers,
    "beat": broker.beat,
    "clocks": broker.clock,
    "readiness": door.readiness,
    "headers": door.headers,
}


def findings() -> Iterator[Finding]:
    """What is found on the deployment that the environment names."""
    for name in ("DATABASE_URL", "REDIS_URL"):
        if getattr(settings, name.lower()) is None:
            yield bad("services", f"{name} is not set", "the same as the API has")
    for name, check in CHECKS.items():
        yield from _safely(name, check)


def _safely(name: str, check: Check) -> Iterator[Finding]:
    try:
        yield from check()
    except (SQLAlchemyError, RedisError, OSError, LocalError, ValueError) as error:
        said = " ".join(str(getattr(error, "orig", None) or error).split())
        yield bad(name, f"cannot be looked at: {said}", "is it running, and may redten get in?")
