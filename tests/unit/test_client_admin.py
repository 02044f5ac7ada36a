"""The commands about people, collections and documents."""

import json
import re

import pytest
from click.testing import CliRunner, Result

from cli import main
from tests.unit.client_stub import Stub

COLLECTION = {"id": 1, "name": "lights", "visibility": "public", "documents": 2, "chunks": 30}
DOCUMENTS = [
    {"id": 3, "name": "a.pdf", "state": 3, "status": "done", "pages": 4, "chunks": 9},
    {"id": 4, "name": "3", "state": 4, "status": "failed", "msg": "it is encrypted"},
]


@pytest.fixture
def stub() -> Stub:
    stub = Stub()
    stub.on("GET", "/collections", (200, {"collections": [COLLECTION]}))
    stub.on("GET", "/collections/lights/documents", (200, {"documents": DOCUMENTS}))
    stub.on("GET", "/members", (200, {"members": [{"user_id": 7, "email": "e", "role": "agent"}]}))
    return stub


def run(stub: Stub, *args: str) -> Result:
    return CliRunner().invoke(main, args, obj=stub.client())


def cells(result: Result) -> list[list[str]]:
    return [re.split(r" {2,}", line) for line in result.stdout.splitlines()]


def deleted(stub: Stub) -> list[str]:
    return [route for route in stub.routes if route.startswith("DELETE")]


def test_users_are_listed(stub: Stub) -> None:
    assert cells(run(stub, "users", "list")) == [["ID", "EMAIL", "ROLE"], ["7", "e", "agent"]]


def test_a_role_is_given(stub: Stub) -> None:
    stub.on("PUT", "/members/e%40b.c", (200, {"user_id": 2, "email": "e@b.c", "role": "expert"}))

    result = run(stub, "users", "role", "e@b.c", "expert")

    assert (result.exit_code, result.stdout) == (0, "e@b.c is now expert\n")


def test_only_the_four_roles_are_known(stub: Stub) -> None:
    assert run(stub, "users", "role", "e@b.c", "boss").exit_code == 2


def test_who_may_not_give_roles_is_told_so(stub: Stub) -> None:
    stub.on("PUT", "/members/e%40b.c", (403, {"code": "forbidden", "message": "only owners may"}))

    result = run(stub, "users", "role", "e@b.c", "expert")

    assert (result.exit_code, result.stderr) == (1, "redten: only owners may\n")


def test_settings_of_a_collection_are_changed(stub: Stub) -> None:
    rebuild = {"documents": 4, "done": 0, "given_up": None}
    stub.on("PATCH", "/collections/lights", (202, COLLECTION | {"rebuild": rebuild}))

    told = run(stub, "collections", "set", "lights", "--chunk-tokens", "100", "--overlap", "20")

    assert "is made anew" in told.output
    assert stub.asked("PATCH", "/collections/lights") == [
        {"chunk_tokens": 100, "chunk_overlap": 20}
    ]


def test_how_far_a_rebuild_is_stands_in_the_list(stub: Stub) -> None:
    rebuild = {"documents": 4, "done": 1, "given_up": None}
    stub.on("GET", "/collections", (200, {"collections": [COLLECTION | {"rebuild": rebuild}]}))

    assert "1 of 4 documents" in run(stub, "collections").output


def test_pages_without_text_are_told_of(stub: Stub) -> None:
    scan = {"id": 3, "name": "scan.pdf", "state": 3, "facts": {"scanned_pages": 12}}
    stub.on("GET", "/collections/lights/documents", (200, {"documents": [scan]}))

    told = run(stub, "documents", "-c", "lights").output

    assert "12 pages without text (scanned?)" in told


def test_collections_are_listed(stub: Stub) -> None:
    assert cells(run(stub, "collections"))[1] == ["1", "lights", "public", "2", "30"]


def test_a_collection_is_made_private_unless_told_otherwise(stub: Stub) -> None:
    stub.on("POST", "/collections", (201, COLLECTION))

    run(stub, "collections", "create", "lights")
    run(stub, "collections", "create", "lights", "--visibility", "public")

    made = stub.asked("POST", "/collections")
    assert [body["visibility"] for body in made] == ["private", "public"]
    assert stub.routes.count("GET /collections") == 0


