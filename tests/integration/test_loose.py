"""No file is forgotten: whatever dies in between, the clock finds what nobody refers to."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest
from celery.exceptions import Ignore
from flask.testing import FlaskClient
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from local.postgres import DATABASE
from models.errors import RedtenError
from models.loose_blob import REMOVAL_LOCK, adopt, claim_loose, loosen, renew
from models.referred import known_places
from models.session import session_scope
from tasks import loose
from tasks.blobs import BlobsAway, FolderBlobs, get_blobs
from tasks.chunk import chunk_document
from tasks.embed import embed_document
from tasks.load import load_document
from tasks.store import store_document
from tasks.tidy import tidy_store
from tests.conftest import CLUSTER, LAYOUT
from tests.integration.door import send
from tests.integration.processes import session_value, until
from tests.integration.uploading import files, upload

PATH = "/collections/embed-security/documents"
Headers = dict[str, str]


class Killed(BaseException):
    """The process is no more: nothing that it would have done happens."""


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process does on its way out, it does not do any more."""
    monkeypatch.setattr(loose, "remove_loose", lambda *_: None)


def age() -> None:
    """All that is loose has been so for long, and half-made files have not grown for long."""
    session_value("update loose_blobs set since = now() - interval '1 day' returning 1")
    for path in (LAYOUT.blobs / ".incoming").glob("*"):
        os.utime(path, (0, 0))


def noted() -> list[str]:
    return (session_value("select array_agg(place order by place) from loose_blobs")) or []


def orphans() -> list[str]:
    """Past the walls, as the operator sees it."""
    engine = create_engine(CLUSTER.admin_url)
    with Session(engine) as session:
        known = known_places(session)
    engine.dispose()
    return loose.orphans(known)


def sent(http: FlaskClient, who: Headers, name: str = "a.txt", content: bytes = b"lamp") -> int:
    reply = http.post(f"{PATH}?name={name}", data=content, headers=who)
    assert reply.status_code == 202, reply.json
    return int(reply.json["id"])


def killing(*_: Any, **__: Any) -> Any:
    raise Killed


