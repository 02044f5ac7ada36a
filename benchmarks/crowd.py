"""The people of several organisations, who ask, upload and review, and try again when refused."""

import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from queue import Empty, Queue
from typing import Any

import requests

from benchmarks.stack import Stack

PEOPLE_AT_ONCE, ANSWER_TOKENS = 64, 16
ANSWER_LIMIT_S, PAUSE_S, LOOK_S = 10.0, 0.5, 0.7
PLACES = ("Gull Rock", "Fair Isle", "North Foreland", "Sule Skerry", "Eddystone", "Muckle Flugga")
THINGS = ("lamp", "fog horn", "lens", "clockwork", "boat", "oil store", "signal mast")
STATES = ("repaired", "cleaned", "found broken", "painted", "replaced", "inspected")


class GaveUp(Exception):
    """What a person has tried for long enough."""


@dataclass(frozen=True, slots=True)
class Log:
    """A document: numbered entries of one station, each with a name of its own."""

    name: str
    entries: tuple[str, ...]

    @property
    def content(self) -> bytes:
        """The file."""
        return "\n\n".join((f"# {self.name}", *self.entries)).encode()


@dataclass(frozen=True, slots=True)
class Organisation:
    """A tenant and its one person; `patience_s` is how long they try again, and why they had to."""

    stack: Stack
    number: int
    token: str
    tenant: str
    patience_s: float
    tried_again: Counter[str] = field(default_factory=Counter)

    @property
    def place(self) -> str:
        """What all of its documents are about, and nobody else's."""
        return PLACES[self.number]

    @property
    def headers(self) -> dict[str, str]:
        """Who asks, and for which tenant."""
        return {"Bearer": self.token, "X-Redten-Tenant": self.tenant}

    def send(self, method: str, path: str, **sending: Any) -> requests.Response:
        """The first answer that is none of trouble; raises GaveUp without one."""
        deadline = time.monotonic() + self.patience_s
        while time.monotonic() < deadline:
            reply = send(self.stack, method, path, headers=self.headers, **sending)
            if reply is not None and reply.status_code != 429 and reply.status_code < 500:
                return reply
            self.tried_again["no answer" if reply is None else str(reply.status_code)] += 1
            time.sleep(PAUSE_S)
        raise GaveUp(f"{method} {path}")

    def until_over(self, path: str, over: Callable[[requests.Response], bool]) -> Any:
        """Looks again and again; the JSON of the answer that is `over`."""
        deadline = time.monotonic() + self.patience_s
        while time.monotonic() < deadline:
            if over(reply := self.send("GET", path)):
                return reply.json()
            time.sleep(LOOK_S)
        raise GaveUp(f"waiting for {path}")


def send(stack: Stack, method: str, path: str, **sending: Any) -> requests.Response | None:
    """What the stack answers; None if the connection was refused or broken off."""
    with requests.Session() as session:
        session.trust_env, session.verify = False, str(stack.layout.ca)
        try:
            return session.request(method, stack.address + path, timeout=ANSWER_LIMIT_S, **sending)
        except requests.RequestException:
            return None


