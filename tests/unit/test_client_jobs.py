"""The commands about questions and about work that failed."""

import json
import re

import pytest
from click.testing import CliRunner, Result

from cli import main
from tests.unit.client_stub import Stub

JOB = {"id": 5, "state": 4, "status": "failed", "step": "generate_answer", "attempt": 3}
FAILED = {"kind": "document", "id": 8, "name": "a.pdf", "code": "lost", "msg": "lost 3 times"}
AGAIN = {"kind": "document", "id": 8, "attempt": 4}
GONE = {"kind": "document", "id": 9, "code": "input_gone", "message": "its file is gone"}


@pytest.fixture
def stub() -> Stub:
    stub = Stub()
    stub.on("GET", "/jobs", (200, {"jobs": [JOB]}))
    stub.on("GET", "/failures", (200, {"failures": [FAILED]}))
    stub.on("POST", "/failures/document/8/retry", (202, AGAIN))
    first = {"retried": [AGAIN], "refused": [], "next": "later"}
    stub.on("POST", "/failures/retry", (202, first), (202, {"retried": [], "refused": [GONE]}))
    return stub


def run(stub: Stub, *args: str) -> Result:
    return CliRunner().invoke(main, ("jobs", *args), obj=stub.client())


def test_jobs_are_listed_with_where_they_stand(stub: Stub) -> None:
    header, row = run(stub, "--state", "failed").stdout.splitlines()

    assert header.split()[:3] == ["ID", "STATUS", "STEP"]
    assert re.split(r" {2,}", row) == ["5", "failed", "generate_answer", "3"]
    assert "state=failed" in str(stub.requests[-1].url)


def test_failures_of_every_kind_are_listed_with_their_reason(stub: Stub) -> None:
    result = run(stub, "--failed", "--kind", "document", "--json")

    [failure] = json.loads(result.stdout)
    assert (failure["kind"], failure["id"], failure["msg"]) == ("document", 8, "lost 3 times")
    assert "kind=document" in str(stub.requests[-1].url)


def test_one_is_tried_again(stub: Stub) -> None:
    result = run(stub, "retry", "8", "--kind", "document")

    assert (result.exit_code, result.stdout) == (0, "document 8 begins again, attempt 4\n")


def test_all_are_tried_again_page_by_page_and_what_is_refused_is_told(stub: Stub) -> None:
    result = run(stub, "retry", "--all", "--code", "lost")

    assert result.stdout.splitlines() == [
        "document 8 begins again, attempt 4",
        "document 9: its file is gone",
    ]
    assert (result.exit_code, result.stderr) == (1, "redten: 1 of 2 cannot be tried again\n")
    assert "after=later" in str(stub.requests[-1].url)


@pytest.mark.parametrize("args", [("retry",), ("retry", "8", "--all"), ("--kind", "job")])
def test_what_makes_no_sense_is_refused_before_anything_is_asked(stub: Stub, args) -> None:
    assert run(stub, *args).exit_code == 2
    assert stub.routes == []
