"""The commands about sources."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli import main
from tests.unit.client_stub import Stub

RUN = {
    "id": 4,
    "started_at": "2030-01-02T00:00:00Z",
    "ended_at": "2030-01-02T00:00:09Z",
    "added": 1,
    "changed": 2,
    "unchanged": 3,
    "removed": 4,
    "failed": 1,
    "messages": [{"name": "a.pdf", "code": "too_large", "message": "larger than 9 bytes"}],
}
SOURCE = {
    "id": 3,
    "collection": "papers",
    "address": "s3://papers/2030",
    "every_s": 3600,
    "status": "done",
    "run": RUN,
}


@pytest.fixture
def stub() -> Stub:
    stub = Stub()
    stub.on("POST", "/sources", (201, SOURCE))
    stub.on("GET", "/sources", (200, {"sources": [SOURCE]}))
    stub.on("GET", "/sources/3", (200, SOURCE | {"runs": [RUN]}))
    stub.on("POST", "/sources/3/run", (202, SOURCE))
    stub.on("DELETE", "/sources/3", (200, {"id": 3}))
    return stub


def run(stub: Stub, *args: str) -> Result:
    return CliRunner().invoke(main, ("sources", *args), obj=stub.client())


def test_a_source_is_added_with_its_span_in_seconds(stub: Stub) -> None:
    result = run(stub, "add", "s3://papers/2030", "-c", "papers", "--every", "1h")

    assert result.exit_code == 0
    assert "redten sources show 3" in result.stdout
    assert stub.asked("POST", "/sources") == [
        {"collection": "papers", "address": "s3://papers/2030", "every_s": 3600, "prefix": ""}
    ]


def test_a_folder_is_sent_as_an_absolute_path(stub: Stub, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(stub, "add", "docs", "-c", "papers")

    [asked] = stub.asked("POST", "/sources")
    assert (asked["address"], asked["every_s"]) == (str(tmp_path / "docs"), None)


@pytest.mark.parametrize("span", ["1", "59s", "0h", "1w", "-1h", "99999999d"])
def test_a_span_that_is_none_is_refused_before_anything_is_sent(stub: Stub, span: str) -> None:
    result = run(stub, "add", "/srv", "-c", "papers", f"--every={span}")

    assert result.exit_code == 2
    assert stub.routes == []


def test_sources_are_listed_with_what_their_last_run_did(stub: Stub) -> None:
    header, row = run(stub, "list").stdout.splitlines()

    assert header.split()[:4] == ["ID", "COLLECTION", "ADDRESS", "EVERY"]
    assert "1h" in row
    assert row.endswith("1 added, 2 changed, 3 unchanged, 4 removed, 1 failed")


def test_a_source_is_shown_with_its_runs_and_what_failed(stub: Stub) -> None:
    text = run(stub, "show", "3").stdout

    assert "s3://papers/2030" in text
    assert "failed  a.pdf: larger than 9 bytes" in text
    assert json.loads(run(stub, "show", "3", "--json").stdout)["runs"][0]["changed"] == 2


def test_a_source_is_run_and_removed(stub: Stub) -> None:
    assert run(stub, "run", "3").stdout == "s3://papers/2030 is being read\n"
    assert run(stub, "rm", "3", "--documents").stdout == "removed source 3 and its documents\n"
    assert str(stub.requests[-1].url).endswith("/sources/3?documents=true")
