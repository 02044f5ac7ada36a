"""Which places outside a deployment lets its users read from, and how such a place is written."""

import posixpath
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from models.errors import RedtenError
from settings import settings

TENANT = "{tenant}"
ANY_HOST = "1"
DEFAULT_PORTS = {"http": 80, "https": 443}
LONGEST = 1024
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def checked_address(address: str, tenant_id: int) -> str:
    """The address as it is kept: /folder, s3://bucket/prefix, https://host/page.

    Raises RedtenError `bad_address`, and `address_not_allowed` with the setting that decides.
    """
    address = address.strip()
    if len(address) > LONGEST or CONTROL.search(address):
        raise RedtenError("bad_address", f"an address has at most {LONGEST} printable characters")
    scheme = "file" if address.startswith("/") else urlsplit(address).scheme
    check = {"file": _folder, "s3": _bucket, "https": _web, "http": _web}.get(scheme)
    if check is None:
        said = "give a folder of the worker (/srv/docs), s3://bucket/prefix or https://host/page"
        raise RedtenError("bad_address", f"no address to read from: {address!r}; {said}")
    return check(address, tenant_id)


def _folder(address: str, tenant_id: int) -> str:
    path = address if address.startswith("/") else _file_path(address)
    kept = Path(posixpath.normpath(path))
    if not any(kept.is_relative_to(folder) for folder in folders_for(tenant_id)):
        raise _not_allowed(address, "REDTEN_SOURCE_DIRS names no folder that it lies in")
    return str(kept)


def _file_path(address: str) -> str:
    parts = urlsplit(address)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise RedtenError(
            "bad_address", f"{address!r}: a folder of the worker begins with file:///"
        )
    return unquote(parts.path)


def folders_for(tenant_id: int) -> list[Path]:
    """Folders of the worker below which a tenant may read."""
    return [Path(folder.replace(TENANT, str(tenant_id))) for folder in settings.source_dirs]


def bucket_and_prefix(address: str) -> tuple[str, str]:
    """The two parts of s3://bucket/prefix; the prefix has no slash at its ends."""
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    return bucket, prefix.strip("/")


def _bucket(address: str, tenant_id: int) -> str:
    bucket, prefix = bucket_and_prefix(address)
    if not bucket or not {".", ".."}.isdisjoint(prefix.split("/")):
        raise RedtenError("bad_address", f"{address!r}: write it as s3://bucket/prefix")
    for allowed in settings.s3_sources:
        theirs, below = bucket_and_prefix(allowed.replace(TENANT, str(tenant_id)))
        if bucket == theirs and (not below or f"{prefix}/".startswith(f"{below}/")):
            return f"s3://{bucket}/{prefix}".rstrip("/")
    raise _not_allowed(address, "REDTEN_S3_SOURCES names no bucket and prefix that it lies in")


def _web(address: str, tenant_id: int) -> str:
    try:
        parts = urlsplit(address)
        port = parts.port or DEFAULT_PORTS[parts.scheme]
    except ValueError as error:
        raise RedtenError("bad_address", f"{address!r} is no address of the web") from error
    if not parts.hostname or parts.username is not None:
        raise RedtenError("bad_address", f"{address!r}: give a host, and no name or password")
    if why := web_refusal(parts.scheme, parts.hostname, port):
        raise RedtenError("address_not_allowed", why)
    return parts._replace(netloc=parts.netloc.lower(), fragment="").geturl()


def web_refusal(scheme: str, host: str, port: int) -> str | None:
    """Why that server is not read from; None if it is. Asked again after each redirect.

    Any host means the usual port, encrypted; what else is to be read has to be named.
    """
    named = {_host_and_port(entry, scheme) for entry in settings.web_sources}
    if (host.lower(), port) in named:
        return None
    if ANY_HOST in settings.web_sources and (scheme, port) == ("https", DEFAULT_PORTS["https"]):
        return None
    return f"{scheme}://{host}:{port} may not be read: REDTEN_WEB_SOURCES does not name it"


def _host_and_port(entry: str, scheme: str) -> tuple[str, int]:
    parts = urlsplit(f"//{entry}")
    return parts.hostname or "", parts.port or DEFAULT_PORTS[scheme]


def _not_allowed(address: str, why: str) -> RedtenError:
    return RedtenError("address_not_allowed", f"{address!r} may not be read: {why}")
