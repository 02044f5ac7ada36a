"""Files of this machine: who may read the secret ones, what is missing, how much room there is."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from local.doctor.finding import Finding, bad, doubtful, good
from local.errors import LocalError
from local.layout import Layout
from local.postgres_home import data_folder
from local.weights import to_make
from settings import settings

GIB = 1 << 30
LEAST_BYTES, LITTLE_BYTES, LITTLE_SHARE = GIB, 5 * GIB, 0.1


def private_files() -> Iterator[Finding]:
    """Keys, passwords and tokens are for their owner alone."""
    found = [path for path in _secrets() if path.exists()]
    for path in found:
        about = path.stat()
        mode = stat.S_IMODE(about.st_mode)
        if mode & 0o077:
            yield bad("private files", f"{path} has the mode {mode:04o}", f"chmod 600 {path}")
        if about.st_uid not in (os.getuid(), 0):
            said = f"{path} belongs to the user {about.st_uid}"
            yield bad("private files", said, f"chown it to who runs redten, {os.getuid()}")
    yield good("private files", f"{len(found)} looked at")


def _secrets() -> list[Path]:
    layout = Layout(settings.data_dir)
    named = [settings.tls_key, settings.token_private_key, layout.admin_env, layout.client_env]
    kept = [layout.private_key, layout.key, layout.tls / "ca-key.pem"]
    found = {path.resolve() for path in [*named, *kept] if path is not None}
    below = layout.secrets.glob("*") if layout.secrets.exists() else ()
    return sorted(found | set(below))


def token_keys() -> Iterator[Finding]:
    """Without them nobody can log in."""
    for path in (settings.token_private_key, settings.token_public_key):
        if os.access(path, os.R_OK):
            yield good("token keys", f"{path} can be read")
        else:
            advice = "set TOKEN_ALGO_PRIVATE_KEY and TOKEN_ALGO_PUBLIC_KEY as the API has them"
            yield bad("token keys", f"{path} cannot be read", advice)


def room_on_disk() -> Iterator[Finding]:
    """Where files grow."""
    for name, path in _growing().items():
        if not path.exists():
            continue
        usage = shutil.disk_usage(path)
        said = f"{name}: {usage.free / GIB:.1f} of {usage.total / GIB:.1f} GiB free at {path}"
        if usage.free < LEAST_BYTES:
            yield bad("room on disk", said, "make room: nothing can be stored before long")
        elif usage.free < min(LITTLE_BYTES, LITTLE_SHARE * usage.total):
            yield doubtful("room on disk", said, "make room, or move it to a larger disk")
        else:
            yield good("room on disk", said)


def _growing() -> dict[str, Path]:
    layout = Layout(settings.data_dir)
    growing = {"data": layout.root, "weights": settings.weights_dir}
    if layout.secrets.joinpath("postgres-superuser").exists():
        growing["database"] = data_folder(layout)
    if settings.blobs and "://" not in settings.blobs:
        growing["files"] = Path(settings.blobs)
    return growing


def file_store() -> Iterator[Finding]:
    """Documents and uploads can be written; S3 is spoken to over TLS."""
    if settings.blobs is None:
        advice = "set REDTEN_BLOBS to a folder or s3://BUCKET/PREFIX"
        yield bad("file store", "none is named", advice)
    elif settings.blobs.startswith("s3://"):
        if (settings.s3_endpoint or "").startswith("http://"):
            advice = "give it a certificate and an https:// address; AWS_CA_BUNDLE names its CA"
            yield bad("file store", f"{settings.s3_endpoint} is reached without TLS", advice)
        else:
            yield good("file store", f"{settings.blobs} over TLS")
    elif not os.access(settings.blobs, os.W_OK | os.X_OK):
        yield bad("file store", f"{settings.blobs} cannot be written", "let redten's user write it")
    else:
        yield good("file store", f"{settings.blobs} can be written")


def weights() -> Iterator[Finding]:
    """What answers and what embeds."""
    try:
        missing = to_make()
    except LocalError as error:
        yield bad("weights", str(error), "name one that is there, or install it")
        return
    if missing:
        yield bad("weights", f"missing: {', '.join(missing)}", "redten weights")
    elif not os.access(settings.weights_dir / settings.model, os.R_OK):
        yield bad("weights", f"{settings.model} cannot be read", "let redten's user read it")
    else:
        yield good("weights", f"{settings.model} and {settings.embed_model}")
