"""Whether the right page is found, beside plain chunks and cosines in the same run.

    make bench-retrieval

Eleven filings lie in one collection, and the gold page shall be among the pages of the first k
passages, as POST /retrieve and the chain of a question find them. The peer: 1,000 characters,
200 of overlap, the same embedding model, exact cosines. Then 500 abstracts: is the question's own
the first one? Everything is ingested by a stack of the benchmark's own. Quality only: no times.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import requests

from benchmarks.ingestion import DATA, await_stored, send
from benchmarks.report import Figure, write
from benchmarks.stack import Stack, use_database_of

KS = (1, 3, 5, 10)
AIMS = {5: ">= 0.65", 10: ">= 0.78"}
PLAIN_CHARS, PLAIN_OVERLAP = 1000, 200

Place = tuple[str, int]
Search = Callable[[str], Sequence[Place]]


def main() -> None:
    """Both sets, on a stack of their own."""
    if not DATA.is_dir():
        raise SystemExit(f"{DATA} is not there: this benchmark needs its documents and questions")
    stack = Stack(Path(tempfile.mkdtemp(prefix="redten-bench-")) / "data")
    try:
        stack.start()
        use_database_of(stack)
        with stack.session() as session:
            figures = [*_filings(stack, session), _abstracts(stack, session)]
    finally:
        stack.forget()
    write("retrieval", figures)


def _filings(stack: Stack, session: requests.Session) -> Iterator[Figure]:
    files = sorted((DATA / "financebench/pdfs").glob("*.pdf"))
    collection = _ingest(stack, session, "filings", ((one.name, one.read_bytes()) for one in files))
    asked = [json.loads(line) for line in (DATA / "financebench/questions.jsonl").open()]
    gold = [_gold(one) for one in asked]
    questions = [one["question"] for one in asked]
    plain = _plain(files)
    baseline = _hits(questions, gold, plain)
    for told, search in (
        ("", _searching(collection, "hybrid")),
        (", cosines alone", _searching(collection, "vector")),
        (", words alone", _searching(collection, "text")),
        (", cosines without what is put before a chunk", _headless(collection)),
    ):
        found = _hits(questions, gold, search)
        for k in KS:
            yield Figure(
                figure=f"hit@{k}, 11 filings in one collection, {len(asked)} questions{told}",
                value=found[k],
                aim=AIMS.get(k, "") if not told else "",
                peer=f"plain chunks and cosines: {baseline[k]}",
            )


def _abstracts(stack: Stack, session: requests.Session) -> Figure:
    asked = [json.loads(line) for line in (DATA / "pubmedqa/questions.jsonl").open()]
    files = ((f"{one['pubid']}.txt", "\n\n".join(one["contexts"]).encode()) for one in asked)
    search = _searching(_ingest(stack, session, "abstracts", files), "hybrid")
    first = [search(one["question"])[0][0] == f"{one['pubid']}.txt" for one in asked]
    return Figure(
        figure=f"PubMedQA: the question's own abstract first among {len(asked)}",
        value=round(sum(first) / len(first), 4),
        aim=">= 0.97",
        peer="",
    )


def _ingest(
    stack: Stack, session: requests.Session, name: str, files: Iterator[tuple[str, bytes]]
) -> int:
    """The files in a new collection of that name; gives its id."""
    made = session.post(f"{stack.address}/collections", json={"name": name}, timeout=60)
    made.raise_for_status()
    ids = [send(stack, session, file, data, name) for file, data in files]
    print(f"  {name}: {await_stored(stack, session, ids)} chunks of {len(ids)} files", flush=True)
    number: int = made.json()["id"]
    return number


def _gold(asked: dict[str, Any]) -> set[Place]:
    """The data counts pages from 0."""
    return {(f"{one['doc_name']}.pdf", one["page_index"] + 1) for one in asked["evidence"]}


def _hits(questions: Sequence[str], gold: Sequence[set[Place]], search: Search) -> dict[int, float]:
    found = [list(search(question)) for question in questions]
    return {
        k: round(
            sum(bool(set(one[:k]) & wanted) for one, wanted in zip(found, gold, strict=True))
            / len(found),
            4,
        )
        for k in KS
    }


def _searching(collection: int, mode: Any) -> Search:
    from engines.embedder import get_embedder
    from models.session import session_scope
    from tasks.find import find_passages

    def search(question: str) -> Sequence[Place]:
        [vector] = get_embedder().embed([question], "query")
        with session_scope(1) as session:
            hits = find_passages(session, question, vector, [collection], max(KS), mode)
        return [(hit.source, hit.page) for hit in hits]

    return search


def _headless(collection: int) -> Search:
    """Cosines to the stored chunks, embedded without the lines that are put before them."""
    from sqlalchemy import select

    from models.document import Chunk, Document
    from models.session import session_scope

    with session_scope(1) as session:
        rows = session.execute(
            select(Document.name, Chunk.page, Chunk.text)
            .join(Document, Document.id == Chunk.document_id)
            .where(Chunk.collection_id == collection)
        ).all()
    return _cosines([(name, page) for name, page, _ in rows], [text for *_, text in rows])


def _plain(files: Sequence[Path]) -> Search:
    """What the simplest of all pipelines finds."""
    from ingest.load import Page, load

    places, texts = [], []
    for path in files:
        for page in load(path, path.name):
            if isinstance(page, Page):
                for start in range(0, len(page.text), PLAIN_CHARS - PLAIN_OVERLAP):
                    places.append((path.name, page.number))
                    texts.append(page.text[start : start + PLAIN_CHARS])
    return _cosines(places, texts)


def _cosines(places: Sequence[Place], texts: Sequence[str]) -> Search:
    from engines.embedder import get_embedder

    vectors = get_embedder().embed(texts)

    def search(question: str) -> Sequence[Place]:
        [vector] = get_embedder().embed([question], "query")
        return [places[number] for number in np.argsort(-(vectors @ vector))[: max(KS)]]

    return search


if __name__ == "__main__":
    main()
