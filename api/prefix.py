"""Every route at `/` and under `/v1/<env>/`: published clients use either."""

import re
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication

# The names below /v1/ that another, well-known API has taken are no environments.
PREFIX = re.compile(r"/v1/(?!(?:chat|completions|embeddings|models)(?:/|$))[A-Za-z0-9_.-]+(?=/|$)")


class EnvPrefix:
    """Takes the prefix off before anybody else looks at the path."""

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app

    def __call__(self, environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if found := PREFIX.match(path):
            environ["PATH_INFO"] = path[found.end() :] or "/"
        return self.app(environ, start)
