"""Questions on their way, and the work of every kind that failed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from client.records import CONFIG, Job, read


class Failure(BaseModel):
    """Work that failed: a job, document, review, source or file to embed."""

    model_config = CONFIG

    kind: str
    id: int
    name: str = ""
    step: str | None = None
    attempt: int | None = None
    losses: int | None = None
    code: str | None = None
    msg: str | None = None
    since: str | None = None


class Retried(BaseModel):
    """Work that has begun again."""

    model_config = CONFIG

    kind: str
    id: int
    attempt: int
    status: str | None = None
    step: str | None = None


class Refused(BaseModel):
    """Work that cannot be tried again, and why."""

    model_config = CONFIG

    kind: str
    id: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Jobs:
    """What can be seen and done of them; `call` is `Account.call`."""

    call: Callable[..., dict[str, Any]]

    def failures(
        self, kind: str | None = None, code: str | None = None, most: int = 50
    ) -> list[Failure]:
        """What failed, newest first: of one kind or all, with that code; at most 100."""
        told = {"kind": kind, "code": code, "limit": most}
        found = self.call("GET", "/failures", params=told)
        return [read(Failure, one) for one in found.get("failures") or []]

    def retry(self, kind: str, id: int) -> Retried:
        """Has failed work tried again from its first step."""
        return read(Retried, self.call("POST", f"/failures/{kind}/{id}/retry"))

    def retry_all(
        self, kind: str | None = None, code: str | None = None
    ) -> Iterator[Retried | Refused]:
        """Has everything that failed tried again, and says what became of each."""
        after = None
        while True:
            told = {"kind": kind, "code": code, "after": after}
            page = self.call("POST", "/failures/retry", params=told)
            yield from (read(Retried, one) for one in page.get("retried") or [])
            yield from (read(Refused, one) for one in page.get("refused") or [])
            after = page.get("next")
            if after is None:
                return

    def list(self, state: str | None = None, most: int = 50) -> list[Job]:
        """One's own jobs, for experts and owners the tenant's, newest first; at most 100."""
        told = {"state": state, "limit": most}
        return [read(Job, one) for one in self.call("GET", "/jobs", params=told).get("jobs") or []]
