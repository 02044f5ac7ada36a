"""Collections that go: removed by whoever may, in the middle of work, or for want of questions."""

from pathlib import Path
from typing import Any

import pytest
from celery.exceptions import Ignore
from flask.testing import FlaskClient

from models import addresses
from models.session import session_scope
from models.source import collection_of
from models.tenant import Caller
from tasks import lease, sync
from tasks.blobs import FolderBlobs
from tasks.chunk import chunk_document
from tasks.due import remove_unused_collections
from tasks.embed import embed_document
from tasks.load import load_document
from tasks.rebuild import advance_rebuilds
from tasks.store import store_document
from tests.conftest import LAYOUT
from tests.integration.door import ask, send, sign_up
from tests.integration.processes import session_value

DIARY = "/collections/diary"
MAIL = b"Subject: oil\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n" + b"".join(
    b"--b\nContent-Disposition: attachment; filename=%s.txt\n\nlamp %s\n" % (name, name)
    for name in (b"one", b"two")
)
Headers = dict[str, str]


def blobs() -> list[Path]:
    return [path for path in LAYOUT.blobs.rglob("*") if path.is_file()]


def made(http: FlaskClient, who: Headers, visibility: str = "private") -> None:
    body = {"name": "diary", "visibility": visibility}
    assert send(http, "POST", "/collections", body, who).status_code == 201


def uploaded(http: FlaskClient, who: Headers, name: str = "m.eml", content: bytes = MAIL) -> int:
    sent = http.post(f"{DIARY}/documents?name={name}", data=content, headers=who)
    assert sent.status_code == 202, sent.json
    return int(sent.json["id"])


def removed(http: FlaskClient, who: Headers) -> int:
    return http.delete(DIARY, headers=who).status_code


def through(id: int) -> None:
    """A document's whole way, as workers go it."""
    store_document(embed_document(chunk_document(load_document(1, id, 1))))


def test_a_collection_goes_with_all_that_is_in_it_and_the_jobs_stay(http, headers):
    made(http, headers)
    through(uploaded(http, headers))
    uploaded(http, headers, "waiting.txt", b"waiting")
    job = ask(http, headers, "?", collection_id="diary")
    assert (removed(http, headers), removed(http, headers)) == (200, 404)
    left = "select (select count(*) from documents) + (select count(*) from chunks)"
    assert session_value(left) == 0
    assert blobs() == []
    assert http.get(f"/job/{job}", headers=headers).status_code == 200
    assert session_value("select collection_id from jobs") is None


def test_its_owner_removes_a_collection_and_the_tenants_owner_what_is_shared(http, headers, owner):
    stranger = sign_up(http, "stranger@example.org")
    made(http, headers)
    assert (removed(http, stranger), removed(http, owner)) == (404, 404)
    assert removed(http, headers) == 200
    made(http, headers, "tenant")
    expert = send(http, "PUT", "/members/stranger@example.org", {"role": "expert"}, owner)
    assert expert.status_code == 200
    assert (removed(http, stranger), removed(http, owner)) == (403, 200)


def test_the_collection_that_all_ask_who_name_none_stays(http, owner):
    refused = http.delete("/collections/embed-security", headers=owner)
    assert (refused.status_code, refused.json["code"]) == (409, "default_collection")
    assert "redten documents rm" in refused.json["message"]


@pytest.mark.parametrize(
    "step", ["load_document", "chunk_document", "embed_document", "store_document"]
)
def test_a_document_on_its_way_ends_with_its_collection(http, headers, monkeypatch, step):
    made(http, headers)
    document, kept = uploaded(http, headers), lease._kept

    def removing(flow: Any, running: str) -> Any:
        if running == step:
            assert removed(http, headers) == 200
        return kept(flow, running)

    monkeypatch.setattr(lease, "_kept", removing)
    with pytest.raises(Ignore):
        through(document)
    assert blobs() == []


def test_attachments_that_are_found_too_late_leave_nothing_behind(http, headers, monkeypatch):
    made(http, headers)
    document, put = uploaded(http, headers), FolderBlobs.put
    attached = []

    def removing(store: FolderBlobs, key: str, path: Path) -> None:
        put(store, key, path)
        if key.startswith("documents/"):
            attached.append(removed(http, headers))

    monkeypatch.setattr(FolderBlobs, "put", removing)
    with pytest.raises(Ignore):
        load_document(1, document, 1)
    assert attached == [200, 404]
    assert blobs() == []


