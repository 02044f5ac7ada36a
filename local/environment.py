"""What the programs under `redten up` are told, all of it through their environment."""

from pathlib import Path

from local.credentials import administrator
from local.layout import Layout
from local.postgres import Postgres
from local.processes import MARK
from local.valkey import Valkey
from settings import inherited_environment, settings


def anywhere() -> dict[str, str]:
    """This process's environment, so that a program of ours may run in any folder."""
    # Waiting threads of llama.cpp that spin take the cores from the other programs.
    told = {"GOMP_SPINCOUNT": "300"} | inherited_environment()
    # Modules of ours, whatever lies in the folder.
    told |= {"PYTHONSAFEPATH": "1", "REDTEN_WEIGHTS_DIR": str(settings.weights_dir.resolve())}
    if settings.blobs is not None and "://" not in settings.blobs:
        told["REDTEN_BLOBS"] = str(Path(settings.blobs).resolve())
    return told


def environment(
    layout: Layout, port: int, postgres: Postgres | None, valkey: Valkey | None
) -> dict[str, str]:
    """This process's environment and where everything is. The owner of the tables stays out."""
    told = anywhere()
    told.pop("DATABASE_ADMIN_URL", None)
    admin = administrator(layout)
    told |= {
        MARK: layout.fingerprint,
        # Where setproctitle is installed, Celery's titles must not be written over the mark.
        "SPT_NOENV": "1",
        "REDTEN_DATA_DIR": str(layout.root),
        "REDTEN_PORT": str(port),
        "REDTEN_BLOBS": told.get("REDTEN_BLOBS") or str(layout.blobs),
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


def _chosen(field: str, ours: Path) -> str:
    """The user's own key if one was named, else the one made here."""
    named = field in settings.model_fields_set
    return str(Path(getattr(settings, field)).resolve() if named else ours)
