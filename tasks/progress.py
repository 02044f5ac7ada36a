"""How far a stage of a document has come, written down often enough for a bar to move."""

import time
from types import TracebackType
from typing import Self

from models.document import note_progress
from models.session import session_scope
from tasks.flow import Flow

EVERY_S = 0.3


class Progress:
    """One stage; `total` 0 means that only its end can tell."""

    def __init__(self, flow: Flow, stage: str, total: int) -> None:
        self.flow, self.stage, self.total, self.done = flow, stage, total, 0
        self._next = 0.0

    def reached(self, done: int) -> None:
        """So many are done; written at most a few times a second."""
        self.done = done
        if time.monotonic() >= self._next:
            self._write()

    def __enter__(self) -> Self:
        self._write()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.total = self.done
            self._write()

    def _write(self) -> None:
        self._next = time.monotonic() + EVERY_S
        with session_scope(self.flow["tenant_id"], durable=False) as session:
            note_progress(
                session, self.flow["id"], self.stage, self.done, max(self.total, self.done)
            )
