"""The commands result, review and search, and the JSON of all of them."""

import json
import re

import pytest
from click.testing import CliRunner, Result

from cli import main
from client.show import band, place
from tests.unit.client_stub import ANSWER, Stub, answering


@pytest.fixture
def stub() -> Stub:
    return answering()


def run(stub: Stub, *args: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, args, obj=stub.client(), input=stdin)


# --- result -------------------------------------------------------------------------------------


def test_a_result_shows_passages_and_the_newest_review(stub: Stub) -> None:
    review = {"reviewed_answer": "1,300", "reviewed_score": 97.5, "reviewed_computed_score": 0.7}
    stub.on("GET", "/ai/result/5", (200, ANSWER | review))

    shown = run(stub, "result", "5").stdout

    assert "Q: how much oil?" in shown
    assert "handbook.pdf, page 3 (0.80)\n    oil" in shown
    assert "review     1,300\nconfidence 97.5 of 100, known fact\ncomputed   0.70" in shown


def test_a_result_shows_which_passage_bears_each_sentence(stub: Stub) -> None:
    said = "The lamp burns oil.\nA lot of it. Who knows?"
    passages = [
        {"source": "lamps.xlsx", "page": 2, "text": "oil", "locator": LOCATORS[2][0]},
        {"source": "old.pdf", "page": 7, "text": "a lot"},
    ]
    citations = [
        {"start": 0, "end": 19, "passage": 0, "source": "lamps.xlsx", "page": 2, "score": 0.9},
        {"start": 20, "end": 32, "passage": 1, "source": "old.pdf", "page": 7},
    ]
    data = {"passages": passages, "citations": citations}
    stub.on("GET", "/ai/result/5", (200, ANSWER | {"answer": said, "data": data}))

    shown = run(stub, "result", "5").stdout

    assert "cited      The lamp burns oil. (lamps.xlsx, sheet Oil, rows 4-9)\n" in shown
    assert "cited      A lot of it. (old.pdf, page 7)\n" in shown
    assert "Who knows? (" not in shown
    assert "\nlamps.xlsx, sheet Oil, rows 4-9\n    oil" in shown


LOCATORS = [
    ({"page": 3}, "a, page 3"),
    ({"slide": 2}, "a, slide 2"),
    ({"rows": [4, 9], "sheet": "Oil"}, "a, sheet Oil, rows 4-9"),
    ({"lines": [12, 12]}, "a, line 12"),
    ({"section": "Lamps › Oil"}, "a, section Lamps › Oil"),
    ({}, "a, page 1"),
]


@pytest.mark.parametrize(("locator", "told"), LOCATORS)
def test_a_place_is_told_in_the_words_of_its_format(locator: dict[str, object], told: str) -> None:
    assert place("a", 1, locator) == told


def test_a_result_without_a_review_shows_none(stub: Stub) -> None:
    assert "confidence" not in run(stub, "result", "5").stdout


def test_a_result_that_is_not_there_yet_can_be_left_unwaited(stub: Stub) -> None:
    stub.on("GET", "/job/5", (200, {"id": 5, "state": 2, "step": "generate_answer"}))

    result = run(stub, "result", "5", "--no-wait")

    assert result.exit_code == 1
    assert result.stderr == "redten: job 5 is not over yet: generate answer\n"


# --- review -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("confidence", "name"),
    [
        (0, "not confident"),
        (64.9, "not confident"),
        (65, "somewhat confident"),
        (79, "somewhat confident"),
        (80, "confident"),
        (94, "confident"),
        (95, "known fact"),
        (100, "known fact"),
    ],
)
def test_a_confidence_falls_into_one_of_four_bands(confidence: float, name: str) -> None:
    assert band(confidence) == name


def test_a_review_is_sent_and_its_band_told(stub: Stub) -> None:
    stub.on("PUT", "/ai/result", (200, ANSWER | {"reviewed_answer": "1", "reviewed_score": 70}))

    result = run(stub, "review", "5", "-a", "1", "-s", "70", "--notes", "log")

    [sent] = stub.asked("PUT", "/ai/result")
    assert (sent["id"], sent["reviewed_score"], sent["reviewed_notes"]) == (9, 70.0, "log")
    assert "'somewhat confident'" in result.stdout


@pytest.mark.parametrize("score", ["100.1", "-1", "nan", "much"])
def test_a_confidence_outside_the_range_is_refused_before_anything_is_sent(
    stub: Stub, score: str
) -> None:
    result = run(stub, "review", "5", "-a", "1", "-s", score)

    assert result.exit_code != 0
    assert stub.asked("PUT", "/ai/result") == []


# --- search -------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", [["5"], ["by_job_id", "5"]])
def test_a_search_lists_the_answers_to_a_job(stub: Stub, query: list[str]) -> None:
    stub.on("POST", "/ai/result/search", (200, {"recs": [ANSWER]}))

    lines = run(stub, "search", *query).stdout.splitlines()

    assert stub.asked("POST", "/ai/result/search")[0]["job_id"] == 5
    assert re.split(r" {2,}", lines[1]) == [
        *("9", "5", "0.80", "how much oil?", "The lamp burns 1,200 litres.")
    ]


@pytest.mark.parametrize("query", [["by_job_id"], ["by_name", "5"], ["5", "6"], ["x"]])
def test_other_searches_are_wrong_usage(stub: Stub, query: list[str]) -> None:
    assert run(stub, "search", *query).exit_code == 2


# --- for machines -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "key", "value"),
    [
        (["ask", "how much oil?"], "match_page", 3),
        (["ask", "how much oil?", "--no-wait"], "id", 5),
        (["result", "5"], "score", 0.8),
        (["review", "5", "-a", "1", "-s", "70"], "job_id", 5),
    ],
)
def test_json_is_all_there_is_on_standard_output(
    stub: Stub, args: list[str], key: str, value: object
) -> None:
    stub.on("PUT", "/ai/result", (200, ANSWER))

    result = run(stub, *args, "--json")

    assert json.loads(result.stdout)[key] == value
    assert result.stderr == ""


def test_found_answers_are_a_json_list(stub: Stub) -> None:
    stub.on("POST", "/ai/result/search", (200, {"recs": [ANSWER]}))

    assert [record["id"] for record in json.loads(run(stub, "search", "5", "--json").stdout)] == [9]
