"""A collection that is made anew serves as it was until it is whole."""

import subprocess
from collections.abc import Iterator

import pytest

from tasks.blobs import get_blobs
from tests.integration.door import answer, ask, send, upload
from tests.integration.processes import FAKE, halted, session_value, until, workers

COLLECTION = "/collections/embed-security"
TEXT = " ".join(f"Lantern number {number} burns at the far shore." for number in range(40))


@pytest.fixture(scope="module", autouse=True)
def alive(services: None) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """All workers, and an engine that needs no weights."""
    with workers(2, inference=FAKE) as made:
        yield made


def change(http, owner, **recipe):
    return send(http, "PATCH", COLLECTION, recipe, owner)


def shelf(http, owner) -> dict:
    found = http.get("/collections", headers=owner).json["collections"]
    return next(one for one in found if one["name"] == "embed-security")


def made_anew(http, owner) -> dict:
    """The collection, once its rebuild is over."""
    return until(lambda: (seen := shelf(http, owner))["rebuild"] is None and seen, 60)


def served(what: str) -> int:
    """Counted over the chunks that searches see."""
    joined = "chunks c join collections s on s.id = c.collection_id and s.version = c.version"
    return session_value(f"select {what} from {joined}")


def test_smaller_chunks_take_over_when_all_are_made_and_the_old_ones_go_later(http, owner):
    for name in ("a.txt", "b.txt"):
        upload(http, owner, name, f"{name} {TEXT}".encode())
    before = served("count(*)")
    reply = change(http, owner, chunk_tokens=40, chunk_overlap=10)
    assert (reply.status_code, reply.json["rebuild"]["documents"]) == (202, 2)
    assert reply.json["chunk_tokens"] == 200
    after = made_anew(http, owner)
    assert (after["chunk_tokens"], after["chunk_overlap"]) == (40, 10)
    assert served("count(*)") == after["chunks"] > 2 * before
    assert served("count(distinct (document_id, position))") == after["chunks"]
    assert session_value("select count(*) from chunks where version = 1") == before
    session_value(
        """update collections set rebuild = rebuild || '{"switched_at": "2020-01-01T00:00:00Z"}'
        returning id"""
    )
    until(lambda: session_value("select count(*) from chunks where version = 1") == 0)
    assert served("count(*)") == after["chunks"]


def test_what_is_uploaded_meanwhile_is_found_at_once_and_then_made_anew(http, owner, alive):
    upload(http, owner, "a.txt", TEXT.encode())
    with halted(alive["ingest"]):
        change(http, owner, chunk_tokens=40, chunk_overlap=0)
        sent = http.post(f"{COLLECTION}/documents?name=b.txt", data=b"new", headers=owner).json
        assert served("count(distinct document_id)") == 1
    until(lambda: http.get(f"/documents/{sent['id']}", headers=owner).json["state"] == 3)
    made_anew(http, owner)
    assert served("count(distinct document_id)") == 2
    assert session_value("select count(distinct version) from documents") == 1


def test_a_second_change_takes_the_place_of_the_first(http, owner, alive):
    upload(http, owner, "a.txt", TEXT.encode())
    with halted(alive["ingest"]):
        change(http, owner, chunk_tokens=40, chunk_overlap=10)
        change(http, owner, chunk_tokens=60)
    after = made_anew(http, owner)
    assert (after["chunk_tokens"], after["chunk_overlap"]) == (60, 10)
    assert served("count(*)") == after["chunks"]


def test_a_change_that_is_taken_back_leaves_all_as_it_was(http, owner, alive):
    upload(http, owner, "a.txt", TEXT.encode())
    chunks = served("count(*)")
    with halted(alive["ingest"]):
        change(http, owner, chunk_tokens=40, chunk_overlap=0)
        back = change(http, owner, chunk_tokens=200, chunk_overlap=30)
    assert back.json["rebuild"] is None
    until(lambda: session_value("select state from documents") == 3)
    assert served("count(*)") == chunks == session_value("select count(*) from chunks")


def test_a_document_that_fails_meanwhile_tells_why_and_holds_up_nobody(http, owner):
    lost = upload(http, owner, "lost.txt", b"a lost file")
    upload(http, owner, "kept.txt", b"a kept file")
    get_blobs().remove(session_value("select blob from documents where name = 'lost.txt'"))
    change(http, owner, language="german")
    assert made_anew(http, owner)["documents"] == 1
    failed = http.get(f"/documents/{lost['id']}", headers=owner).json
    assert (failed["status"], failed["code"]) == ("failed", "blob_missing")
    assert served("string_agg(text, '|')") == "a kept file"


def test_a_rebuild_that_no_document_comes_through_is_given_up(http, owner):
    upload(http, owner, "a.txt", b"a file")
    change(http, owner, embed_model_name="nobody/has-this")
    told = until(lambda: (shelf(http, owner)["rebuild"] or {}).get("given_up"))
    assert "nobody/has-this" in told
    assert served("count(*)") == 1
    assert session_value("select state from documents") == 3
    assert change(http, owner, chunk_tokens=50, chunk_overlap=0).status_code == 202
    assert made_anew(http, owner)["chunk_tokens"] == 50


def test_questions_are_answered_from_the_documents_all_the_while(http, owner, headers):
    for number in range(12):
        upload(http, owner, f"{number}.txt", f"{number} {TEXT}".encode())
    change(http, owner, chunk_tokens=30, chunk_overlap=0)
    asked = 0
    while shelf(http, owner)["rebuild"] is not None or asked < 3:
        told = answer(http, headers, ask(http, headers, "Which lantern burns?", min_q_score=-1))
        assert told["data"]["grounded"] is True
        asked += 1


@pytest.mark.parametrize(
    ("recipe", "code"),
    [
        ({"language": "klingon"}, "unknown_language"),
        ({"chunk_tokens": 60, "chunk_overlap": 30}, "bad_chunks"),
        ({"chunk_tokens": 1}, "invalid_request"),
    ],
)
def test_a_recipe_that_cannot_be_made_is_refused(http, owner, recipe, code):
    refused = change(http, owner, **recipe)
    assert (refused.status_code, refused.json["code"]) == (400, code)
    assert shelf(http, owner)["rebuild"] is None


def test_only_who_fills_a_collection_changes_it(http, headers):
    assert send(http, "PATCH", COLLECTION, {"chunk_tokens": 50}, headers).status_code == 403
