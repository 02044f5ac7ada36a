"""What is told of a job while it goes on: a stream in Redis, a help and never a guarantee.

Nothing here holds up the work. Events are lost while Redis is away, and so is a cancel; the job's
state and its answer are in Postgres, and its lease ends what nobody wants any more.
"""

import json
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from settings import settings
from tasks import broker

log = logging.getLogger(__name__)

TOKEN, FINAL = "token", ("score", "error")
BEGINNING = "0"
# Tokens within so long of each other are one event.
COALESCE_S = 0.05
MOST_UNWRITTEN = 10_000
READ_S = 2.0
READ_TIMEOUT_S = READ_S + 3.0
AWAY_PAUSE_S = 1.0
CANCELLED = "redten:cancelled"
REMEMBERED_S, MOST_REMEMBERED = 60.0, 10_000
_starting = threading.Lock()


class Event(NamedTuple):
    """One entry of a job's stream; ids grow."""

    id: str
    kind: str
    data: dict[str, Any]


class Entry(NamedTuple):
    """An event on its way to Redis, which will give it its id."""

    job_id: int
    kind: str
    data: dict[str, Any]


def emit(job_id: int, kind: str, data: dict[str, Any]) -> None:
    """Tells readers of the job; never waits for Redis, and drops what it cannot take."""
    _writer.put(Entry(job_id, kind, data))


def token_sink(job_id: int) -> Callable[[str], None]:
    """What the engine calls with each piece of answer text; as `emit`."""
    return lambda text: _writer.put(Entry(job_id, TOKEN, {"text": text}))


def coalesced(entries: Iterable[Entry]) -> list[Entry]:
    """In order, but tokens with nothing else of their job in between are one."""
    merged: list[Entry] = []
    newest: dict[int, int] = {}
    for entry in entries:
        at = newest.get(entry.job_id)
        if at is not None and entry.kind == merged[at].kind == TOKEN:
            text = merged[at].data["text"] + entry.data["text"]
            merged[at] = entry._replace(data={"text": text})
        else:
            newest[entry.job_id] = len(merged)
            merged.append(entry)
    return merged


def _started(thread: threading.Thread) -> None:
    """Starts it when it is first needed: a process that forks would lose it."""
    if thread.ident is None:
        with _starting:
            if thread.ident is None:
                thread.start()


class Writer:
    """Writes events in batches from a thread of its own."""

    def __init__(self) -> None:
        self._entries: queue.Queue[Entry] = queue.Queue(MOST_UNWRITTEN)
        self._urgent = threading.Event()
        self._losing = False
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def put(self, entry: Entry) -> None:
        """Takes an event without waiting; one too many is dropped."""
        _started(self._thread)
        try:
            self._entries.put_nowait(entry)
        except queue.Full:
            return self._lost("too many at once")
        if entry.kind != TOKEN:
            # The next step, in another process, must not overtake it.
            self._urgent.set()

    def _run(self) -> None:
        while True:
            batch = [self._entries.get()]
            self._urgent.clear()
            batch += (self._entries.get_nowait() for _ in range(self._entries.qsize()))
            try:
                self._write(coalesced(batch))
            except broker.BrokerError as error:
                self._lost(str(error))
            else:
                self._losing = False
            self._urgent.wait(COALESCE_S)

    def _write(self, entries: list[Entry]) -> None:
        with broker.connection().pipeline(transaction=False) as pipeline:
            for entry in entries:
                fields: Any = {"kind": entry.kind, "data": json.dumps(entry.data, default=str)}
                pipeline.xadd(_key(entry.job_id), fields, maxlen=settings.stream_length)
            for job_id in {entry.job_id for entry in entries}:
                pipeline.expire(_key(job_id), settings.stream_kept_s)
            pipeline.execute()

    def _lost(self, reason: str) -> None:
        """One line of log for each outage."""
        if not self._losing:
            self._losing = True
            log.warning("events are lost: %s", reason)


_writer = Writer()


def _key(job_id: int) -> str:
    return f"redten:events:{job_id}"


def follow(job_id: int, after: str = BEGINNING, patience_s: float = 10.0) -> Iterator[Event | None]:
    """The events after the one with that id, as they come, up to one that ends the job.

    None after each silence of `patience_s`, and every second while Redis is away: the reader had
    better look into Postgres then. What an attempt told is void once a `state` event names a
    higher one.
    """
    heard = time.monotonic()
    while True:
        try:
            found = _read(job_id, after, min(patience_s, READ_S))
        except broker.BrokerError:
            time.sleep(AWAY_PAUSE_S)
            yield None
            continue
        for event in found:
            yield event
            after, heard = event.id, time.monotonic()
            if event.kind in FINAL:
                return
        if time.monotonic() - heard >= patience_s:
            yield None
            heard = time.monotonic()


def _read(job_id: int, after: str, wait_s: float) -> list[Event]:
    """What has come after that id, waited for if it is nothing yet."""
    # Redis takes 0 for ever.
    wait_ms = max(1, int(wait_s * 1000))
    reader: Any = broker.connection(READ_TIMEOUT_S)
    found = reader.xread({_key(job_id): after}, block=wait_ms)
    return [_event(*entry) for _, entries in found or () for entry in entries]


def latest(job_id: int, up_to: str, most: int) -> list[Event]:
    """The last events of the stream up to that id, newest first; empty while Redis is away."""
    reader: Any = broker.connection()
    try:
        return [_event(*one) for one in reader.xrevrange(_key(job_id), max=up_to, count=most)]
    except broker.BrokerError:
        return []


def _event(id: str, fields: dict[str, str]) -> Event:
    return Event(id, fields["kind"], json.loads(fields["data"]))


def forget(job_id: int) -> None:
    """Takes back all that was told of the job; it begins anew."""
    try:
        broker.connection().delete(_key(job_id))
    except broker.BrokerError as error:
        log.warning("job %d: what was told of it stays for a while: %s", job_id, error)


def cancel(job_id: int) -> None:
    """Lets the process that works on the job know that its answer is not wanted any more."""
    try:
        broker.connection().publish(CANCELLED, str(job_id))
    except broker.BrokerError as error:
        log.warning("job %d: its lease has to tell of the cancel: %s", job_id, error)


def cancelled(job_id: int) -> bool:
    """Whether a cancel was heard of lately; a look into memory, to be asked at each token."""
    return _listener.has_heard(job_id)


class Listener:
    """Hears of cancels in a thread of its own."""

    def __init__(self) -> None:
        self._heard: dict[int, float] = {}
        self._thread = threading.Thread(target=self._run, name="cancels", daemon=True)

    def has_heard(self, job_id: int) -> bool:
        """Whether the job was cancelled lately."""
        _started(self._thread)
        heard = self._heard.get(job_id)
        return heard is not None and time.monotonic() - heard < REMEMBERED_S

    def _run(self) -> None:
        while True:
            try:
                with broker.connection(READ_TIMEOUT_S).pubsub() as channel:
                    channel.subscribe(CANCELLED)
                    while True:
                        self._hear(channel.get_message(timeout=READ_S))
            except (broker.BrokerError, ValueError):
                # Seen from redis-py when the server goes in the middle of a reply: a closed buffer.
                time.sleep(AWAY_PAUSE_S)

    def _hear(self, message: dict[str, Any] | None) -> None:
        if message is not None and message["type"] == "message":
            self._heard[int(message["data"])] = time.monotonic()
            if len(self._heard) > MOST_REMEMBERED:
                del self._heard[next(iter(self._heard))]


_listener = Listener()
