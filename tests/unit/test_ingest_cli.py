"""`redten ingest`: what is sent, followed, reported, and survives."""

import json
import ssl
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner, Result
from urllib3.exceptions import MaxRetryError, NewConnectionError, SSLError

from cli import main
from client import patience, transfer
from client.records import State
from tests.unit.client_stub import Stub

DROPPED = requests.exceptions.ConnectionError("Connection aborted.")
TORN = requests.exceptions.SSLError(
    MaxRetryError(None, "/", SSLError(ssl.SSLEOFError(8, "EOF")))  # type: ignore[arg-type]
)
REFUSED = requests.exceptions.ConnectionError(
    MaxRetryError(None, "/", NewConnectionError(None, "refused"))  # type: ignore[arg-type]
)
UPLOADS = "/collections/docs/documents"


def record(document_id: int, state: State, **more: object) -> dict[str, object]:
    return {"id": document_id, "name": "x", "state": state, **more}


def stored(document_id: int, **more: object) -> tuple[int, dict[str, object]]:
    return 200, record(document_id, State.DONE, pages=2, chunks=5, **more)


def accepted(document_id: int) -> tuple[int, dict[str, object]]:
    return 202, record(document_id, State.WAITING)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(patience, "LONGEST_PAUSE_S", 0.002)


@pytest.fixture
def stub() -> Stub:
    stub = Stub()
    there = {"id": 1, "name": "docs", "visibility": "private", "mine": True}
    stub.on("GET", "/collections", (200, {"collections": [there]}))
    return stub


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / name).write_text(f"the text of {name}")
    return tmp_path


def run(stub: Stub, *args: object) -> Result:
    return CliRunner().invoke(main, ["ingest", *map(str, args)], obj=stub.client())


def report(stub: Stub, *args: object) -> tuple[int, dict[str, list[dict[str, object]]]]:
    result = run(stub, *args, "-c", "docs", "--json")
    return result.exit_code, json.loads(result.stdout)


def test_files_are_sent_followed_and_summed_up(stub: Stub, folder: Path) -> None:
    stub.on("POST", UPLOADS, accepted(1), accepted(2), accepted(3))
    running = (200, record(1, State.RUNNING, stages={"load": [1, 2]}))
    stub.on("GET", "/documents/1", running, stored(1))
    stub.on("GET", "/documents/2", stored(2))
    stub.on("GET", "/documents/3", stored(3))

    result = run(stub, folder, "-c", "docs")

    assert result.exit_code == 0
    assert result.stdout == "docs: 3 files, 6 pages, 15 chunks stored; 0 unchanged, 0 failed\n"
    assert [body for body in stub.bodies if b"the text" in body] == [
        b"the text of a.txt",
        b"the text of b.txt",
        b"the text of c.txt",
    ]


def test_what_is_there_already_is_not_followed(stub: Stub, folder: Path) -> None:
    stub.on("POST", UPLOADS, stored(1, unchanged=True))

    code, said = report(stub, folder / "a.txt")

    assert code == 0
    assert (said["unchanged"], said["pages"]) == (1, 0)
    assert said["documents"][0]["status"] == "unchanged"
    assert "GET /documents/1" not in stub.routes


def test_what_is_there_but_still_worked_on_is_followed_to_its_end(stub: Stub, folder: Path) -> None:
    stub.on("POST", UPLOADS, (200, record(1, State.RUNNING, unchanged=True)))
    stub.on("GET", "/documents/1", stored(1))

    code, said = report(stub, folder / "a.txt")

    assert (code, said["unchanged"]) == (0, 1)
    assert stub.routes[-1] == "GET /documents/1"


def test_one_files_failure_leaves_the_others_alone(stub: Stub, folder: Path) -> None:
    too_large = (413, {"code": "too_large", "message": "b.txt is too large"})
    stub.on("POST", UPLOADS, accepted(1), too_large, accepted(3))
    broken = record(1, State.FAILED, code="broken_document", msg="not a PDF")
    stub.on("GET", "/documents/1", (200, broken))
    stub.on("GET", "/documents/3", stored(3))

    result = run(stub, folder, "-c", "docs")

    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "docs: 3 files, 2 pages, 5 chunks stored; 0 unchanged, 2 failed",
        "failed  a.txt: not a PDF",
        "failed  b.txt: b.txt is too large",
    ]


