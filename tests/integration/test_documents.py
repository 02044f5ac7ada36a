"""A document's way in: whole or absent, once, and never two versions at a time."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from models.collection import find_collection
from models.document import Document, drop_older_versions
from models.search import vector_candidates
from models.session import session_scope
from tests.conftest import LAYOUT
from tests.integration.door import upload
from tests.integration.processes import kill, session_value, until, workers
from tests.integration.storing import put_texts

PATH = "/collections/embed-security/documents?name="


@pytest.fixture(scope="module", autouse=True)
def alive(services: None) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """The workers of this module; a test that kills one puts another in its place."""
    with workers(inference="", pipeline="") as made:
        yield made


def texts() -> list[str]:
    found = session_value("select json_agg(text order by document_id, position)::text from chunks")
    return json.loads(found) if found else []


def files(folder: str) -> list[Path]:
    return [path for path in (LAYOUT.blobs / folder).rglob("*") if path.is_file()]


def test_a_text_becomes_searchable_chunks_with_progress_for_every_stage(http, owner):
    document = upload(http, owner, "folder/a.md", b"# One\n\nfirst\n\n# Two\n\nsecond")
    assert (document["status"], document["pages"], document["chunks"]) == ("done", 2, 2)
    stages = {"load": [2, 2], "chunk": [2, 2], "embed": [2, 2], "store": [2, 2]}
    assert document["stages"] == stages
    assert ["second" in text for text in texts()] == [False, True]
    assert session_value("select min(vector_dims(embedding)) from chunks") == 384
    until(lambda: files("work") == [])


def test_a_changed_file_replaces_its_older_version_and_its_blob(http, owner):
    upload(http, owner, "a.md", b"the old text")
    upload(http, owner, "b.md", b"another document")
    upload(http, owner, "a.md", b"the new text")
    assert sorted(texts()) == ["another document", "the new text"]
    listed = http.get("/collections/embed-security/documents", headers=owner).json["documents"]
    assert [one["name"] for one in listed] == ["a.md", "b.md"]
    until(lambda: len(files("documents")) == 2)


def test_a_reader_sees_the_older_version_until_the_newer_one_is_whole(http, owner, admin):
    upload(http, owner, "a.md", b"the old text")
    old = session_value("select id from documents")
    query = np.zeros(384, np.float32)

    def read() -> list[str]:
        with session_scope(1) as session:
            collection = find_collection(session, admin, "embed-security")
            return [hit.text for hit in vector_candidates(session, {collection.id: query}, 10)]

    with session_scope(1) as session:
        held = session.get_one(Document, old)
        newer = Document(
            tenant_id=1,
            collection_id=held.collection_id,
            name="a.md",
            content_sha256="f" * 64,
            size_in_bytes=1,
            blob="documents/newer",
            step="store_document",
        )
        session.add(newer)
        session.flush()
        put_texts(session, newer, "the new text", dimensions=384)
        drop_older_versions(session, newer)
        assert read() == ["the old text"]
    assert read() == ["the new text"]


def contents(http, owner) -> dict[str, str]:
    """What is searchable under which name."""
    found = session_value(
        "select json_object_agg(d.name, c.text)::text from chunks c"
        " join documents d on d.id = c.document_id"
    )
    return json.loads(found) if found else {}


def test_a_file_that_was_moved_aside_is_not_lost_when_another_takes_its_name(http, owner):
    upload(http, owner, "report.md", b"the first report")
    assert upload(http, owner, "report-old.md", b"the first report")["name"] == "report-old.md"
    upload(http, owner, "report.md", b"the second report")
    assert contents(http, owner) == {
        "report-old.md": "the first report",
        "report.md": "the second report",
    }


def test_content_that_another_name_holds_already_still_replaces_an_older_version(http, owner):
    upload(http, owner, "a.md", b"alpha")
    upload(http, owner, "b.md", b"beta")
    upload(http, owner, "a.md", b"beta")
    assert contents(http, owner) == {"a.md": "beta"}
    until(lambda: len(files("documents")) == 1)


def test_a_change_that_is_taken_back_while_it_is_on_its_way_is_taken_back(http, owner, alive):
    upload(http, owner, "a.md", b"the first version")
    suspended = alive["ingest"].pid
    os.killpg(suspended, signal.SIGSTOP)
    try:
        second = http.post(PATH + "a.md", data=b"the second version", headers=owner)
        again = http.post(PATH + "a.md", data=b"the first version", headers=owner)
    finally:
        os.killpg(suspended, signal.SIGCONT)
    assert (second.status_code, again.json["unchanged"]) == (202, True)
    upload(http, owner, "last.md", b"the queue is through")
    assert contents(http, owner)["a.md"] == "the first version"


def test_a_document_that_cannot_be_read_fails_with_its_reason(http, owner):
    for name, content, code in (
        ("broken.pdf", b"%PDF-1.7 and then nothing", "broken_document"),
        ("blob.bin", bytes(range(256)) * 20, "binary_document"),
        ("blank.txt", b" \n \n ", "empty_document"),
    ):
        document = upload(http, owner, name, content)
        assert (document["status"], document["code"]) == ("failed", code), name
        assert len(document["msg"]) > 10
    assert texts() == []
    assert files("work") == []


def test_a_failed_document_may_be_sent_again_and_is_listed_once(http, owner):
    first = upload(http, owner, "a.pdf", b"%PDF-1.7 and then nothing")
    again = upload(http, owner, "a.pdf", b"%PDF-1.7 and then nothing")
    assert again["id"] != first["id"]
    assert len(files("documents")) == 1
    listed = http.get("/collections/embed-security/documents", headers=owner).json["documents"]
    assert [one["id"] for one in listed] == [again["id"]]


def test_a_removed_document_leaves_nothing(http, owner):
    document = upload(http, owner, "a.md", b"some text")
    path = f"/collections/embed-security/documents/{document['id']}"
    assert http.delete(path, headers=owner).status_code == 200
    assert texts() == []
    assert files("documents") == []
    assert http.delete(path, headers=owner).status_code == 404


def test_many_at_once_are_taken_once(http, owner):
    replies = []

    def send() -> None:
        client = http.application.test_client()
        reply = client.post(PATH + "same.md", data=b"the same text", headers=owner)
        replies.append((reply.status_code, reply.json["id"]))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(status for status, _ in replies) == [200] * 7 + [202]
    assert len({id for _, id in replies}) == 1
    until(lambda: session_value("select state from documents") == 3)
    assert texts() == ["the same text"]


def test_a_document_removed_on_its_way_leaves_nothing(http, owner):
    long = "\n\n".join(f"Paragraph {number} " + "word " * 150 for number in range(60))
    sent = http.post(PATH + "long.md", data=long.encode(), headers=owner).json
    until(lambda: session_value("select stages->'embed'->>0 from documents") is not None)
    path = f"/collections/embed-security/documents/{sent['id']}"
    assert http.delete(path, headers=owner).status_code == 200
    upload(http, owner, "last.md", b"the queue is through")
    until(lambda: files("work") == [])
    assert texts() == ["the queue is through"]
    assert len(files("documents")) == 1


def test_storing_leaves_the_lease_free_to_be_extended(http, owner):
    upload(http, owner, "a.md", b"text")
    session_value("update documents set state = 2, step = 'store_document' returning id")
    with session_scope(1) as session:
        document = session.query(Document).one()
        put_texts(session, document, "x", dimensions=384)
        with session_scope(1) as other:
            other.execute(text("set local lock_timeout = '1s'"))
            assert Document.extend(other, document.id, document.attempt, "store_document")


def test_a_document_is_whole_after_its_worker_was_killed(http, owner, alive):
    long = "\n\n".join(f"Paragraph {number} " + "word " * 150 for number in range(300))
    sent = http.post(PATH + "long.md", data=long.encode(), headers=owner).json
    until(lambda: session_value("select stages->'embed'->>0 from documents") is not None)
    kill(alive["ingest"])
    with workers(inference="", pipeline="", sweep=""):
        path = f"/documents/{sent['id']}"
        until(lambda: http.get(path, headers=owner).json["state"] == 3, 90)
    assert session_value("select count(*) from chunks") == session_value(
        "select chunks from documents"
    )
    assert session_value("select count(*) - count(distinct position) from chunks") == 0
    assert session_value("select losses from documents") == 1


def test_a_worker_that_is_stopped_hands_its_document_back_without_a_loss(http, owner, alive):
    if alive["ingest"].poll() is None:
        kill(alive["ingest"])
    long = "\n\n".join(f"Paragraph {number} " + "word " * 150 for number in range(300))
    with workers(inference="", pipeline="", sweep="") as made:
        sent = http.post(PATH + "long.md", data=long.encode(), headers=owner).json
        until(lambda: session_value("select stages->'embed'->>0 from documents") is not None)
        made["ingest"].terminate()
        until(lambda: session_value("select attempt from documents") == 2)
        made["ingest"].wait(30)
    with workers(inference="", pipeline="", sweep=""):
        path = f"/documents/{sent['id']}"
        until(lambda: http.get(path, headers=owner).json["state"] == 3, 90)
    assert session_value("select losses from documents") == 0
