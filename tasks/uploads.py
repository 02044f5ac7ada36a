"""Where the files that users upload lie: among the deployment's, or in S3 where they asked for."""

import re
import uuid
from datetime import UTC, datetime

from models.errors import RedtenError
from settings import settings
from tasks.blobs import Blobs, get_blobs

S3 = "s3://"
LONGEST_NAME, LONGEST_KEY_BYTES = 100, 1024
FOLDER = re.compile(r"(?!\.\.?$)[^\x00-\x1f\x7f]+")


def computed_place(tenant_id: int, user_id: int, filename: str, in_s3: bool) -> tuple[Blobs, str]:
    """Store and key for a new file; `in_s3` takes the first location if the store is a folder."""
    day = datetime.now(UTC).strftime("%Y/%m/%d")
    key = f"{user_id}/{day}/{uuid.uuid4().hex}.{plain_name(filename)}"
    in_folder = not (settings.blobs or "").startswith(S3)
    if in_s3 and in_folder and settings.upload_locations:
        return requested_place(f"{settings.upload_locations[0]}/{tenant_id}/{key}", tenant_id)
    return get_blobs(), f"data/{tenant_id}/{key}"


def requested_place(sloc: str, tenant_id: int) -> tuple[Blobs, str]:
    """Store and key that a location names. Raises RedtenError `location_not_allowed`.

    It has to lie below an allowed location, in the folder of the tenant: the server's credentials
    reach further than its users should.
    """
    allowed = [f"{location}/{tenant_id}/" for location in settings.upload_locations]
    if not allowed:
        raise RedtenError("location_not_allowed", "nobody chooses a location here: leave out sloc")
    below = next((sloc[len(one) :] for one in allowed if sloc.startswith(one)), "")
    if not all(FOLDER.fullmatch(part) for part in below.split("/")):
        listed = " or ".join(allowed)
        raise RedtenError("location_not_allowed", f"sloc must name a file below {listed}")
    store, key = _in_s3(sloc, overwrite=False)
    if len(key.encode()) > LONGEST_KEY_BYTES:
        raise RedtenError("location_not_allowed", f"sloc is longer than {LONGEST_KEY_BYTES} bytes")
    return store, key


def place(sloc: str, *, chosen: bool = False) -> tuple[Blobs, str]:
    """Store and key of a file that was uploaded; at a `chosen` place may lie another one."""
    return _in_s3(sloc, overwrite=not chosen) if sloc.startswith(S3) else (get_blobs(), sloc)


def plain_name(filename: str) -> str:
    """The file's own name in plain letters, for a key: no folders, not hidden, not too long."""
    own = filename.replace("\\", "/").rpartition("/")[2]
    return re.sub(r"[^A-Za-z0-9._-]+", "_", own)[-LONGEST_NAME:].lstrip(".") or "file"


def _in_s3(sloc: str, overwrite: bool = True) -> tuple[Blobs, str]:
    # Who keeps files in a folder need not wait for boto3.
    from tasks.s3_blobs import S3Blobs

    bucket, _, key = sloc.removeprefix(S3).partition("/")
    return S3Blobs(bucket, "", overwrite), key
