"""Many files on their way: sent one after the other, a bounded number unfinished at any time."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from client.client import Client
from client.collection_records import Document
from client.errors import ClientError
from client.patience import patiently, pauses
from client.records import State

IN_FLIGHT = 8

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file: `reason` says why it failed, None that it did not."""

    name: str
    document: Document | None = None
    code: str | None = None
    reason: str | None = None

    @property
    def status(self) -> str:
        """stored, unchanged or failed."""
        if self.reason is not None:
            return "failed"
        return "unchanged" if self.document and self.document.unchanged else "stored"

    @property
    def attached(self) -> bool:
        """Whether it came with another file."""
        return self.document is not None and self.document.parent_id is not None


class Watcher(Protocol):
    """Whoever wants to see how far it is."""

    def sent(self, name: str, sent_bytes: int) -> None:
        """That much of the file has gone."""

    def seen(self, document: Document) -> None:
        """The document has come this far."""

    def settled(self, outcome: Outcome) -> None:
        """The file is over with."""


class Transfer:
    """Files into one collection, and what is attached to them.

    `outcomes` grows as they are over, in no particular order.
    """

    def __init__(self, client: Client, collection: str, watcher: Watcher) -> None:
        self.outcomes: list[Outcome] = []
        self._client = client
        self._collection = collection
        self._watcher = watcher
        self._in_flight: dict[str, Document] = {}
        self._opened: set[int] = set()
        self._lost: ClientError | None = None

    def send(self, path: Path, name: str) -> None:
        """Upload a file as soon as there is room for it; its failure becomes its outcome."""
        self._follow_until(IN_FLIGHT - 1)
        try:
            document = self._bravely(
                lambda: self._client.upload(
                    self._collection, path, name, lambda sent: self._watcher.sent(name, sent)
                )
            )
        except ClientError as exc:
            self._settle(Outcome(name, code=exc.code, reason=str(exc)))
        except OSError as exc:
            self._settle(Outcome(name, code="unreadable", reason=exc.strerror or str(exc)))
        else:
            self._take(name, document)

    def finish(self) -> list[Outcome]:
        """Follow what has been sent to its end."""
        self._follow_until(0)
        return self.outcomes

    def _follow_until(self, places: int) -> None:
        waits = pauses()
        while (unfinished := len(self._in_flight)) > places:
            time.sleep(next(waits))
            for name, document in list(self._in_flight.items()):
                self._look(name, document)
            if len(self._in_flight) < unfinished:
                waits = pauses()

    def _look(self, name: str, before: Document) -> None:
        try:
            now = self._bravely(lambda: self._client.document(before.id))
        except ClientError as exc:
            self._settle(Outcome(name, before, code=exc.code, reason=str(exc)))
        else:
            # Only the upload is told that the content was there already.
            self._take(name, now.model_copy(update={"unchanged": before.unchanged}))

    def _take(self, name: str, document: Document) -> None:
        self._watcher.seen(document)
        if document.state == State.FAILED:
            reason = document.msg or "the server gives no reason"
            self._settle(Outcome(name, document, code=document.code, reason=reason))
        elif document.over:
            self._open(name, document)
        else:
            self._in_flight[name] = document

    def _open(self, name: str, document: Document) -> None:
        """Its attachments were entered before it was stored, and may still be on their way."""
        try:
            attached = self._attached_to(document)
        except ClientError as exc:
            return self._settle(Outcome(name, document, code=exc.code, reason=str(exc)))
        self._settle(Outcome(name, document))
        for child in attached:
            self._take(child.name, child.model_copy(update={"unchanged": document.unchanged}))

    def _attached_to(self, document: Document) -> list[Document]:
        """Told once: two files of the same content are one document."""
        if not document.attachments or document.id in self._opened:
            return []
        self._opened.add(document.id)
        return self._bravely(lambda: self._client.documents(self._collection, document.id))

    def _settle(self, outcome: Outcome) -> None:
        self._in_flight.pop(outcome.name, None)
        self._watcher.settled(outcome)
        self.outcomes.append(outcome)

    def _bravely(self, call: Callable[[], T]) -> T:
        """`patiently`, once: when the server stays away, the files left fail at once."""
        if self._lost:
            raise self._lost
        try:
            return patiently(call)
        except ClientError as exc:
            if exc.code == "unreachable":
                self._lost = exc
            raise
