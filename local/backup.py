"""A backup of one consistent point: a database snapshot, and the files that its rows refer to."""

import importlib.metadata
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from tqdm import tqdm

from local import pg_programs
from local.archive import FORMAT, MANIFEST, Writer, hash_of, writing
from local.deployment import connected, owner_url
from local.file_store import FileStore
from local.layout import Layout
from local.terminal import tell
from models.collection import Collection
from models.loose_blob import REMOVAL_LOCK
from models.model import Adapter, Model
from models.referred import referred_places
from models.restored import major_version, row_counts, schema_revision
from settings import settings

DUMP, BLOBS, SECRETS = "database.dump", "blobs.jsonl", "data/"


@dataclass
class Backup:
    """One under way: what it has taken in so far."""

    writer: Writer
    staged: Path
    store: FileStore
    files: dict[str, str] = field(default_factory=dict)
    blobs: set[str] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)

    def keep(self, name: str, path: Path) -> None:
        """Takes in a file that was made for it, and notes its hash."""
        self.files[name] = hash_of(path)
        self.writer.add(name, path)


def blob_name(sha256: str) -> str:
    """Where content lies in a backup: the same only once."""
    return f"blobs/{sha256[:2]}/{sha256}"


def back_up(data_dir: Path, target: Path) -> dict[str, Any]:
    """Backs up the deployment of `data_dir`, or of DATABASE_URL; gives the manifest.

    The deployment goes on meanwhile; only files that it wants to remove stay until the end.
    """
    layout, url = Layout(data_dir), owner_url(data_dir)
    with (
        writing(target) as (writer, staged),
        _removals_held_off(url),
        connected(url, "REPEATABLE READ") as session,
    ):
        backup = Backup(writer, staged, FileStore.of(layout))
        server = major_version(session)
        told = {
            "format": FORMAT,
            "redten": importlib.metadata.version("redten"),
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "postgres": server,
            "schema": schema_revision(session),
            "store": backup.store.location,
            "rows": row_counts(session),
            "weights": _weights(session),
            "encoders": list(session.scalars(select(Collection.embed_model_name).distinct())),
        }
        _dump(session, url, server, backup)
        copy_blobs(session, backup)
        _copy_secrets(layout, backup)
        told |= {"files": backup.files, "blobs": len(backup.blobs), "missing": backup.missing}
        _write_manifest(told, backup)
    return told


@contextmanager
def _removals_held_off(url: str) -> Iterator[None]:
    """From before the snapshot on: each file that its rows refer to is there until the end."""
    with connected(url, "AUTOCOMMIT") as session:
        session.execute(select(func.pg_advisory_lock(REMOVAL_LOCK)))
        yield


def _weights(session: Session) -> dict[str, str]:
    """The hashes of what answers here; the files themselves are not in a backup."""
    rows = select(Model.file, Model.sha256).union(select(Adapter.file, Adapter.sha256))
    hashes = {row.file: row.sha256 for row in session.execute(rows)}
    default = settings.weights_dir / settings.model
    if default.name not in hashes and default.exists():
        hashes[default.name] = hash_of(default)
    return hashes


def _dump(session: Session, url: str, server: int, backup: Backup) -> None:
    tell("dumping the database ...")
    snapshot, path = session.scalar(select(func.pg_export_snapshot())), backup.staged / DUMP
    program = pg_programs.program("pg_dump", server)
    options = ("--format=custom", "--no-owner", "--no-comments", f"--snapshot={snapshot}")
    pg_programs.run(program, url, *options, f"--file={path}")
    backup.keep(DUMP, path)


def copy_blobs(session: Session, backup: Backup) -> None:
    """Every file, under the hash of its content; `blobs.jsonl` says what lay where."""
    places, listing = list(referred_places(session)), backup.staged / BLOBS
    with listing.open("w", encoding="utf-8") as file:
        for place in tqdm(places, "files", unit="", disable=None):
            for one in backup.store.below(place):
                if sha256 := _copy(one, backup):
                    file.write(json.dumps({"place": one, "sha256": sha256}) + "\n")
    backup.keep(BLOBS, listing)


def _copy(place: str, backup: Backup) -> str | None:
    path = backup.staged / "blob"
    try:
        backup.store.get(place, path)
    except KeyError:
        # Lost before: its owner is told so when it is asked for.
        backup.missing.append(place)
        return None
    sha256 = hash_of(path)
    if sha256 not in backup.blobs:
        backup.blobs.add(sha256)
        backup.writer.add(blob_name(sha256), path)
    return sha256


def _copy_secrets(layout: Layout, backup: Backup) -> None:
    """Certificates, the keys that sign tokens, and the administrator's password."""
    kept = [layout.admin_env, *layout.tls.rglob("*"), *layout.jwt.rglob("*")]
    for path in (one for one in kept if one.is_file()):
        copy = backup.staged / "secret"
        shutil.copyfile(path, copy)
        backup.keep(f"{SECRETS}{path.relative_to(layout.root)}", copy)
    for name in ("token_private_key", "token_public_key", "tls_cert", "tls_key"):
        if name in settings.model_fields_set:
            tell(f"{getattr(settings, name)} is not in the backup: keep it yourself")


def _write_manifest(told: dict[str, Any], backup: Backup) -> None:
    path = backup.staged / MANIFEST
    path.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    backup.writer.add(MANIFEST, path)