def test_pages_without_text_are_told_of(stub: Stub, tmp_path: Path) -> None:
    (tmp_path / "scan.pdf").write_bytes(b"%PDF-")
    stub.on("POST", UPLOADS, stored(1, facts={"scanned_pages": 12}))

    told = run(stub, tmp_path, "-c", "docs").stdout.splitlines()

    assert told[1].startswith("note    scan.pdf: 12 pages without text")


def test_attachments_are_waited_for_and_counted(stub: Stub, tmp_path: Path) -> None:
    (tmp_path / "m.eml").write_text("Subject: oil")
    stub.on("POST", UPLOADS, accepted(1))
    stub.on("GET", "/documents/1", stored(1, facts={"attachments": 2}))
    children = [
        record(2, State.DONE, parent_id=1, pages=1, chunks=1) | {"name": "m.eml/a.pdf"},
        record(3, State.RUNNING, parent_id=1) | {"name": "m.eml/b.eml"},
    ]
    inner = record(4, State.WAITING, parent_id=3) | {"name": "m.eml/b.eml/c.png"}
    stub.on("GET", UPLOADS, (200, {"documents": children}), (200, {"documents": [inner]}))
    stub.on("GET", "/documents/3", stored(3, parent_id=1, facts={"attachments": 1}))
    broken = inner | {"state": State.FAILED, "code": "unsupported_format", "msg": "a PNG image"}
    stub.on("GET", "/documents/4", (200, broken))

    result = run(stub, tmp_path, "-c", "docs")

    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "docs: 1 files, 3 attachments, 5 pages, 11 chunks stored; 0 unchanged, 1 failed",
        "failed  m.eml/b.eml/c.png: a PNG image",
    ]


def test_attachments_that_are_there_already_are_waited_for_once(stub: Stub, folder: Path) -> None:
    stub.on("POST", UPLOADS, stored(1, unchanged=True, facts={"attachments": 1}))
    child = record(2, State.DONE, parent_id=1, pages=1, chunks=1) | {"name": "a.txt/a.pdf"}
    stub.on("GET", UPLOADS, (200, {"documents": [child]}))

    code, said = report(stub, folder)

    assert code == 0
    assert (said["files"], said["attachments"], said["unchanged"]) == (3, 1, 4)
    assert stub.routes.count(f"GET {UPLOADS}") == 1


def test_attachments_that_cannot_be_looked_for_fail_their_file(stub: Stub, folder: Path) -> None:
    stub.on("POST", UPLOADS, stored(1, facts={"attachments": 1}))
    stub.on("GET", UPLOADS, (404, {"code": "collection_not_found", "message": "it is gone"}))

    code, said = report(stub, folder / "a.txt")

    assert (code, said["documents"][0]["code"]) == (1, "collection_not_found")


def test_a_path_that_names_nothing_leaves_the_others_alone(stub: Stub, folder: Path) -> None:
    stub.on("POST", UPLOADS, stored(1))

    code, said = report(stub, folder / "no.pdf", folder / "a.txt")

    assert code == 1
    assert {entry["status"]: entry["code"] for entry in said["documents"]} == {
        "failed": "no_such_file",
        "stored": None,
    }


