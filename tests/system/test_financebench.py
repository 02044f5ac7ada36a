"""Retrieval among a thousand pages of filings: is the gold page among the first five?"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.system.commands import redten
from tests.system.jobs import answered, ask
from tests.system.people import Person

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "financebench"
COLLECTION = "financebench"
INGEST_S, ANSWER_S = 2400.0, 300.0
ENOUGH = 21


def gold(question: dict[str, Any]) -> set[tuple[str, int]]:
    """The places that bear the answer; the data counts pages from 0."""
    return {(f"{one['doc_name']}.pdf", one["page_index"] + 1) for one in question["evidence"]}


def found(person: Person, question: str) -> set[tuple[str, int]]:
    """The places of the first five passages."""
    rag = {"match_docs": 5, "max_doc_scores": 5, "min_q_score": -1, "margin": 4}
    job_id = ask(person.door, question, COLLECTION, max_tokens=8, **rag)
    passages = answered(person.door, job_id, ANSWER_S)["data"]["passages"]
    assert len(passages) == 5
    return {(one["source"], one["page"]) for one in passages}


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not DATA.exists(), reason=f"the filings are not at {DATA}")
def test_the_gold_page_is_among_the_first_five_for_two_thirds_of_the_questions(
    person: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = redten(person, "ingest", DATA / "pdfs", "-c", COLLECTION, limit_s=INGEST_S)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    questions = [json.loads(line) for line in (DATA / "questions.jsonl").read_text().splitlines()]

    hits = [bool(gold(one) & found(person, one["question"])) for one in questions]

    with capsys.disabled():
        print(f"\nthe gold page is among the first five for {sum(hits)} of {len(hits)} questions")
    assert len(hits) == 32
    assert sum(hits) >= ENOUGH
