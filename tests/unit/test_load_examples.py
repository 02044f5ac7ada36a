"""The sample documents hold what the sample questions ask, on the page that they name."""

import json
from pathlib import Path

import pytest

from tests.unit.loading import pages as loaded

EXAMPLES = Path(__file__).parents[2] / "examples"
QUESTIONS = json.loads((EXAMPLES / "questions.json").read_text(encoding="utf-8"))


def pages(name: str) -> dict[int, str]:
    found = loaded(EXAMPLES / "documents" / name, name)
    return {page.number: page.text for page in found}


@pytest.mark.parametrize("asked", QUESTIONS, ids=lambda asked: asked["question"])
def test_the_answer_is_on_the_page_named(asked):
    text = pages(asked["source"])[asked["page"]]

    assert all(fact in text for fact in asked["answer_contains"])


def test_the_first_three_questions_need_a_document_each():
    assert len({asked["source"] for asked in QUESTIONS[:3]}) == 3


def test_the_handbook_counts_the_lamps_that_the_table_lists():
    handbook = pages("lighthouse-handbook.pdf")[3]
    stations = "\n".join(pages("stations.csv").values())

    assert stations.count("station: ") == 128
    for kind in ("Wick lamp", "Twin wick lamp", "Vapour burner", "Electric bulb", "Solar diode"):
        [row] = [line for line in handbook.splitlines() if line.startswith(kind)]
        assert stations.count(f"lamp: {kind.lower()};") == int(row.split()[-1])
