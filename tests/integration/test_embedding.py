"""Texts embedded at once, and files of them as work that survives its workers."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from celery.exceptions import Ignore
from pyarrow import parquet

from ingest.load.page import LoadError
from models.embedding import Embedding, add_embedding
from models.session import session_scope
from models.tenant import Caller
from settings import settings
from tasks import embed_file
from tasks.blobs import get_blobs
from tasks.lifecycle import fail_work
from tests.conftest import LAYOUT
from tests.integration.door import sign_up
from tests.integration.processes import session_value, until, workers

TEXTS = ["a tower on a rock", "bread and flour", "how high is the tower?"]
CSV = b"id,said\n1,a tower on a rock\n2,\n3,bread and flour\n"


@pytest.fixture(scope="module", autouse=True)
def alive(services: None) -> Iterator[None]:
    with workers(inference=""):
        yield


def embed(http, headers, **more: Any) -> Any:
    return http.post("/embed", json={"texts": TEXTS} | more, headers=headers)


def sent(http, headers, content: bytes = CSV, query: str = "name=a.csv&column=said") -> Any:
    return http.post(f"/embed/files?{query}", data=content, headers=headers)


def over(http, headers, id: int) -> Any:
    def seen() -> Any:
        now = http.get(f"/embed/files/{id}", headers=headers).json
        return now if now["state"] > 2 else None

    return until(seen)


def blobs() -> list[str]:
    return [path.name for path in (LAYOUT.blobs / "embeddings").rglob("*") if path.is_file()]


def test_texts_come_back_as_vectors_of_length_one_in_their_order(http, headers):
    reply = embed(http, headers)
    assert reply.status_code == 200, reply.json
    vectors = np.array(reply.json["vectors"])
    assert (reply.json["model"], reply.json["dimensions"]) == (settings.embed_model, 384)
    assert vectors.shape == (3, 384)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-3)
    assert vectors[2] @ vectors[0] > vectors[2] @ vectors[1]
    assert reply.json["tokens"] > len(TEXTS)
    named = embed(http, headers, model=settings.embed_model, kind="query").json
    assert named["model"] == settings.embed_model


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"model": "example/no-such-encoder"}, "unknown_embedder"),
        ({"texts": []}, "invalid_request"),
        ({"texts": [""]}, "invalid_request"),
        ({"texts": ["a"] * 2049}, "invalid_request"),
        ({"kind": "passage"}, "invalid_request"),
    ],
)
def test_what_cannot_be_embedded_is_refused(http, headers, more, code):
    refused = embed(http, headers, **more)
    assert (refused.status_code, refused.json["code"]) == (400, code)


def test_a_file_of_texts_becomes_a_file_of_vectors(http, headers):
    made = sent(http, headers)
    assert made.status_code == 202, made.json
    done = over(http, headers, made.json["id"])
    assert (done["status"], done["progress"], done["code"]) == ("done", [2, 2], None)

    with http.get(f"/embed/files/{done['id']}/vectors", headers=headers) as fetched:
        assert fetched.status_code == 200
        assert "filename=a.parquet" in fetched.headers["Content-Disposition"]
        table = parquet.read_table(io.BytesIO(fetched.data))

    assert table.column("row").to_pylist() == [1, 3]
    assert table.column("text").to_pylist() == TEXTS[:2]
    assert str(table.schema.field("vector").type) == "fixed_size_list<element: float>[384]"
    assert table.schema.metadata[b"model"].decode() == settings.embed_model
    at_once = embed(http, headers, texts=TEXTS[:2]).json["vectors"]
    assert np.array(table.column("vector").to_pylist()) == pytest.approx(
        np.array(at_once), abs=2e-2
    )
    assert blobs() == ["vectors"]

    assert http.delete(f"/embed/files/{done['id']}", headers=headers).status_code == 200
    assert blobs() == []
    assert http.get(f"/embed/files/{done['id']}", headers=headers).status_code == 404


def test_a_file_that_cannot_be_read_fails_with_its_reason(http, headers):
    made = sent(http, headers, query="name=a.csv").json
    failed = over(http, headers, made["id"])
    assert (failed["status"], failed["code"]) == ("failed", "unknown_column")
    assert "id, said" in failed["msg"]
    refused = http.get(f"/embed/files/{made['id']}/vectors", headers=headers)
    assert (refused.status_code, refused.json["code"]) == (409, "embedding_failed")


def test_what_is_no_file_of_texts_is_refused(http, headers):
    empty = sent(http, headers, b"")
    assert (empty.status_code, empty.json["code"]) == (400, "empty_document")
    nameless = sent(http, headers, query="column=said")
    assert (nameless.status_code, nameless.json["code"]) == (400, "invalid_request")
    nul = sent(http, headers, query="name=a.csv&column=%00")
    assert (nul.status_code, nul.json["code"]) == (400, "invalid_request")
    assert session_value("select count(*) from embeddings") == 0


def test_a_file_is_there_for_its_sender_alone(http, headers, owner):
    made = sent(http, headers).json
    other = sign_up(http, "other@example.org")
    for who in (other, owner):
        for method, path in (("GET", ""), ("GET", "/vectors"), ("DELETE", "")):
            reply = http.open(f"/embed/files/{made['id']}{path}", method=method, headers=who)
            assert (reply.status_code, reply.json["code"]) == (404, "embedding_not_found")
    assert over(http, headers, made["id"])["status"] == "done"


def test_a_file_whose_worker_was_lost_is_done_by_the_next_one(http, owner, admin):
    made = _waiting(admin)
    with session_scope(1) as session:
        assert Embedding.claim(session, made.id, made.attempt, "embed_file")
    refused = http.get(f"/embed/files/{made.id}/vectors", headers=owner)
    assert (refused.status_code, refused.json["code"]) == (409, "embedding_not_over")

    session_value("update embeddings set lease_until = now() - interval '1 s' returning 1")

    done = over(http, owner, made.id)
    assert (done["status"], done["progress"]) == ("done", [2, 2])
    assert done["attempt"] > 1
    assert session_value("select losses from embeddings") == 1


def test_what_an_attempt_has_kept_is_not_made_again(http, owner, admin, monkeypatch):
    real = embed_file._make
    monkeypatch.setattr(embed_file, "KEPT", 2)
    made = _waiting(admin, b"said\n" + b"".join(b"station %d\n" % one for one in range(5)))
    monkeypatch.setattr(embed_file, "_make", _dying_at(real, 2))
    with pytest.raises(ConnectionError):
        embed_file.embed_file(1, made.id, made.attempt)
    assert session_value("select done from embeddings") == 4
    monkeypatch.setattr(embed_file, "_make", _dying_at(real, 0, 1))
    with session_scope(1) as session:
        assert Embedding.hand_back(session, made.id, made.attempt, "embed_file")

    embed_file.embed_file(1, made.id, made.attempt + 1)

    with http.get(f"/embed/files/{made.id}/vectors", headers=owner) as fetched:
        table = parquet.read_table(io.BytesIO(fetched.data))
    assert table.column("text").to_pylist() == [f"station {one}" for one in range(5)]
    assert table.column("row").to_pylist() == [1, 2, 3, 4, 5]
    assert blobs() == ["vectors"]


def _dying_at(real: Any, *numbers: int) -> Any:
    """Makes pieces, but none of these."""

    def make(held: Any, embedder: Any, number: int, *more: Any) -> None:
        if number in numbers:
            raise ConnectionError
        real(held, embedder, number, *more)

    return make


def test_vectors_of_a_file_that_was_deleted_meanwhile_are_not_left_behind(
    http, owner, admin, monkeypatch
):
    made = _waiting(admin)
    real = embed_file._make

    def deleted_before(*args: Any) -> None:
        assert http.delete(f"/embed/files/{made.id}", headers=owner).status_code == 200
        real(*args)
        assert blobs() == ["0"]

    monkeypatch.setattr(embed_file, "_make", deleted_before)
    with pytest.raises(Ignore):
        embed_file.embed_file(1, made.id, made.attempt)
    assert blobs() == []


def test_a_file_with_too_many_texts_fails_before_any_is_embedded(http, owner, admin, monkeypatch):
    few = settings.model_copy(update={"embed_texts": 1})
    monkeypatch.setattr(embed_file, "settings", few)
    made = _waiting(admin)

    with pytest.raises(LoadError, match="more than 1 texts") as refused:
        embed_file.embed_file(1, made.id, made.attempt)

    work = {"kind": "embedding", "tenant_id": 1, "id": made.id, "attempt": made.attempt}
    fail_work(None, refused.value, None, **work)
    seen = http.get(f"/embed/files/{made.id}", headers=owner).json
    assert (seen["code"], seen["progress"]) == ("too_many_texts", [0, 0])


def _waiting(admin: Caller, content: bytes = CSV) -> Embedding:
    """A file of the administrator's that no worker takes: the sweep does not see it for an hour."""
    wanted = Embedding(
        tenant_id=1,
        user_id=admin.user_id,
        name="a.csv",
        text_column="said",
        kind="document",
        embed_model_name=settings.embed_model,
        size_in_bytes=len(content),
        folder="embeddings/1/a",
        step=Embedding.FIRST_STEP,
        since=datetime.now(UTC) + timedelta(hours=1),
    )
    get_blobs().put_stream(wanted.texts_blob, [content])
    with session_scope(1) as session:
        return add_embedding(session, wanted)
