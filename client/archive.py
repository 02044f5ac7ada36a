"""An exported tenant: whether all of it has come, as it was sent."""

import gzip
import hashlib
import io
import json
import tarfile
import zlib
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel

from client.errors import ClientError
from client.records import CONFIG, read

MANIFEST = "manifest.json"
PIECE_BYTES = 1 << 20
CUT_OFF = (tarfile.TarError, EOFError, OSError, zlib.error)


class Content(BaseModel):
    """What one file of the archive holds."""

    model_config = CONFIG

    bytes: int
    sha256: str


class Manifest(BaseModel):
    """What an archive holds: rows by table, files by name; `missing` went while it was made."""

    model_config = CONFIG

    format: int
    tenant: dict[str, Any]
    rows: dict[str, int]
    files: dict[str, Content]
    missing: list[str] = []


def check(path: Path) -> Manifest:
    """What the archive says of itself; ClientError `damaged` unless it holds just that."""
    try:
        with gzip.open(path) as unpacked:
            found, told = _read(unpacked)
            while unpacked.read(PIECE_BYTES):  # to its end, which has a checksum
                pass
        manifest = read(Manifest, json.loads(told))
    except (*CUT_OFF, json.JSONDecodeError) as exc:
        raise _damaged(path) from exc
    if manifest.files != found:
        raise _damaged(path)
    return manifest


def _read(unpacked: gzip.GzipFile) -> tuple[dict[str, Content], bytes]:
    """What the files hold, by name, and the manifest; empty if there is none."""
    found, told = {}, b""
    with tarfile.open(fileobj=unpacked, mode="r|") as archive:
        for member in archive:
            content = archive.extractfile(member) or io.BytesIO()
            if member.name == MANIFEST:
                told = content.read()
            else:
                found[member.name] = _content(content)
    return found, told


def _content(file: IO[bytes]) -> Content:
    size, sha256 = 0, hashlib.sha256()
    while piece := file.read(PIECE_BYTES):
        size += len(piece)
        sha256.update(piece)
    return Content(bytes=size, sha256=sha256.hexdigest())


def _damaged(path: Path) -> ClientError:
    said = f"{path.name} is not whole: it was cut off or has changed, so export again"
    return ClientError(said, code="damaged")