WAYS = {
    "document": (f"{PATH}?name=a.txt", "api.collections.add_document"),
    "data": ("/user/data", "api.user_data.add_data"),
    "embedding": ("/embed/files?name=a.txt", "api.embedding.add_embedding"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_file_whose_row_was_never_written_goes_by_the_clock(http, owner, monkeypatch, dying, way):
    path, before_the_row = WAYS[way]
    monkeypatch.setattr(before_the_row, killing)
    with pytest.raises(Killed):
        http.post(path, data=b"lamp", headers=owner | {"filename": "a.txt"})
    assert len(files()) == 1
    assert orphans() == []
    tidy_store()
    assert len(files()) == 1, "it might still be on its way"
    age()
    tidy_store()
    assert (files(), noted()) == ([], [])


@pytest.mark.parametrize("way", WAYS)
def test_an_upload_that_the_database_refuses_leaves_nothing(http, owner, monkeypatch, way):
    path, before_the_row = WAYS[way]

    def away(*_: Any, **__: Any) -> Any:
        raise OperationalError("insert", {}, Exception("gone"))

    monkeypatch.setattr(before_the_row, away)
    reply = http.post(path, data=b"lamp", headers=owner | {"filename": "a.txt"})
    assert reply.status_code == 503
    assert files() == []
    # In a folder somebody may still store something.
    assert len(noted()) == (1 if way == "embedding" else 0)


def test_a_file_that_was_never_whole_goes_by_the_clock(http, owner):
    def broken() -> Any:
        yield b"half a lamp"
        raise Killed

    with pytest.raises(Killed), FolderBlobs(LAYOUT.blobs)._half_made("documents/1/a") as file:
        file.writelines(broken())
    assert files() == [], "a process that lives takes it away"
    incoming = LAYOUT.blobs / ".incoming" / "left"
    incoming.write_bytes(b"half a lamp")
    tidy_store()
    assert files() == [incoming], "it might still grow"
    age()
    tidy_store()
    assert files() == []


def document_gone(http: FlaskClient, who: Headers) -> None:
    assert http.delete(f"{PATH}/{sent(http, who)}", headers=who).status_code == 200


def collection_gone(http: FlaskClient, who: Headers) -> None:
    made = {"name": "diary", "visibility": "private"}
    assert send(http, "POST", "/collections", made, who).status_code == 201
    http.post("/collections/diary/documents?name=a.txt", data=b"lamp", headers=who)
    assert http.delete("/collections/diary", headers=who).status_code == 200


def data_gone(http: FlaskClient, who: Headers) -> None:
    id = upload(http, who).json["data_id"]
    assert http.delete(f"/user/data/{id}", headers=who).status_code == 200


def embedding_gone(http: FlaskClient, who: Headers) -> None:
    id = http.post("/embed/files?name=a.txt", data=b"lamp", headers=who).json["id"]
    assert http.delete(f"/embed/files/{id}", headers=who).status_code == 200


def same_content_again(http: FlaskClient, who: Headers) -> None:
    sent(http, who)
    again = http.post(f"{PATH}?name=b.txt", data=b"lamp", headers=who)
    assert again.json["unchanged"]
    for row in http.get(PATH, headers=who).json["documents"]:
        assert http.delete(f"{PATH}/{row['id']}", headers=who).status_code == 200


GONE = [document_gone, collection_gone, data_gone, embedding_gone, same_content_again]


@pytest.mark.parametrize("going", GONE, ids=lambda one: one.__name__)
def test_what_a_removal_has_left_in_the_store_goes_by_the_clock(http, owner, monkeypatch, going):
    def away(*_: Any) -> None:
        raise BlobsAway("the disk is away")

    with monkeypatch.context() as outage:
        outage.setattr(FolderBlobs, "remove", away)
        outage.setattr(FolderBlobs, "remove_one", away)
        going(http, owner)
    assert files() != []
    assert orphans() == []
    age()
    tidy_store()
    assert (files(), noted()) == ([], [])


def test_rows_that_go_with_others_note_their_files_too(http, owner, admin):
    sent(http, owner)
    upload(http, owner)
    http.post("/embed/files?name=a.txt", data=b"lamp", headers=owner)
    session_value("delete from users_data returning 1")
    session_value("delete from collections returning 1")
    session_value("delete from embeddings returning 1")
    assert [place.split("/")[0] for place in noted()] == ["data", "documents", "embeddings"]
    age()
    tidy_store()
    assert files() == []


def test_the_clock_takes_nothing_that_is_referred_to(http, owner):
    document = sent(http, owner)
    upload(http, owner)
    http.post("/embed/files?name=a.txt", data=b"lamp", headers=owner)
    load_document(1, document, 1)
    before = set(files())
    age()
    tidy_store()
    assert set(files()) == before
    assert (len(before), noted()) == (4, [])


def test_a_file_that_the_clock_has_taken_is_not_referred_to(http, owner, monkeypatch):
    put = FolderBlobs.put_stream

    def slowly(store: FolderBlobs, key: str, pieces: Any) -> None:
        age()
        tidy_store()
        put(store, key, pieces)

    monkeypatch.setattr(FolderBlobs, "put_stream", slowly)
    reply = http.post(f"{PATH}?name=a.txt", data=b"lamp", headers=owner)
    assert (reply.status_code, reply.json["code"]) == (408, "upload_expired")
    assert "send it again" in reply.json["message"]
    assert session_value("select count(*) from documents") == 0
    assert files() == [], "it was stored after the clock had been there"


def test_who_removes_and_who_adopts_come_one_after_the_other(db):
    with session_scope(1) as session:
        loosen(session, 1, "documents/1/a")
    with session_scope(1) as adopting:
        adopt(adopting, 1, "documents/1/a")
        with session_scope(1) as removing:
            assert claim_loose(removing, 1, "documents/1/a") is None
    with session_scope(1) as session:
        loosen(session, 1, "documents/1/b")
    refused: list[str] = []

    def adopt_it() -> None:
        try:
            with session_scope(1) as session:
                adopt(session, 1, "documents/1/b")
        except RedtenError as error:
            refused.append(error.code)

    with session_scope(1) as removing:
        found = claim_loose(removing, 1, "documents/1/b")
        late = threading.Thread(target=adopt_it)
        late.start()
        until(lambda: session_value("select count(*) from pg_locks where not granted"))
        removing.delete(found)
    late.join()
    assert refused == ["upload_expired"]


def test_an_upload_that_goes_on_is_not_too_old(db, monkeypatch):
    quick = loose.settings.model_copy(update={"loose_after_s": 0.0})
    monkeypatch.setattr(loose, "settings", quick)
    with session_scope(1) as session:
        loosen(session, 1, "documents/1/a")
    age()
    assert list(loose.renewing(1, ["documents/1/a"], [b"a", b"b"])) == [b"a", b"b"]
    assert session_value("select since > now() - interval '1 minute' from loose_blobs")
    with session_scope(1) as session:
        adopt(session, 1, "documents/1/a")
    with pytest.raises(RedtenError, match="too long"), session_scope(1) as session:
        renew(session, 1, "documents/1/a")


def test_while_a_backup_is_made_nothing_is_removed(http, owner):
    document = sent(http, owner)
    with CLUSTER.connect(DATABASE) as connection:
        connection.execute("select pg_advisory_lock(%s)", (REMOVAL_LOCK,))
        assert http.delete(f"{PATH}/{document}", headers=owner).status_code == 200
        age()
        tidy_store()
        assert len(files()) == 1
    tidy_store()
    assert (files(), noted()) == ([], [])


def test_one_tenants_notes_are_not_there_for_another(db):
    with session_scope(1) as session:
        loosen(session, 1, "data/1/a")
    with session_scope(2) as session:
        assert claim_loose(session, 1, "data/1/a") is None
        with pytest.raises(RedtenError):
            adopt(session, 1, "data/1/a")


def work() -> list[Path]:
    return [path for path in (LAYOUT.blobs / "work").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "ending",
    [
        "update documents set state = 4, code = 'lost', lease_until = null returning 1",
        "update documents set state = 3, lease_until = null returning 1",
        "update documents set state = 1, attempt = attempt + 1 returning 1",
        "delete from documents returning 1",
    ],
)
def test_work_of_attempts_that_are_over_goes_by_the_clock(http, owner, ending):
    document = sent(http, owner)
    load_document(1, document, 1)
    tidy_store()
    assert len(work()) == 1, "the next step reads it"
    session_value(ending)
    tidy_store()
    assert work() == []


def test_a_document_leaves_its_content_alone(http, owner):
    document = sent(http, owner)
    store_document(embed_document(chunk_document(load_document(1, document, 1))))
    assert [path.relative_to(LAYOUT.blobs).parts[0] for path in files()] == ["documents"]
    assert noted() == []
    with pytest.raises(Ignore):
        load_document(1, document, 1)
    assert orphans() == []


def test_what_lies_in_the_store_for_no_reason_is_an_orphan(http, owner, tmp_path):
    sent(http, owner)
    file = tmp_path / "file"
    file.write_bytes(b"x")
    get_blobs().put("documents/9/x", file)
    get_blobs().put("work/1-9/1/pages", file)
    assert sorted(orphans()) == ["documents/9/x", "work/1-9/1/pages"]