@pytest.mark.parametrize(("said", "gone"), [("y\n", 1), ("n\n", 0), ("", 0)])
def test_a_collection_is_removed_once_that_is_confirmed(stub: Stub, said: str, gone: int) -> None:
    stub.on("DELETE", "/collections/1", (200, {"id": 1}))

    command = ["collections", "rm", "lights"]
    result = CliRunner().invoke(main, command, obj=stub.client(), input=said)

    assert "Remove collection lights with its 2 documents?" in result.stderr
    assert len(deleted(stub)) == gone
    assert result.exit_code == 1 - gone


def test_a_script_removes_a_collection_unasked_and_its_own_before_anothers(stub: Stub) -> None:
    own = COLLECTION | {"id": 2, "mine": True}
    stub.on("GET", "/collections", (200, {"collections": [COLLECTION, own]}))
    stub.on("DELETE", "/collections/2", (200, {"id": 2}))

    result = run(stub, "collections", "rm", "lights", "--yes")

    assert (result.exit_code, result.stdout) == (0, "removed collection lights\n")
    assert deleted(stub) == ["DELETE /collections/2"]


def test_an_unknown_collection_is_not_asked_about(stub: Stub) -> None:
    result = run(stub, "collections", "rm", "nothing")

    assert (result.exit_code, result.stderr) == (1, "redten: there is no collection nothing\n")


def test_a_collection_that_is_there_is_one_line_and_exit_code_1(stub: Stub) -> None:
    stub.on("POST", "/collections", (409, {"code": "collection_exists", "message": "is there"}))

    result = run(stub, "collections", "create", "lights")

    assert (result.exit_code, result.stderr) == (1, "redten: is there\n")


def test_what_the_group_is_told_holds_for_its_command(stub: Stub) -> None:
    stub.on("POST", "/collections", (201, COLLECTION))
    stub.on("DELETE", "/collections/lights/documents/3", (200, {"id": 3}))

    made = run(stub, "collections", "--json", "create", "lights")
    removed = run(stub, "documents", "-c", "lights", "--json", "rm", "a.pdf")

    assert json.loads(made.stdout)["name"] == "lights"
    assert [document["id"] for document in json.loads(removed.stdout)] == [3]


def test_nothing_is_removed_from_a_collection_that_nobody_named(stub: Stub) -> None:
    result = run(stub, "documents", "rm", "a.pdf")

    assert result.exit_code == 2
    assert stub.requests == []


def test_arguments_that_are_no_text_find_nothing(stub: Stub) -> None:
    documents = run(stub, "documents", "-c", "\udcff")
    role = run(stub, "users", "role", "e\udcff@b.c", "expert")

    assert (documents.exit_code, role.exit_code) == (1, 1)
    assert [route for route in stub.routes if "%3F" in route] == [
        "GET /collections/%3F/documents",
        "PUT /members/e%3F%40b.c",
    ]


def test_documents_are_listed_with_the_reason_of_a_failure(stub: Stub) -> None:
    rows = cells(run(stub, "documents", "-c", "lights"))

    assert rows[1] == ["3", "a.pdf", "done", "4", "9"]
    assert rows[2] == ["4", "3", "failed", "it is encrypted"]


def test_documents_are_removed_by_name_before_id(stub: Stub) -> None:
    stub.on("DELETE", "/collections/lights/documents/4", (200, {"id": 4}))

    result = run(stub, "documents", "rm", "-c", "lights", "3")

    assert result.exit_code == 0
    assert deleted(stub) == ["DELETE /collections/lights/documents/4"]


def test_a_document_named_twice_is_removed_once(stub: Stub) -> None:
    stub.on("DELETE", "/collections/lights/documents/4", (200, {"id": 4}))

    run(stub, "documents", "rm", "-c", "lights", "3", "4")

    assert deleted(stub) == ["DELETE /collections/lights/documents/4"]


def test_an_unknown_document_is_told_after_the_others_are_gone(stub: Stub) -> None:
    stub.on("DELETE", "/collections/lights/documents/3", (200, {"id": 3}))

    result = run(stub, "documents", "rm", "-c", "lights", "nothing", "a.pdf")

    assert result.exit_code == 1
    assert result.stdout == "removed a.pdf\n"
    assert result.stderr == "redten: not in collection lights: nothing\n"


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["users", "list"], [{"user_id": 7, "email": "e", "role": "agent"}]),
        (["collections"], ["lights"]),
        (["documents", "-c", "lights"], ["a.pdf", "3"]),
    ],
)
def test_lists_are_json_for_machines(stub: Stub, args: list[str], expected: list[object]) -> None:
    found = json.loads(run(stub, *args, "--json").stdout)

    assert [record.get("name", record) for record in found] == expected
