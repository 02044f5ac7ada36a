"""All that a tenant has as a tar.gz: rows as of one moment, then files as they are sent."""

import hashlib
import json
import os
import tarfile
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from sqlalchemy.orm import Session

from api.events import is_stopping
from models.session import session_scope
from models.tenant import Tenant
from models.tenant_export import owned_tables, people, places, rows
from tasks.uploads import place

PIECE_BYTES = 1 << 18
MANIFEST = "manifest.json"
FORMAT = 1
# A gzip header around deflate, as zlib counts; the fastest level, for the reader's line is slower.
GZIP, FASTEST = 31, 1


class TenantArchive:
    """The rows, read into a folder that `held` removes, and the files, which are read later.

    A file whose row goes before its turn comes is told of as `missing`. The manifest is the last of
    all, with what the others hold: an archive without it has been cut off.
    """

    def __init__(self, tenant_id: int, held: ExitStack) -> None:
        self._folder = Path(held.enter_context(TemporaryDirectory(prefix="redten-")))
        self._told: dict[str, dict[str, Any]] = {}
        self._counts: dict[str, int] = {}
        self._missing: list[str] = []
        with session_scope(tenant_id, snapshot=True, long=True) as session:
            self._tenant = {"id": tenant_id, "name": session.get_one(Tenant, tenant_id).name}
            self._keep_rows(session, tenant_id)
            self._places = list(places(session, tenant_id))

    def pieces(self) -> Iterator[bytes]:
        """The archive as it is to be sent; cut off when the process is to end."""
        packer = zlib.compressobj(FASTEST, wbits=GZIP)
        for piece in self._tar():
            if is_stopping():
                return
            if packed := packer.compress(piece):
                yield packed
        yield packer.flush()

    def _keep_rows(self, session: Session, tenant_id: int) -> None:
        """Into a folder, so that no slow reader keeps the snapshot."""
        self._keep("members", people(session, tenant_id))
        for table in owned_tables():
            self._keep(table.name, rows(session, table, tenant_id))

    def _keep(self, name: str, found: Iterable[dict[str, Any]]) -> None:
        self._counts[name] = 0
        with (self._folder / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            for row in found:
                file.write(json.dumps(row, ensure_ascii=False, default=_plain) + "\n")
                self._counts[name] += 1

    def _tar(self) -> Iterator[bytes]:
        for path in sorted(self._folder.iterdir()):
            with path.open("rb") as file:
                yield from self._member(f"tables/{path.name}", file)
        for name, where in self._places:
            store, key = place(where)
            try:
                with store.open(key) as file:
                    yield from self._member(name, file)
            except KeyError:
                self._missing.append(name)
        manifest = self._folder / MANIFEST
        manifest.write_text(json.dumps(self._manifest(), ensure_ascii=False, indent=1), "utf-8")
        with manifest.open("rb") as file:
            yield from self._member(MANIFEST, file)
        yield bytes(2 * tarfile.BLOCKSIZE)

    def _member(self, name: str, file: BinaryIO) -> Iterator[bytes]:
        info = tarfile.TarInfo(name)
        info.size, info.mtime, info.mode = os.fstat(file.fileno()).st_size, int(time.time()), 0o600
        sha256 = hashlib.sha256()
        yield info.tobuf()
        while piece := file.read(PIECE_BYTES):
            sha256.update(piece)
            yield piece
        yield bytes(-info.size % tarfile.BLOCKSIZE)
        self._told[name] = {"bytes": info.size, "sha256": sha256.hexdigest()}

    def _manifest(self) -> dict[str, Any]:
        told = {"tenant": self._tenant, "rows": self._counts, "files": self._told}
        return {"format": FORMAT, **told, "missing": self._missing}


def _plain(value: object) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
