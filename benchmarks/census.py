"""Who is missing, who is there twice, and who is where they don't belong, at the end of it all."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from sqlalchemy import NullPool, create_engine
from sqlalchemy.orm import Session

from benchmarks.crowd import Crowd, Organisation
from benchmarks.ledger import Ledger
from local.postgres import Postgres
from models.referred import Known, referred_places
from models.work import State

RESULTS = """
select id, state, coalesce(code, ''), coalesce(msg, ''),
       (select count(*) from answers where job_id = jobs.id and origin = 'chain')
from jobs
"""
DOCUMENTS = "select id, state, coalesce(code, ''), coalesce(msg, ''), chunks from documents"
CHUNKS = "select position, text from chunks where document_id = %s order by position"
REVIEWS = """
select answer, count(*), bool_and(state = 3 and computed_score is not null) from reviews
group by answer
"""
# Rows that are there twice.
TWICE = {
    "document": """
        select name from documents where state <> 4
        group by collection_id, name having count(*) > 1""",
    "chunk": """
        select document_id || '/' || position from chunks
        group by document_id, version, position having count(*) > 1""",
}
# Rows of one tenant that hang on another's.
FOREIGN = {
    "answer": """
        select a.id from answers a join jobs j on j.id = a.job_id
        where a.tenant_id <> j.tenant_id""",
    "passage": """
        select a.id from answers a, jsonb_array_elements(a.data -> 'passages') as p
        join documents d on d.id = (p ->> 'document_id')::int where d.tenant_id <> a.tenant_id""",
    "chunk": """
        select c.id from chunks c join documents d on d.id = c.document_id
        where c.tenant_id <> d.tenant_id or c.collection_id <> d.collection_id""",
    "review": """
        select r.id from reviews r join answers a on a.id = r.answer_id
        where r.tenant_id <> a.tenant_id""",
}
PASSAGES = """
select a.id, t.name, p ->> 'text' from answers a join tenants t on t.id = a.tenant_id,
       jsonb_array_elements(a.data -> 'passages') as p
"""
FAILED = """
select 'question', code from jobs where state = 4
union all select 'document', code from documents where state = 4
union all select 'review', code from reviews where state = 4
"""


@dataclass
class Census:
    """What is wrong, a line each; `failed` counts what has failed with a reason, by the reason."""

    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)


def take(ledger: Ledger, crowd: Crowd) -> Census:
    """Compares the database with what the crowd was told; all work should be over."""
    found = Census()
    with ledger.connection() as connection:
        _questions(connection, found, crowd)
        _documents(connection, found, crowd)
        _reviews(connection, found, crowd)
        for kind, query in TWICE.items():
            found.twice += [f"{kind} {row[0]}" for row in connection.execute(query.encode())]
        for kind, query in FOREIGN.items():
            found.foreign += [f"{kind} {row[0]}" for row in connection.execute(query.encode())]
        found.foreign += _read_elsewhere(connection, crowd.organisations)
        failed = connection.execute(FAILED.encode())
        found.failed.update(f"{kind}: {code}" for kind, code in failed)
    return found


def _questions(connection: psycopg.Connection, found: Census, crowd: Crowd) -> None:
    rows = connection.execute(RESULTS.encode()).fetchall()
    missing = set(crowd.jobs) - {row[0] for row in rows}
    found.lost += [f"question {id} was accepted and is not there" for id in missing]
    for id, state, code, msg, answers in rows:
        if answers > (state == State.DONE):
            found.twice.append(f"question {id} in state {state} has {answers} answers")
        elif not (answers if state == State.DONE else _readable(state, code, msg)):
            found.lost.append(f"question {id} is in state {state} without an answer or a reason")


def _readable(state: int, code: str, msg: str) -> bool:
    """Whether it is a failure that says why."""
    return bool(state == State.FAILED and code and msg)


def _documents(connection: psycopg.Connection, found: Census, crowd: Crowd) -> None:
    rows = connection.execute(DOCUMENTS.encode()).fetchall()
    missing = set(crowd.documents) - {row[0] for row in rows}
    found.lost += [f"document {id} was accepted and is not there" for id in missing]
    for id, state, code, msg, chunks in rows:
        if state != State.DONE and not _readable(state, code, msg):
            found.lost.append(f"document {id} is in state {state} without a reason")
        # Others were accepted too, but the answer has not reached the client.
        elif state == State.DONE and id in crowd.documents:
            found.lost += _incomplete(connection, id, chunks, crowd)


def _incomplete(
    connection: psycopg.Connection, id: int, chunks: int | None, crowd: Crowd
) -> list[str]:
    """What a document that is done lacks: positions, entries of its text, being found."""
    _, log = crowd.documents[id]
    rows = connection.execute(CHUNKS.encode(), (id,)).fetchall()
    text = "\n".join(row[1] for row in rows)
    wrong = []
    if [row[0] for row in rows] != list(range(chunks or 0)):
        wrong.append(f"document {id} has {len(rows)} chunks and says {chunks}")
    if absent := [entry for entry in log.entries if entry not in text]:
        wrong.append(f"document {id} lacks {len(absent)} entries")
    if not crowd.finds(id):
        wrong.append(f"document {id} is not found")
    return wrong


def _reviews(connection: psycopg.Connection, found: Census, crowd: Crowd) -> None:
    rows = {row[0]: row[1:] for row in connection.execute(REVIEWS.encode())}
    for said in crowd.reviews:
        count, scored = rows.get(said, (0, False))
        if count > 1:
            found.twice.append(f"{said} is there {count} times")
        elif not scored:
            found.lost.append(f"{said} is there {count} times, without a score")


def _read_elsewhere(connection: psycopg.Connection, organisations: list[Organisation]) -> list[str]:
    """Answers that were given passages about a place of somebody else's."""
    rows = connection.execute(PASSAGES.encode()).fetchall()
    return [
        f"answer {id} of {tenant} has read of {other.place}"
        for id, tenant, text in rows
        for other in organisations
        if other.tenant != tenant and other.place in text
    ]


def orphaned_blobs(postgres: Postgres, root: Path) -> list[str]:
    """Files of the blob store that no row refers to."""
    engine = create_engine(postgres.admin_url, poolclass=NullPool)
    with Session(engine) as session:
        known = Known(frozenset(referred_places(session)))
    files = (str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    return sorted(place for place in files if not known.has(place))