def test_a_file_that_cannot_be_read_is_a_failure_with_its_reason(
    stub: Stub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub.on("POST", UPLOADS, stored(1))
    whole = Path.open

    def guarded(path: Path, *args: object, **more: object) -> object:
        if path.name == "b.txt":
            raise PermissionError(13, "Permission denied")
        return whole(path, *args, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", guarded)

    code, said = report(stub, folder)

    assert code == 1
    assert [entry["reason"] for entry in said["documents"]] == [None, "Permission denied", None]


def test_a_folder_without_files_is_a_failure(stub: Stub, tmp_path: Path) -> None:
    result = run(stub, tmp_path, "-c", "docs")

    assert result.exit_code == 1
    assert result.stderr == f"redten: no files in {tmp_path}\n"


def test_a_second_file_of_one_name_fails_and_the_others_go_on(stub: Stub, folder: Path) -> None:
    stub.on("POST", UPLOADS, stored(1), stored(2))
    (folder / "sub").mkdir()
    other = folder / "sub" / "a.txt"
    other.write_text("another")

    code, said = report(stub, folder / "a.txt", other, folder / "b.txt")

    assert code == 1
    assert [(entry["name"], entry["code"]) for entry in said["documents"]] == [
        (str(other), "same_name"),
        ("a.txt", None),
        ("b.txt", None),
    ]
    assert b"another" not in stub.bodies


def test_a_path_that_is_no_text_can_be_told(stub: Stub, folder: Path) -> None:
    result = run(stub, "\udcff.pdf", "-c", "docs")

    assert result.exit_code == 1
    assert "failed  ?.pdf: no such file" in result.stdout


# --- the collection -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "made"), [([], "private"), (["--visibility", "public"], "public")]
)
def test_a_missing_collection_is_made(
    stub: Stub, folder: Path, given: list[str], made: str
) -> None:
    stub.on("GET", "/collections", (200, {"collections": []}))
    stub.on("POST", "/collections", (201, {"id": 1, "name": "docs", "visibility": made}))
    stub.on("POST", UPLOADS, stored(1))

    assert run(stub, folder / "a.txt", "-c", "docs", *given).exit_code == 0

    assert [body["visibility"] for body in stub.asked("POST", "/collections")] == [made]


def test_a_collection_made_by_another_run_meanwhile_is_fine(stub: Stub, folder: Path) -> None:
    stub.on("GET", "/collections", (200, {"collections": []}))
    stub.on("POST", "/collections", (409, {"code": "collection_exists", "message": "is there"}))
    stub.on("POST", UPLOADS, stored(1))

    assert run(stub, folder / "a.txt", "-c", "docs").exit_code == 0


def test_a_missing_collection_that_cannot_be_made_is_told_with_the_reason(
    stub: Stub, folder: Path
) -> None:
    said = "name: digits alone are an id"
    stub.on("POST", "/collections", (400, {"code": "invalid_request", "message": said}))

    result = run(stub, folder / "a.txt", "-c", "99999")

    assert result.exit_code == 1
    assert result.stderr == (
        f"redten: there is no collection 99999, and it cannot be made: {said}\n"
    )


def test_a_collection_that_is_there_keeps_its_visibility(stub: Stub, folder: Path) -> None:
    stub.on("POST", UPLOADS, stored(1))

    result = run(stub, folder / "a.txt", "-c", "docs", "--visibility", "public")

    assert result.stderr == "docs is there already and stays private\n"
    assert "POST /collections" not in stub.routes


# --- connections lost ---------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [DROPPED, TORN])
def test_a_connection_dropped_in_between_is_borne(
    stub: Stub, folder: Path, lost: Exception
) -> None:
    stub.on("POST", UPLOADS, lost, accepted(1))
    stub.on("GET", "/documents/1", DROPPED, (503, {"msg": "starting"}), stored(1))

    code, said = report(stub, folder / "a.txt")

    assert (code, said["failed"]) == (0, 0)
    assert stub.bodies.count(b"the text of a.txt") == 2


def test_a_server_that_stays_away_fails_the_rest_at_once(
    stub: Stub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "patiently", lambda call: call())
    stub.on("POST", UPLOADS, accepted(1), REFUSED)

    code, said = report(stub, folder)

    assert code == 1
    assert [entry["code"] for entry in said["documents"]] == ["unreachable"] * 3
    assert stub.routes.count(f"POST {UPLOADS}") == 2


def test_only_a_few_documents_are_unfinished_at_any_time(stub: Stub, tmp_path: Path) -> None:
    count = transfer.IN_FLIGHT * 2
    for number in range(count):
        (tmp_path / f"{number:02}.txt").write_text(str(number))
    stub.on("POST", UPLOADS, *(accepted(number) for number in range(count)))
    for number in range(count):
        stub.on("GET", f"/documents/{number}", stored(number))

    assert report(stub, tmp_path)[0] == 0

    first_look = stub.routes.index("GET /documents/0")
    assert stub.routes[:first_look].count(f"POST {UPLOADS}") == transfer.IN_FLIGHT
