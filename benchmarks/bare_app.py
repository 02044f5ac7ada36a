"""The peer of `make bench-load`: a Flask app that answers the same requests with the same bytes.

It reads the JSON of a request, and does nothing with it: no database, no token, no schema.
"""

import json
from collections.abc import Callable
from pathlib import Path

from flask import Flask, Response, request


def create_app(replies: str) -> Flask:
    """The app; the file holds [method, path, status, body] of every reply that it gives."""
    app = Flask(__name__)
    for number, (method, path, status, body) in enumerate(json.loads(Path(replies).read_text())):
        app.add_url_rule(path, str(number), _answering(status, body), methods=[method])
    return app


def _answering(status: int, body: str) -> Callable[[], Response]:
    def view() -> Response:
        if request.method == "POST":
            request.get_json(force=True)
        return Response(body, status, mimetype="application/json")

    return view
