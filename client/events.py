"""A job's events as the server tells them, taken up again wherever the connection broke."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

from client.errors import ClientError
from client.patience import patiently, pauses

FINAL = ("score", "error")
# A path and headers to the lines of the reply.
Lines = Callable[[str, dict[str, str]], Iterable[bytes]]


class Event(NamedTuple):
    """Of the kinds `state`, `passages`, `token`, `answer`, and last `score` or `error`."""

    id: str
    kind: str
    data: dict[str, Any]


def parse(lines: Iterable[bytes]) -> Iterator[Event]:
    """The events in a text/event-stream; one that breaks off is none.

    https://html.spec.whatwg.org/multipage/server-sent-events.html
    """
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.decode().partition(":")
        if line and name:
            fields[name] = value.removeprefix(" ")
        elif not line:
            if "data" in fields:
                yield _event(fields)
            fields = {}


def _event(fields: dict[str, str]) -> Event:
    try:
        data = json.loads(fields["data"])
    except json.JSONDecodeError as exc:
        raise ClientError("the server's event is not JSON", code="unexpected_answer") from exc
    return Event(fields.get("id", ""), fields.get("event", "message"), data)


def follow(job_id: int, lines: Lines) -> Iterator[Event]:
    """Each event of the job once, to the last; a lost connection is borne for a while."""
    after, waits = "", pauses()
    while True:
        found = patiently(partial(_opened, lines, job_id, after))
        try:
            for event in parse(found):
                yield event
                if event.kind in FINAL:
                    return
                after, waits = event.id, pauses()
        except ClientError as exc:
            if not exc.passing:
                raise
        time.sleep(next(waits))


def _opened(lines: Lines, job_id: int, after: str) -> Iterator[bytes]:
    """What comes after that event, once the server has begun to answer."""
    found = iter(lines(f"/job/{job_id}/events", {"Last-Event-ID": after} if after else {}))
    return chain([next(found, b"")], found)
