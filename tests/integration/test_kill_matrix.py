"""SIGKILL at every named point: what was accepted still ends with exactly one result.

Each round stops processes at points that lie in different workers, each with work of its own
under way, and then kills: the workers themselves, a parser, Valkey, Postgres (which loses every
connection and recovers as after a crash), or every connection to it. A worker that is told to stop
in place of a kill ends by itself, and loses nothing at all.
"""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil
import psycopg
import pytest

from local.postgres import DATABASE
from models.collection import find_collection
from models.session import session_scope
from models.source import add_source
from models.work import State
from tasks import chains
from tests.conftest import CLUSTER, LAYOUT
from tests.integration.door import ask
from tests.integration.processes import kill, session_value, until, worker, workers

MODULE = "tests.integration.kill_points"
ARMED = LAYOUT.run / "kill-points"
QUEUES = ("pipeline", "inference", "ingest", "sweep")
# Each round: points in different workers, and the work that comes to each.
QUESTION, DOCUMENT, REVIEW, FILE, SOURCE, UNSENT = (
    *("question", "document", "review", "file", "source"),
    "question that the API did not send",
)
SHORT = [
    {"in embed": QUESTION, "in generate": QUESTION, "in chunk": DOCUMENT},
    {"before the answer is committed": QUESTION, "before the chunks are committed": DOCUMENT},
]
LONG = [
    {"before the claim of embed_question": QUESTION, "before the claim of load_document": DOCUMENT},
    {"after the claim of embed_question": QUESTION, "after the claim of chunk_document": DOCUMENT},
    {"in retrieve": QUESTION, "after the claim of generate_answer": QUESTION, "in load": DOCUMENT},
    {
        "in score": QUESTION,
        "before generate_answer hands on": QUESTION,
        "in embed_document": DOCUMENT,
    },
    {
        "before score_answer hands on": QUESTION,
        "before score_answer is sent": QUESTION,
        "before store_document is sent": DOCUMENT,
    },
    {
        "before persist_answer is acknowledged": QUESTION,
        "before generate_answer is acknowledged": QUESTION,
        "before store_document is acknowledged": DOCUMENT,
    },
    {"before the sweep commits": UNSENT, "in embed_file": FILE},
    {"before the sweep sends": UNSENT, "before the vectors are committed": FILE},
    {"in retrieve_support": REVIEW, "in sync": SOURCE},
    {"before the score is committed": REVIEW, "before the run is committed": SOURCE},
    {"after the claim of embed_review": REVIEW, "before load_document hands on": DOCUMENT},
    {"after the claim of score_review": REVIEW, "after the claim of sync_source": SOURCE},
    {"before persist_review is acknowledged": REVIEW, "after the claim of embed_file": FILE},
]
WORKERS, VALKEY, POSTGRES = "workers", "Valkey", "Postgres"
CONNECTIONS, STOP = "connections", "a stop"
REPORT: list[tuple[str, str, float]] = []


class Crew:
    """Every queue's worker, started again whenever it has died, as a supervisor does."""

    def __init__(self, made: dict[str, Any]) -> None:
        self.made, self.over = made, threading.Event()
        self.thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self.over.wait(0.1):
            for queue, process in self.made.items():
                if process.poll() is not None:
                    self.made[queue] = worker(queue, MODULE, 2)

    def __enter__(self) -> "Crew":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()
        for process in self.made.values():
            kill(process)


@pytest.fixture(scope="module")
def crew(services: None) -> Iterator[Crew]:
    ARMED.mkdir(exist_ok=True)
    with workers(2, **dict.fromkeys(QUEUES, MODULE)) as made, Crew(made) as crew:
        yield crew
    for point, victim, seconds in REPORT:
        print(f"{point:45}{victim:14}{seconds:6.1f} s")


@pytest.fixture
def armed(db: None) -> Iterator[Callable[..., None]]:
    """Says at which points a process is to stop, and what is to be killed there."""

    def arm(points: Iterable[str], victim: str) -> None:
        for point in points:
            (ARMED / point).write_text("worker" if victim == WORKERS else victim)

    _disarm()
    yield arm
    _disarm()


def _disarm() -> None:
    for file in ARMED.iterdir():
        file.unlink(missing_ok=True)


def _reached(point: str) -> Any:
    return until(lambda: _note(point), 60)


def _note(point: str) -> Any:
    with suppress(FileNotFoundError):
        return json.loads((ARMED / f"{point}.reached").read_text())
    return None


def _begin(kind: str, number: int, http: Any, owner: Any, admin: Any) -> tuple[str, int]:
    """Work of that kind, accepted; its table and id."""
    text = f"The tower number {number} is {number} metres high."
    if kind == QUESTION:
        return "jobs", ask(http, owner, text)
    if kind == UNSENT:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(chains, "send", lambda *_: False)
            return "jobs", ask(http, owner, text)
    if kind == DOCUMENT:
        path = f"/collections/embed-security/documents?name=tower-{number}.md"
        return "documents", http.post(path, data=text.encode(), headers=owner).json["id"]
    if kind == FILE:
        path = f"/embed/files?name={number}.txt"
        return "embeddings", http.post(path, data=text.encode(), headers=owner).json["id"]
    if kind == REVIEW:
        return "reviews", _review(text, http, owner, admin)
    return "sources", _source(text, admin)


