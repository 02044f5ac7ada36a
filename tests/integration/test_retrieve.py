"""Which passages are found: by meaning, by words, by the document that is meant."""

from collections.abc import Iterator

import pytest

from engines.embedder import get_embedder
from models.filters import Filters
from models.session import session_scope
from tasks.find import Hit, find_passages
from tests.integration.door import upload
from tests.integration.processes import session_value, workers

REPORTS = {
    "GULLROCK_2021_report.md": "Report of Gull Rock Harbour Board for 2021.\n\nFees were 100.",
    "GULLROCK_2022_report.md": "Report of Gull Rock Harbour Board for 2022.\n\nFees were 200.",
    "VIKSUND_2022_report.md": "Report of Viksund Harbour Board for 2022.\n\nFees were 300.",
    "parts.csv": "part,note\nGR-1881/B,the lamp's lens\nGR-1882/B,the lamp's shutter\n",
}


@pytest.fixture(scope="module", autouse=True)
def alive(services: None) -> Iterator[None]:
    with workers(inference="", pipeline=""):
        yield


@pytest.fixture
def reports(http, owner) -> int:
    for name, text in REPORTS.items():
        upload(http, owner, name, text.encode())
    return session_value("select id from collections")


def found(collection: int, question: str, count: int = 3, **more: object) -> list[Hit]:
    [vector] = get_embedder().embed([question], "query")
    with session_scope(1) as session:
        return find_passages(session, question, vector, [collection], count, **more)


@pytest.mark.parametrize(
    ("question", "source"),
    [
        ("What were the fees of Gull Rock in 2021?", "GULLROCK_2021_report.md"),
        ("What were the fees of Gull Rock in FY22?", "GULLROCK_2022_report.md"),
        ("What were the fees of Viksund in 2022?", "VIKSUND_2022_report.md"),
        ("GR-1882/B", "parts.csv"),
    ],
)
def test_the_document_that_the_question_names_comes_first(reports, question, source):
    assert found(reports, question)[0].source == source


def test_each_chunk_is_found_once_with_its_signals(reports):
    hits = found(reports, "What were the fees of Viksund in 2022?", 50)

    assert len({hit.id for hit in hits}) == len(hits) == 4
    assert hits[0].about == pytest.approx(max(hit.about for hit in hits))
    assert all(0 <= hit.borne <= hit.words <= 1 for hit in hits)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


@pytest.mark.parametrize("mode", ["hybrid", "vector", "text"])
def test_filters_hold_in_every_mode(reports, mode):
    only = Filters(names=("VIKSUND*",))

    hits = found(reports, "What were the fees of Gull Rock in 2021?", mode=mode, filters=only)

    assert {hit.source for hit in hits} == {"VIKSUND_2022_report.md"}


def test_an_identifier_is_found_as_it_is_written(reports):
    [first, *_] = found(reports, "What is GR-1882/B for?")

    assert first.source == "parts.csv"
    assert first.borne == pytest.approx(1)


def test_text_finds_only_what_has_a_word_of_the_question(reports):
    assert [hit.source for hit in found(reports, "shutter", mode="text")] == ["parts.csv"]
    assert found(reports, "cathedral", mode="text") == []


def test_of_a_question_without_end_the_beginning_is_searched(reports):
    assert found(reports, "shutter" + " " * 900 + "x" * 9000, mode="text") != []
    assert found(reports, "x " * 600 + "shutter", mode="text") == []


def test_nothing_is_found_in_a_collection_of_another_tenant(reports):
    [vector] = get_embedder().embed(["fees"], "query")
    session_value("update collections set visibility = 'private' returning id")
    with session_scope(2) as session:
        assert find_passages(session, "fees", vector, [reports], 3) == []
