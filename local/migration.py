"""The database brought up to date, and what keeps it from that said in one line."""

from alembic.util import CommandError
from sqlalchemy.exc import ArgumentError, DBAPIError

from local.errors import LocalError
from models.errors import RedtenError
from models.migrate import upgrade
from models.seed import seed


def migrate(url: str, admin: dict[str, str] | None) -> None:
    """Migrates, and makes the administrator of AI_EMAIL and AI_PASSWORD if missing."""
    try:
        upgrade(url)
        if admin is not None:
            seed(admin["AI_EMAIL"], admin["AI_PASSWORD"])
    except ArgumentError as exc:
        raise LocalError(f"no database has this URL: {exc}") from exc
    except DBAPIError as exc:
        raise LocalError(f"cannot migrate: {' '.join(str(exc.orig).split())}") from exc
    except (CommandError, RedtenError) as exc:
        raise LocalError(f"cannot migrate: {exc}") from exc
