"""What browsers are told not to do with any reply."""

import base64
import hashlib
import re
from functools import lru_cache

from flask import Flask, Response, request

DOCS = "openapi.docs"
YEAR_S = 31_536_000
NOTHING = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    # What is told to one person is of no use to another, and tokens are among it.
    "Cache-Control": "no-store",
    "Content-Security-Policy": NOTHING,
}


@lru_cache(maxsize=4)
def docs_policy(page: str) -> str:
    """The page of the documentation runs its own scripts and no others; its styles are inline."""
    digests = (hashlib.sha256(text.encode()).digest() for text in INLINE.findall(page))
    inline = " ".join(f"'sha256-{base64.b64encode(one).decode()}'" for one in digests)
    return (
        f"{NOTHING}; script-src 'self' {inline}; style-src 'self' 'unsafe-inline';"
        " img-src 'self' data:; connect-src 'self'"
    )


def _protect(response: Response) -> Response:
    if request.endpoint == DOCS:
        response.headers["Content-Security-Policy"] = docs_policy(response.get_data(as_text=True))
    # On localhost it would keep browsers from other servers of this machine, on whatever port.
    if request.host.partition(":")[0] != "localhost":
        response.headers["Strict-Transport-Security"] = f"max-age={YEAR_S}"
    for name, value in ALWAYS.items():
        response.headers.setdefault(name, value)
    return response


def register(app: Flask) -> None:
    """Puts them on every reply."""
    app.after_request(_protect)
