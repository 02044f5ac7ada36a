"""A job's events over HTTP, as they come: text/event-stream, to be taken up again anywhere."""

import json
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any

from apiflask import APIBlueprint
from apiflask.schemas import FileSchema
from flask import Response, request

from api.auth import caller, signed_in
from api.schemas import EventsIn
from models.answer import answers_of_job
from models.errors import RedtenError
from models.job import Job, find_job
from models.session import session_scope
from models.tenant import Caller
from models.work import State
from settings import settings
from tasks import events, telling

blueprint = APIBlueprint("events", __name__, tag="Jobs")

# So often a silent stream finds out that its reader has gone, that the job is over although
# nobody said so, or that the process is to end.
LOOK_S = 3.0
# A job that is over has told all it will, or its stream is gone.
OVER_S = 0.2
RETRY_MS = 1000
ID = re.compile(r"\d{1,19}(-\d{1,19})?")
# The id of the last event: a browser that comes back with it is told to stay away.
END = "end"
NEIGHBOURS = 8

_free = threading.BoundedSemaphore(settings.max_streams or max(1, settings.api_threads - 2))
_stopping = threading.Event()


def end_with_process() -> None:
    """On SIGTERM streams end by themselves; their readers go on at another process."""
    before = signal.getsignal(signal.SIGTERM)

    def stop(number: int, frame: FrameType | None) -> None:
        _stopping.set()
        if callable(before):
            before(number, frame)

    signal.signal(signal.SIGTERM, stop)


def is_stopping() -> bool:
    """Whether this process is to end, and no reply should go on for long."""
    return _stopping.is_set()


@blueprint.get("/job/<number:id>/events")
@blueprint.input(EventsIn, location="query")
@blueprint.output(FileSchema(type="string"), content_type="text/event-stream")
@signed_in(blueprint)
def follow_job(id: int, query_data: EventsIn) -> Response:
    """Follow a job: `state`, `passages`, `token`, `answer`, then `score` or `error` at the end.

    `Last-Event-ID`, as header or `last_event_id` in the query, gives what came after that event.
    The `answer` is what counts: tokens may be lost, and a `state` with a higher `attempt` makes
    void what came before it.
    """
    who, after = caller(), request.headers.get("Last-Event-ID") or query_data.last_event_id
    with session_scope(who.tenant_id) as session:
        job = find_job(session, who, id)
    if after == END:
        return Response(status=204)
    if after and not ID.fullmatch(after):
        raise RedtenError("bad_event_id", "Last-Event-ID must be the id of an event of this job")
    with thread_held() as held:
        return streamed(_lines(who, job, after or events.BEGINNING), held)


@contextmanager
def thread_held() -> Iterator[ExitStack]:
    """For a reply that takes long: holds one of the threads that such replies may have.

    Gives what lets go of it at the end of the block. Raises RedtenError `too_many_streams`.
    """
    free = _free
    if not free.acquire(blocking=False):
        raise RedtenError("too_many_streams", "too many streams are open; try again in a moment")
    with ExitStack() as held:
        held.callback(free.release)
        yield held


def streamed(lines: Iterator[str], held: ExitStack) -> Response:
    """A reply that goes on, and holds its thread, for as long as there are lines."""
    response = Response(lines, mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Accel-Buffering"] = "no"
    # Not in the generator, which a reader that has gone before its first line never starts.
    response.call_on_close(held.pop_all().close)
    return response


def sse(id: str, kind: str, data: dict[str, Any]) -> str:
    """One event as text; https://html.spec.whatwg.org/multipage/server-sent-events.html."""
    return f"id: {id}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"


def _lines(who: Caller, job: Job, after: str) -> Iterator[str]:
    yield f"retry: {RETRY_MS}\n\n"
    patience_s = OVER_S if job.over else LOOK_S
    for event in events.follow(job.id, after, patience_s):
        if is_stopping():
            return
        if event is None:
            ending = _ending(who, job.id, after)
            yield from ending or [": still there\n\n"]
            if ending:
                return
        elif event.kind in events.FINAL:
            yield from _last(who, event, job.id)
        else:
            after = event.id
            yield sse(*event)


def _last(who: Caller, event: events.Event, job_id: int) -> Iterator[str]:
    """The final event; before it the answer, if that was lost on its way or comes after it."""
    before = events.latest(job_id, event.id, NEIGHBOURS)
    if event.kind == "score" and "answer" not in (one.kind for one in before):
        yield from _ending(who, job_id, event.id)
    else:
        yield sse(END, event.kind, event.data)


def _ending(who: Caller, job_id: int, after: str) -> list[str]:
    """The last events of a job that is over, from its record; none as long as it is not."""
    with session_scope(who.tenant_id) as session:
        job = find_job(session, who, job_id)
        if not job.over:
            return []
        done = job.state == State.DONE
        answer = next(iter(answers_of_job(session, who, job_id)), None) if done else None
    told = [telling.text(answer)] if answer else []
    *others, last = told + telling.ending(job, answer)
    return [sse(after, *one) for one in others] + [sse(END, *last)]