def _review(text: str, http: Any, owner: Any, admin: Any) -> int:
    made = http.post("/ai/result", json={"question": text, "answer": "?"}, headers=owner).json
    with session_scope(1) as session:
        collection = find_collection(session, admin, "embed-security").id
    session_value(f"update answers set collection_id = {collection} returning 1")
    body = {"id": made["id"], "reviewed_answer": text, "reviewed_score": 90}
    assert http.put("/ai/result", json=body, headers=owner).status_code == 200
    return int(session_value("select max(id) from reviews"))


def _source(text: str, admin: Any) -> int:
    folder = LAYOUT.root / f"source-{time.monotonic_ns()}"
    folder.mkdir()
    (folder / "a.md").write_text(text)
    with session_scope(1) as session:
        collection = find_collection(session, admin, "embed-security")
        made = add_source(session, admin, collection, str(folder))
    assert made is not None
    chains.send("source", 1, made.id, made.attempt)
    return made.id


def _kill(victim: str, valkey_server: Any) -> None:
    if victim == VALKEY:
        valkey_server.restart()
    elif victim == CONNECTIONS:
        session_value(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = 'redten'"
        )
    elif victim == POSTGRES:
        pid = 0
        with suppress(psycopg.OperationalError), CLUSTER.connect(DATABASE) as connection:
            pid = connection.info.backend_pid
            os.kill(pid, signal.SIGKILL)
            connection.execute(b"select pg_sleep(10)")
        until(lambda: not psutil.pid_exists(pid))  # who has reaped it knows of the crash
        until(CLUSTER.answers)


def _ended(table: str, id: int) -> None:
    until(lambda: session_value(f"select state from {table} where id = {id}") in (3, 4), 90)
    said = session_value(f"select concat(state, ' ', code, ' ', msg) from {table} where id = {id}")
    assert said.strip() == f"{State.DONE:d}"


RESULTS = {
    "jobs": "select count(*) from answers where job_id = {id}",
    "documents": "select count(*) from documents d where id = {id} and chunks = (select"
    " count(*) from chunks where document_id = d.id having count(*) = count(distinct position))",
    "reviews": "select count(computed_score) from reviews where id = {id}",
    "embeddings": "select count(*) from embeddings where id = {id} and done = total",
    "sources": "select count(*) from source_runs where source_id = {id} and added = 1",
}


def _one_result(table: str, id: int) -> None:
    assert session_value(RESULTS[table].format(id=id)) == 1
    if table == "sources":
        assert session_value("select count(*) from documents where synced") == 1
        assert session_value(f"select count(*) from source_runs where source_id = {id}") == 1


@contextmanager
def _killed(points: dict[str, str], victim: str, valkey_server: Any) -> Iterator[dict[str, float]]:
    """Kills once every point is reached; gives the moments, on the clock that Postgres has too."""
    moments: dict[str, float] = {}
    yield moments
    notes = {point: _reached(point) for point in points}
    moments |= {point: note["at"] for point, note in notes.items()}
    if victim == WORKERS:
        return
    moments |= dict.fromkeys(points, time.time())
    stopped = {note["pid"] for note in notes.values()} if victim == STOP else set()
    for pid in stopped:
        os.kill(pid, signal.SIGTERM)
    _kill(victim, valkey_server)
    (ARMED / "go").touch()
    until(lambda: not any(map(psutil.pid_exists, stopped)))


def _round(points, victim, crew, armed, http, owner, admin, valkey_server) -> None:
    armed(points, victim)
    begun = {}
    with _killed(points, victim, valkey_server) as moments:
        for number, (point, kind) in enumerate(points.items()):
            begun[point] = _begin(kind, number, http, owner, admin)
    for point, (table, id) in begun.items():
        _ended(table, id)
        _one_result(table, id)
        ended = session_value(f"select extract(epoch from since) from {table} where id = {id}")
        if victim == STOP:
            assert session_value(f"select losses from {table} where id = {id}") == 0
        # Below zero where the kill came after what ended it had begun.
        REPORT.append((point, victim, max(0.0, float(ended) - moments[point])))


@pytest.mark.parametrize(("points", "victim"), [(SHORT[0], WORKERS), (SHORT[1], POSTGRES)])
def test_a_kill_costs_nothing(points, victim, crew, armed, http, owner, admin, valkey_server):
    _round(points, victim, crew, armed, http, owner, admin, valkey_server)


@pytest.mark.long
@pytest.mark.parametrize("victim", [WORKERS, VALKEY, POSTGRES, CONNECTIONS, STOP])
@pytest.mark.parametrize("points", [*SHORT, *LONG], ids=lambda points: ", ".join(points))
def test_a_kill_at_every_point_costs_nothing(
    points, victim, crew, armed, http, owner, admin, valkey_server
):
    _round(points, victim, crew, armed, http, owner, admin, valkey_server)


# More than a pipe holds: the parser is still writing when the first of its pages is taken.
LARGE = ("The tower is high." + " " * 50_000 + "\f") * 60


def test_a_parser_that_is_killed_costs_its_document_one_loss(crew, armed, http, owner):
    armed(["amid the pages"], "a parser")
    path = "/collections/embed-security/documents?name=large.txt"
    document = http.post(path, data=LARGE.encode(), headers=owner).json["id"]
    worker_id = _reached("amid the pages")["pid"]
    for child in psutil.Process(worker_id).children():
        if "ingest.load.child" in child.cmdline():
            child.kill()
    (ARMED / "go").touch()
    _ended("documents", document)
    _one_result("documents", document)
    assert session_value(f"select losses from documents where id = {document}") == 1
