"""`redten ask`: what it sends, prints and exits with."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from cli import main
from client.show import NOT_GROUNDED, NOT_SUPPORTED
from tests.unit.client_stub import ANSWER, EMAIL, NO_SUCH_USER, USER, Reply, Stub, answering


@pytest.fixture
def stub() -> Stub:
    return answering()


def run(stub: Stub, *args: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, args, obj=stub.client(), input=stdin)


def asked(stub: Stub) -> dict[str, object]:
    [body] = stub.asked("POST", "/job")
    ask: dict[str, object] = body["ask"]
    return ask


def test_an_answer_is_printed_with_score_source_page_model_and_job(stub: Stub) -> None:
    result = run(stub, "ask", "how much oil?")

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "The lamp burns 1,200 litres.",
        "",
        "score      0.80 (question 0.75, answer 0.85)",
        "source     handbook.pdf, page 3",
        "model      small.gguf",
        "job        5",
    ]
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("data", "note"),
    [
        ({"grounded": False, "supported": False}, NOT_GROUNDED),
        ({"grounded": True, "supported": False}, NOT_SUPPORTED),
    ],
)
def test_doubt_is_printed(stub: Stub, data: dict[str, bool], note: str) -> None:
    stub.on("GET", "/ai/result/5", (200, ANSWER | {"data": data}))

    assert note in run(stub, "ask", "how much oil?").stdout


def test_control_characters_in_an_answer_do_not_reach_the_terminal(stub: Stub) -> None:
    stub.on("GET", "/ai/result/5", (200, ANSWER | {"answer": "a\x1b]0;owned\x07b\tc\nd\x9b"}))

    assert run(stub, "ask", "how much oil?").stdout.startswith("a]0;ownedb\tc\nd\n")


def test_the_question_comes_from_a_file(stub: Stub, tmp_path: Path) -> None:
    file = tmp_path / "question.txt"
    file.write_text("\nhow much\noil?\n")

    run(stub, "ask", "-f", str(file))

    assert asked(stub)["msg"] == "how much\noil?"


@pytest.mark.parametrize("args", [["ask", "-"], ["ask"], ["ask", "-f", "-"]])
def test_the_question_comes_from_standard_input(stub: Stub, args: list[str]) -> None:
    assert run(stub, *args, stdin="how much oil?\n").exit_code == 0

    assert asked(stub)["msg"] == "how much oil?"


@pytest.mark.parametrize(
    ("args", "stdin"),
    [(["ask", " "], None), (["ask"], ""), (["ask", "what?", "-f", "-"], "what?")],
)
def test_no_question_or_two_are_wrong_usage(stub: Stub, args: list[str], stdin: str | None) -> None:
    result = run(stub, *args, stdin=stdin)

    assert result.exit_code == 2
    assert stub.requests == []


def test_options_are_sent_and_what_was_not_given_is_left_to_the_defaults(stub: Stub) -> None:
    run(
        stub,
        *("ask", "how much oil?", "-c", "lights", "--model", "big", "--max-tokens", "9"),
        *("--n-ctx", "99", "--match-docs", "5", "--min-q-score", "0", "--min-a-score", "0.5"),
        *("--session", "s1", "--tags", "a,b"),
    )

    ask = asked(stub)
    assert {name: ask.get(name) for name in ("collection_id", "model_name", "tags")} == {
        "collection_id": "lights",
        "model_name": "big",
        "tags": "a,b",
    }
    assert (ask["max_tokens"], ask["n_ctx"], ask["session_id"]) == (9, 99, "s1")
    assert ask["rag"] == {
        "match_docs": 5,
        "max_doc_scores": 5,
        "min_q_score": 0.0,
        "min_a_score": 0.5,
    }


def test_the_collection_can_be_left_out(stub: Stub) -> None:
    run(stub, "ask", "how much oil?", "--no-collection")

    assert asked(stub)["collection_id"] is None


def test_without_waiting_the_job_is_named(stub: Stub) -> None:
    result = run(stub, "ask", "how much oil?", "--no-wait")

    assert "redten result 5" in result.stdout
    assert "GET /job/5" not in stub.routes


def test_a_failed_job_is_one_line_and_exit_code_1(stub: Stub) -> None:
    stub.on("GET", "/job/5", (200, {"id": 5, "state": 4, "msg": "lost\nthree times"}))

    result = run(stub, "ask", "how much oil?")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "redten: job 5 failed: lost three times\n"


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (KeyboardInterrupt(), ""),
        ((400, {"code": "invalid_token", "message": "it has expired"}), "it has expired; "),
    ],
)
def test_who_stops_waiting_is_told_how_to_go_on(stub: Stub, reply: Reply, said: str) -> None:
    stub.on("GET", "/job/5", reply)

    result = run(stub, "ask", "how much oil?")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"redten: {said}job 5 goes on: redten result 5\n"


def test_an_unknown_collection_is_told_in_the_servers_words(stub: Stub) -> None:
    stub.on("POST", "/job", (404, {"code": "collection_not_found", "message": "no collection x"}))

    result = run(stub, "ask", "how much oil?")

    assert (result.exit_code, result.stderr) == (1, "redten: no collection x\n")


# --- every command ------------------------------------------------------------------------------


@pytest.mark.parametrize("args", [["ask", "how much oil?"], ["result", "5"], ["search", "5"]])
def test_an_account_that_was_made_is_told(stub: Stub, args: list[str]) -> None:
    stub.on("POST", "/login", NO_SUCH_USER, (201, USER))
    stub.on("POST", "/user", (201, USER))
    stub.on("POST", "/ai/result/search", (200, {"recs": []}))

    result = run(stub, *args)

    assert (result.exit_code, result.stderr) == (0, f"made an account for {EMAIL}\n")


@pytest.mark.parametrize(
    "path",
    ["ask", "cancel", "result", "review", "search", "users", "collections", "documents", "ingest"],
)
def test_the_command_is_found_by_its_name(path: str) -> None:
    command = main.get_command(click.Context(main), path)

    assert command is not None
    assert command.name == path
    assert command.help
