"""Collections, documents and people through the client."""

import pytest

from client.client import Client
from tests.unit.client_stub import Stub


@pytest.fixture
def stub() -> Stub:
    return Stub()


@pytest.fixture
def client(stub: Stub) -> Client:
    return stub.client()


def test_collections_and_members_are_listed(stub: Stub, client: Client) -> None:
    stub.on("GET", "/collections", (200, {"collections": [_collection("a"), _collection("b")]}))
    stub.on("GET", "/members", (200, {"members": [{"user_id": 7, "email": "e", "role": "agent"}]}))

    assert [collection.name for collection in client.collections()] == ["a", "b"]
    assert [member.role for member in client.members()] == ["agent"]


def test_a_collection_is_made(stub: Stub, client: Client) -> None:
    stub.on("POST", "/collections", (201, _collection("a")))

    assert client.create_collection("a", "tenant").visibility == "private"
    assert stub.asked("POST", "/collections") == [
        {"name": "a", "visibility": "tenant", "notes": None}
    ]


def test_a_recipe_is_changed_by_what_is_named_and_the_rebuild_is_told_of(
    stub: Stub, client: Client
) -> None:
    made = _collection("x y") | {"rebuild": {"documents": 4, "done": 1, "given_up": None}}
    stub.on("PATCH", "/collections/x%20y", (202, made))

    changed = client.recipes.change("x y", chunk_tokens=100)

    assert changed.rebuild is not None
    assert (changed.rebuild.done, changed.rebuild.documents) == (1, 4)
    assert stub.asked("PATCH", "/collections/x%20y") == [{"chunk_tokens": 100}]


def test_documents_are_listed_looked_at_and_deleted(stub: Stub, client: Client) -> None:
    record = {"id": 3, "name": "a", "state": 2, "stages": {"load": [1, 4]}}
    stub.on("GET", "/collections/x%20y/documents", (200, {"documents": [record]}))
    stub.on("GET", "/documents/3", (200, record))
    stub.on("DELETE", "/collections/x%20y/documents/3", (200, {"id": 3, "msg": "success"}))

    assert client.documents("x y") == [client.document(3)]
    assert client.document(3).stages == {"load": (1, 4)}
    client.delete_document("x y", 3)
    assert stub.routes[-1] == "DELETE /collections/x%20y/documents/3"


def test_a_collection_is_removed_and_attachments_are_listed(stub: Stub, client: Client) -> None:
    stub.on("DELETE", "/collections/x%20y", (200, {"id": 1}))
    stub.on("GET", "/collections/x%20y/documents", (200, {"documents": []}))

    client.delete_collection("x y")
    client.documents("x y", 3)

    assert stub.routes[-2] == "DELETE /collections/x%20y"
    assert str(stub.requests[-1].url).endswith("/documents?parent_id=3")


def test_a_role_is_set_by_email(stub: Stub, client: Client) -> None:
    stub.on(
        "PUT", "/members/bo%2Bx%40b.c", (200, {"user_id": 2, "email": "bo+x@b.c", "role": "expert"})
    )

    assert client.tenants.set_role("bo+x@b.c", "expert").user_id == 2
    assert stub.asked("PUT", "/members/bo%2Bx%40b.c") == [{"role": "expert"}]


def _collection(name: str) -> dict[str, object]:
    return {"id": 1, "name": name, "visibility": "private", "mine": True}
