"""Passwords of this machine, and the two files of exports that people source."""

import secrets
import shlex
from pathlib import Path

from local.errors import LocalError
from local.layout import Layout, write_private

ADMIN_EMAIL = "admin@redten.local"
FLOWER_USER = "admin"
COLLECTION = "embed-security"


def password(layout: Layout, name: str) -> str:
    """The password of that name, made on first use."""
    path = layout.secrets / name
    if not path.exists():
        write_private(path, secrets.token_urlsafe(24).encode())
    return path.read_text()


def exports(values: dict[str, str]) -> str:
    """Lines for a shell to source."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())


def read_exports(path: Path) -> dict[str, str]:
    """What `exports` wrote, as a dictionary."""
    words = shlex.split(path.read_text(), comments=True)
    return dict(word.split("=", 1) for word in words if "=" in word)


def required(path: Path, *names: str) -> dict[str, str]:
    """These exports of a file; raises LocalError for those that it lacks."""
    found = read_exports(path)
    if missing := [name for name in names if not found.get(name)]:
        raise LocalError(f"{path} lacks {', '.join(missing)}")
    return {name: found[name] for name in names}


def administrator(layout: Layout) -> dict[str, str]:
    """What admin.env holds; written on the first start, then left as it is."""
    made = {
        "AI_EMAIL": ADMIN_EMAIL,
        "AI_PASSWORD": secrets.token_urlsafe(24),
        "FLOWER_USER": FLOWER_USER,
        "FLOWER_PASSWORD": secrets.token_urlsafe(24),
    }
    if not layout.admin_env.exists():
        write_private(layout.admin_env, exports(made).encode())
    return required(layout.admin_env, *made)


def write_client_env(layout: Layout, address: str, env: str) -> None:
    """The exports that the published client and ours need to find and trust this server."""
    values = {
        "AI_API": address,
        "AI_ENV": env,
        "AI_API_CA": str(layout.ca),
        "AI_COLLECTION_ID": COLLECTION,
        # Empty, not unset: the published client looks for files under ./tls otherwise.
        "AI_API_CERT": "",
        "AI_API_KEY": "",
        "USE_LOCAL": "0",
    }
    write_private(layout.client_env, exports(values).encode())
