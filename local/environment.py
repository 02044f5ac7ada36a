"""What the programs under `redten up` are told, all of it through their environment."""

from pathlib import Path

from local.credentials import administrator
from local.layout import Layout
from local.postgres import Postgres
from local.processes import MARK
from local.valkey import Valkey
from settings import inherited_environment, settings


def environment(
    layout: Layout, port: int, postgres: Postgres | None, valkey: Valkey | None
) -> dict[str, str]:
    """This process's environment and where everything is. The owner of the tables stays out."""
    told = inherited_environment()
    told.pop("DATABASE_ADMIN_URL", None)
    admin = administrator(layout)
    told |= {
        MARK: layout.fingerprint,
        # Where setproctitle is installed, Celery's titles must not be written over the mark.
        "SPT_NOENV": "1",
        "REDTEN_DATA_DIR": str(layout.root),
        "REDTEN_PORT": str(port),
        # The programs run in another folder than this process.
        "REDTEN_WEIGHTS_DIR": str(settings.weights_dir.resolve()),
        "REDTEN_BLOBS": _blobs(layout),
        "API_TLS_CERT": str(layout.cert),
        "API_TLS_KEY": str(layout.key),
        "TOKEN_ALGO_PRIVATE_KEY": _chosen("token_private_key", layout.private_key),
        "TOKEN_ALGO_PUBLIC_KEY": _chosen("token_public_key", layout.public_key),
        "FLOWER_BASIC_AUTH": f"{admin['FLOWER_USER']}:{admin['FLOWER_PASSWORD']}",
    }
    if postgres is not None:
        told["DATABASE_URL"] = postgres.url
    if valkey is not None:
        told["REDIS_URL"] = valkey.url
    return told


def for_migration(told: dict[str, str], postgres: Postgres | None) -> dict[str, str]:
    """The same for the one process that may change tables."""
    if postgres is not None:
        return told | {"DATABASE_ADMIN_URL": postgres.admin_url}
    if settings.database_admin_url is not None:
        return told | {"DATABASE_ADMIN_URL": settings.database_admin_url.get_secret_value()}
    return told


def _blobs(layout: Layout) -> str:
    if settings.blobs is None:
        return str(layout.blobs)
    return settings.blobs if "://" in settings.blobs else str(Path(settings.blobs).resolve())


def _chosen(field: str, ours: Path) -> str:
    """The user's own key if one was named, else the one made here."""
    named = field in settings.model_fields_set
    return str(Path(getattr(settings, field)).resolve() if named else ours)
