"""The sources that collections are kept up to date with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from client.records import CONFIG, read


class Failed(BaseModel):
    """A thing in a source that could not be brought."""

    model_config = CONFIG

    name: str
    code: str
    message: str


class Run(BaseModel):
    """What one run did."""

    model_config = CONFIG

    id: int
    started_at: str | None = None
    ended_at: str | None = None
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    failed: int = 0
    messages: list[Failed] = []
    code: str | None = None
    msg: str | None = None


class Source(BaseModel):
    """A place that a collection is kept up to date with; `every_s` None: only when asked."""

    model_config = CONFIG

    id: int
    collection: str
    address: str
    prefix: str = ""
    every_s: int | None = None
    next_run_at: str | None = None
    status: str | None = None
    code: str | None = None
    msg: str | None = None
    created_at: str | None = None
    run: Run | None = None
    runs: list[Run] = []


@dataclass(frozen=True, slots=True)
class Sources:
    """What can be done about them; `call` is `Account.call`."""

    call: Callable[..., dict[str, Any]]

    def add(
        self, collection: str, address: str, every_s: int | None = None, prefix: str = ""
    ) -> Source:
        """A new source, which is read at once, and again every so many seconds."""
        body = {
            "collection": collection,
            "address": address,
            "every_s": every_s,
            "prefix": prefix,
        }
        return read(Source, self.call("POST", "/sources", json=body))

    def list(self) -> list[Source]:
        """Those of all collections that one may fill."""
        return [read(Source, one) for one in self.call("GET", "/sources").get("sources") or []]

    def show(self, source_id: int) -> Source:
        """One source with its last runs, newest first."""
        return read(Source, self.call("GET", f"/sources/{source_id}"))

    def run(self, source_id: int) -> Source:
        """Has it read now."""
        return read(Source, self.call("POST", f"/sources/{source_id}/run"))

    def remove(self, source_id: int, documents: bool = False) -> None:
        """Forgets it, and with `documents` takes out what it has brought."""
        told = {"documents": "true" if documents else "false"}
        self.call("DELETE", f"/sources/{source_id}", params=told)
