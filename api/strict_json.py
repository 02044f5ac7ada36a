"""JSON as Postgres can keep it, whatever the Content-Type says."""

import math
from contextlib import suppress
from typing import Any

from flask import Request, Response, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import RequestEntityTooLarge

from models.errors import RedtenError
from settings import settings

DEEPEST = 32
# Of a body that is too large so many times what it may be is read and thrown away.
TIMES_READ_ON, PIECE_BYTES = 16, 1 << 16


class StrictJSON(DefaultJSONProvider):
    """Refuses NaN, Infinity, NUL characters and deep nesting with ValueError, which is a 400."""

    sort_keys = False

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        try:
            value = super().loads(s, parse_constant=_refuse, **kwargs)
        except RecursionError as error:
            raise ValueError("too deeply nested") from error
        _check(value, 0)
        return value


class PlainRequest(Request):
    """Says what is wrong with a body that is no JSON."""

    def on_json_loading_failed(self, e: ValueError | None) -> Any:
        # One that did not say how long it is was cut off at the limit.
        if len(self.get_data()) == self.max_content_length:
            raise RequestEntityTooLarge from e
        raise RedtenError("bad_json", f"the body is not the JSON that is needed: {e}") from e


def read_on(response: Response) -> Response:
    """For bodies that are refused for their size: a client that is still sending would see a
    broken connection instead of the refusal.
    """
    if response.status_code == 413:
        left, body = TIMES_READ_ON * settings.max_body_bytes, request.environ["wsgi.input"]
        with suppress(OSError):  # it has gone; gunicorn's own errors of broken chunks are such too
            while left > 0 and (piece := body.read(PIECE_BYTES)):
                left -= len(piece)
    return response


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _check(value: Any, depth: int) -> None:
    if depth > DEEPEST:
        raise ValueError("too deeply nested")
    if isinstance(value, str) and not _storable(value):
        raise ValueError("text with NUL or half a surrogate pair cannot be stored")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number is too large")
    if isinstance(value, dict):
        for key, one in value.items():
            _check(key, depth + 1)
            _check(one, depth + 1)
    if isinstance(value, list):
        for one in value:
            _check(one, depth + 1)


def _storable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)