def test_an_upload_that_comes_too_late_is_told_so_and_leaves_nothing(http, headers, monkeypatch):
    made(http, headers)
    put = FolderBlobs.put_stream

    def removing(store: FolderBlobs, key: str, pieces: Any) -> None:
        assert removed(http, headers) == 200
        put(store, key, pieces)

    monkeypatch.setattr(FolderBlobs, "put_stream", removing)
    late = http.post(f"{DIARY}/documents?name=a.txt", data=b"late", headers=headers)
    assert (late.status_code, late.json["code"]) == (404, "collection_not_found")
    assert blobs() == []


@pytest.mark.parametrize("step", ["_begin", "_bring", "_put", "_end"])
def test_a_run_of_a_source_ends_with_its_collection(http, headers, monkeypatch, tmp_path, step):
    (tmp_path / "a.md").write_text("text")
    allowed = addresses.settings.model_copy(update={"source_dirs": (str(tmp_path),)})
    monkeypatch.setattr(addresses, "settings", allowed)
    made(http, headers)
    body = {"collection": "diary", "address": str(tmp_path)}
    source = send(http, "POST", "/sources", body, headers).json["id"]
    went_on = getattr(sync, step)

    def removing(*args: Any) -> Any:
        assert removed(http, headers) == 200
        return went_on(*args)

    monkeypatch.setattr(sync, step, removing)
    with pytest.raises(Ignore):
        sync.sync_source(1, source, 1)
    assert blobs() == []


def test_a_rebuild_ends_with_its_collection(http, headers):
    made(http, headers)
    through(uploaded(http, headers))
    recipe = {"chunk_tokens": 50, "chunk_overlap": 0}
    assert send(http, "PATCH", DIARY, recipe, headers).status_code == 202
    assert removed(http, headers) == 200
    advance_rebuilds()
    with pytest.raises(Ignore):
        load_document(1, 1, 2)
    assert blobs() == []


ADDRESS = "https://example.org/"
OLD = "update {table} set {column} = now() - interval '8 days' returning 1"


@pytest.fixture
def own_sources(admin: Caller) -> int:
    """A collection that was made for a question's own source eight days ago."""
    with session_scope(1) as session:
        collection = collection_of(session, admin, [ADDRESS])
    session_value(
        "insert into sources (tenant_id, owner_id, collection_id, address, state, attempt, losses,"
        f" since) select 1, owner_id, id, '{ADDRESS}', 3, 1, 0, now() - interval '8 days'"
        " from collections where ad_hoc returning 1"
    )
    session_value(OLD.format(table="collections", column="created_at"))
    return collection.id


def there(id: int) -> bool:
    return session_value(f"select count(*) from collections where id = {id}") == 1


def test_what_no_question_asks_any_more_goes_with_what_was_read_for_it(http, owner, own_sources):
    job = ask(http, owner, "?", collection_id=own_sources)
    session_value("update jobs set state = 3 returning 1")
    remove_unused_collections()
    assert there(own_sources), "it was asked just now"
    session_value(OLD.format(table="jobs", column="created_at"))
    remove_unused_collections()
    assert not there(own_sources)
    assert session_value("select count(*) from sources") == 0
    assert http.get(f"/job/{job}", headers=owner).status_code == 200
    assert session_value("select count(*) from collections") == 1, "others stay, however old"


@pytest.mark.parametrize(
    "used",
    [
        "update jobs set params = jsonb_build_object('collections', jsonb_build_array({id}))",
        "update jobs set awaits_id = {id}",
        "update jobs set collection_id = {id}, state = 1, created_at = now() - interval '9 days'",
        "update sources set since = now()",
        "update sources set state = 2",
        "update sources set every_s = 3600",
        "update collections set ad_hoc = false",
        "update collections set created_at = now()",
        "insert into documents (tenant_id, collection_id, name, content_sha256, size_in_bytes,"
        " blob, state, attempt, losses) values (1, {id}, 'a', '0', 1, 'b', 3, 1, 0)",
    ],
)
def test_what_is_used_in_any_other_way_stays(http, owner, own_sources, used):
    ask(http, owner, "?")
    session_value("update jobs set state = 3 returning 1")
    session_value(used.format(id=own_sources) + " returning 1")
    remove_unused_collections()
    assert there(own_sources)
