"""The commands about files that are kept on the server."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli import main
from tests.unit.client_stub import Stub

CONTENT = b"31 metres \x00\xff"
STORE = "https://store.test/ours/tower?signed"
KNOWN = {
    "data_id": 3,
    "filename": "tower.txt",
    "size_in_bytes": len(CONTENT),
    "content_sha256": hashlib.sha256(CONTENT).hexdigest(),
    "data_type": "note",
    "comments": "file",
    "sloc": "data/1/7/tower.txt",
}


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stub:
    monkeypatch.chdir(tmp_path)
    stub = Stub()
    stub.on("POST", "/user/data", (200, KNOWN))
    stub.on("PUT", "/user/data", (200, {"data": KNOWN, "msg": "success"}))
    stub.on("POST", "/user/data/search", (200, {"data": [KNOWN], "msg": "success"}))
    stub.on("GET", "/user/data/3", (200, CONTENT))
    stub.on("DELETE", "/user/data/3", (200, {"id": 3}))
    return stub


def run(stub: Stub, *args: str) -> Result:
    return CliRunner().invoke(main, ("data", *args), obj=stub.client())


def sent_headers(stub: Stub) -> dict[str, Any]:
    """What headers the upload was sent with."""
    [request] = [one for one in stub.requests if str(one.url).endswith("/user/data")]
    return dict(request.headers)


def test_a_file_is_sent_with_what_is_said_of_it(stub: Stub, tmp_path: Path) -> None:
    (tmp_path / "straße.txt").write_bytes(CONTENT)

    result = run(stub, "put", "straße.txt", "--type", "note", "--sloc", "s3://b/1/x")

    assert (result.exit_code, result.stdout) == (0, f"data 3: tower.txt, {len(CONTENT)} bytes\n")
    assert stub.bodies[-1] == CONTENT
    told = sent_headers(stub)
    assert told["filename"] == "straße.txt".encode()
    assert (told["data-type"], told["sloc"]) == (b"note", b"s3://b/1/x")
    assert "comments" not in told


def test_a_name_that_no_header_can_hold_is_sent_as_near_as_can_be(
    stub: Stub, tmp_path: Path
) -> None:
    path = tmp_path / os.fsdecode(b"a\r\nb\xff.txt")
    path.write_bytes(CONTENT)

    stub.client().data.put(path)

    assert sent_headers(stub)["filename"] == b"a  b .txt"


def test_files_are_listed_by_conditions(stub: Stub) -> None:
    header, row = run(stub, "list", "--name", "tow", "--above-bytes", "1").stdout.splitlines()

    assert header.split() == ["ID", "FILE", "BYTES", "TYPE", "COMMENTS", "WHERE", "SENT"]
    assert row.split() == ["3", "tower.txt", "12", "note", "file", "data/1/7/tower.txt"]
    assert stub.asked("POST", "/user/data/search") == [{"filename": "tow", "above_bytes": 1}]


def test_a_file_is_fetched_under_its_own_name_but_replaces_none(stub: Stub, tmp_path: Path) -> None:
    assert run(stub, "get", "3").exit_code == 0
    assert (tmp_path / "tower.txt").read_bytes() == CONTENT

    (tmp_path / "tower.txt").write_text("mine")
    again = run(stub, "get", "3")
    assert again.exit_code == 1
    assert "say -o FILE" in again.stderr
    assert (tmp_path / "tower.txt").read_text() == "mine"

    assert run(stub, "get", "3", "-o", "tower.txt").exit_code == 0
    assert (tmp_path / "tower.txt").read_bytes() == CONTENT
    assert run(stub, "get", "3", "-o", "-").stdout_bytes == CONTENT


@pytest.mark.parametrize("name", ["../x", "/x", "a\\x", "\x1bx"])
def test_a_files_name_leads_nowhere_else(stub: Stub, tmp_path: Path, name: str) -> None:
    stub.on("POST", "/user/data/search", (200, {"data": [{**KNOWN, "filename": name}]}))

    assert run(stub, "get", "3").exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_file_that_came_damaged_is_not_kept(stub: Stub, tmp_path: Path) -> None:
    stub.on("GET", "/user/data/3", (200, CONTENT[:5]))

    result = run(stub, "get", "3")

    assert result.exit_code == 1
    assert "did not come as it was sent" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_s3_is_fetched_there_without_the_token(stub: Stub, tmp_path: Path) -> None:
    stub.on("GET", "/user/data/3", (302, STORE))
    stub.on("GET", STORE.partition("?")[0], (200, CONTENT))

    assert run(stub, "get", "3").exit_code == 0

    assert (tmp_path / "tower.txt").read_bytes() == CONTENT
    assert stub.requests[-1].url == STORE
    assert not {"Authorization", "Bearer"} & stub.requests[-1].headers.keys()


def test_a_store_that_refuses_is_named_without_its_link(stub: Stub) -> None:
    stub.on("GET", "/user/data/3", (302, STORE))
    stub.on("GET", STORE.partition("?")[0], (403, b"<Error/>"))

    result = run(stub, "get", "3")

    assert result.exit_code == 1
    assert result.stderr == "redten: the store at store.test answered with 403\n"


def test_a_file_is_described_anew(stub: Stub) -> None:
    assert run(stub, "edit", "3", "--comments", "").exit_code == 0
    assert stub.asked("PUT", "/user/data") == [{"data_id": 3, "comments": ""}]
    assert run(stub, "edit", "3").exit_code == 2


def test_a_file_that_is_not_there_is_said_to_be_missing(stub: Stub) -> None:
    stub.on("PUT", "/user/data", (200, {"data": {}, "msg": "no update data found"}))
    stub.on("POST", "/user/data/search", (200, {"data": [], "msg": "no search data found"}))

    for args in (("edit", "3", "--name", "x"), ("get", "3")):
        result = run(stub, *args)
        assert (result.exit_code, result.stderr) == (
            1,
            "redten: you have no data 3 on the server\n",
        )
    assert run(stub, "list").stdout == "no files found\n"


def test_a_file_becomes_a_document_without_being_sent_again(stub: Stub) -> None:
    stub.on("POST", "/collections/mine/documents", (202, {"id": 9, "name": "a.txt", "state": 1}))

    result = run(stub, "ingest", "3", "-c", "mine", "--json")

    assert (result.exit_code, json.loads(result.stdout)["id"]) == (0, 9)
    assert str(stub.requests[-1].url).endswith("?data_id=3")
    assert stub.bodies[-1] == b""


def test_a_file_is_removed(stub: Stub) -> None:
    assert run(stub, "rm", "3").stdout == "removed data 3\n"
    assert stub.routes[-1] == "DELETE /user/data/3"
