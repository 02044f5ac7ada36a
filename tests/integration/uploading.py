"""Files that the tests upload, and what became of them."""

from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import LAYOUT
from tests.integration.door import send

CONTENT = b"The tower is 31 metres high."
TOLD = {
    "filename": "tower.txt",
    "data_type": "note",
    "comments": "of the keeper",
    "encoding": "utf8",
}


def upload(
    http: FlaskClient, who: dict[str, str], content: bytes = CONTENT, **told: Any
) -> TestResponse:
    """Sends the content, described as TOLD and by `told`."""
    return http.post("/user/data", data=content, headers=who | TOLD | told)


def search(http: FlaskClient, who: dict[str, str], **wanted: Any) -> Any:
    """What a search answers, which has to succeed."""
    reply = send(http, "POST", "/user/data/search", wanted, who)
    assert reply.status_code == 200, reply.json
    return reply.json


def files() -> list[Path]:
    """What lies in the store, half-made files too."""
    return [path for path in LAYOUT.blobs.rglob("*") if path.is_file()]