class Crowd:
    """What all of them do, and what they were told: ids of accepted work, texts of reviews."""

    def __init__(self, organisations: list[Organisation], entries: int, seed: int) -> None:
        self.organisations, self.entries = organisations, entries
        self.jobs: list[int] = []
        self.documents: dict[int, tuple[Organisation, Log]] = {}
        self.reviews: list[str] = []
        self.troubles: list[str] = []
        self._random = random.Random(seed)
        self._asked = self._uploaded = self._reviewed = 0
        self._to_review: Queue[tuple[Organisation, int]] = Queue()
        self._pool = ThreadPoolExecutor(PEOPLE_AT_ONCE)
        self._busy: list[Future[None]] = []

    def begin(self, questions: int, documents: int, reviews: int) -> None:
        """Has so many more of each done, without waiting for them."""
        for _ in range(documents):
            self._begin(self._upload, self._turn(self._uploaded), self._log(self._uploaded))
            self._uploaded += 1
        for _ in range(questions):
            self._begin(self._ask, self._turn(self._asked), self._question(self._asked))
            self._asked += 1
        for _ in range(reviews):
            self._begin(self._review, f"Review {self._reviewed}: it was as the log says.")
            self._reviewed += 1

    def finish(self, limit_s: float) -> None:
        """Waits for all of them; who is not back by then is a trouble."""
        _, late = wait(self._busy, limit_s)
        self._pool.shutdown(wait=False, cancel_futures=True)
        self.troubles += [f"{len(late)} people wait still"] * bool(late)

    def finds(self, document: int) -> bool:
        """Whether the uploader finds the document by its last entry."""
        organisation, log = self.documents[document]
        question = {"question": log.entries[-1], "collection": collection(organisation), "k": 5}
        reply = organisation.send("POST", "/retrieve", json=question)
        passages = reply.json().get("passages", [])
        return any(one["document_id"] == document for one in passages)

    def _turn(self, number: int) -> Organisation:
        return self.organisations[number % len(self.organisations)]

    def _log(self, number: int) -> Log:
        place = self._turn(number).place
        entries = (self._entry(place, number, one) for one in range(self.entries))
        return Log(f"{place} {number}.md", tuple(entries))

    def _entry(self, place: str, log: int, number: int) -> str:
        thing, state = self._random.choice(THINGS), self._random.choice(STATES)
        return f"Entry {log}-{number} of {place}: the {thing} was {state} after {number} hours."

    def _question(self, number: int) -> str:
        thing = self._random.choice(THINGS)
        return f"Question {number}: what was done to the {thing} of {self._turn(number).place}?"

    def _begin(self, action: Callable[..., None], *arguments: Any) -> None:
        self._busy.append(self._pool.submit(self._noting, action, *arguments))

    def _noting(self, action: Callable[..., None], *arguments: Any) -> None:
        try:
            action(*arguments)
        except (GaveUp, Empty, KeyError, ValueError) as error:
            self.troubles.append(f"{action.__name__}: {error!r}")

    def _ask(self, who: Organisation, question: str) -> None:
        rag = {"match_docs": 1, "max_doc_scores": 1}
        body = {
            "msg": question,
            "collection_id": collection(who),
            "max_tokens": ANSWER_TOKENS,
            "rag": rag,
        }
        job = _accepted(who.send("POST", "/job", json={"ask": body}))
        self.jobs.append(job)
        ended = who.until_over(f"/job/result/{job}", lambda reply: reply.status_code == 200)
        if ended["status"] == "done":
            self._to_review.put((who, who.send("GET", f"/ai/result/{job}").json()["id"]))

    def _upload(self, who: Organisation, log: Log) -> None:
        path = f"/collections/{collection(who)}/documents"
        reply = who.send("POST", path, params={"name": log.name}, data=log.content)
        document = _accepted(reply)
        self.documents[document] = who, log
        who.until_over(f"/documents/{document}", lambda reply: reply.json()["state"] > 2)

    def _review(self, text: str) -> None:
        who, answer = self._to_review.get(timeout=self.organisations[0].patience_s)
        review = {"id": answer, "reviewed_answer": text, "reviewed_score": 90}
        _accepted(who.send("PUT", "/ai/result", json=review))
        self.reviews.append(text)


def _accepted(reply: requests.Response) -> int:
    """The id that an acceptance names. Raises ValueError for a refusal."""
    if reply.status_code not in (200, 201, 202):
        raise ValueError(f"{reply.request.method} {reply.url}: {reply.status_code} {reply.text}")
    number: int = reply.json()["id"]
    return number


def collection(organisation: Organisation) -> str:
    """The name of its collection."""
    return f"station-{organisation.number}"
