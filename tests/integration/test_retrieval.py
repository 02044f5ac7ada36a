"""Passages without an answer: our own route and Dify's, as their callers see them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from engines.embedder import get_embedder
from models.chunks import Arriving, put_chunks
from models.collection import Visibility, add_collection, find_collection
from models.document import Document, add_document
from models.session import session_scope
from models.tenant import Caller
from models.work import State
from settings import settings
from tasks import mailbox, rerank, serve
from tests.integration.processes import workers

PUBLIC = "embed-security"
QUESTION = "How high is the tower of Gull Rock?"
TOWER = "The tower of Gull Rock is 31 metres high and was built in 1871."
ROCK = (
    "The keeper of Gull Rock rows ashore on Fridays.",
    TOWER,
    "Its lamp burns 1,200 litres of oil a year.",
)
BREAD = ("Bread needs flour, water and salt.",)


@pytest.fixture(scope="module", autouse=True)
def alive(services: None) -> Iterator[None]:
    with workers(inference="", ingest="", sweep=""):
        yield


def stored(caller: Caller, collection: str, name: str, texts: tuple[str, ...], **facts: Any) -> int:
    """A document as if it had gone its way, a page a chunk."""
    vectors = get_embedder().embed(texts)
    rows = (
        Arriving(at, at + 1, text, "Facts", {"page": at + 1}, {"region": ["North"]}, vector)
        for at, (text, vector) in enumerate(zip(texts, vectors, strict=True))
    )
    with session_scope(caller.tenant_id) as session:
        found = find_collection(session, caller, collection)
        document, _ = add_document(
            session,
            Document(
                tenant_id=caller.tenant_id,
                collection_id=found.id,
                name=name,
                content_sha256=name.ljust(64, "0"),
                size_in_bytes=1,
                blob=f"documents/{name}",
                **facts,
            ),
        )
        document.chunks = put_chunks(session, document, rows, "english")
        document.state = State.DONE
        return document.id


@pytest.fixture
def rock(admin: Caller) -> int:
    """A document about a lighthouse beside another one about bread, in the public collection."""
    stored(admin, PUBLIC, "bread.md", BREAD, kind="markdown", tags=["food"])
    return stored(
        admin,
        PUBLIC,
        "rocks/gull.pdf",
        ROCK,
        title="Gull Rock",
        kind="pdf",
        dated_at=datetime(2021, 5, 1, tzinfo=UTC),
    )


def retrieve(http, headers, **more: Any) -> Any:
    body = {"question": QUESTION, "collection": PUBLIC} | more
    return http.post("/retrieve", json=body, headers=headers)


def found(http, headers, **more: Any) -> list[Any]:
    reply = retrieve(http, headers, **more)
    assert reply.status_code == 200, reply.json
    return reply.json["passages"]


def test_the_best_passage_comes_first_with_all_that_is_known_of_it(http, headers, rock):
    reply = retrieve(http, headers, surprise=True)

    assert reply.status_code == 200, reply.json
    assert reply.json["seconds"] > 0
    best = reply.json["passages"][0]
    assert (best["text"], best["document_id"], best["source"]) == (TOWER, rock, "rocks/gull.pdf")
    assert (best["title"], best["heading"], best["page"]) == ("Gull Rock", "Facts", 2)
    assert (best["locator"], best["collection"]) == ({"page": 2}, PUBLIC)
    assert best["scores"]["cosine"] > 0.5
    assert best["scores"]["words"] > 0
    assert best["scores"]["relevance"] is None
    shown = best["snippet"]
    assert TOWER[shown["start"] :].startswith(shown["text"])
    marked = [shown["text"][start:end] for start, end in shown["highlights"]]
    assert marked == ["tower", "Gull", "Rock", "high"]
    scores = [one["score"] for one in reply.json["passages"]]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("mode", ["hybrid", "vector", "text"])
def test_each_mode_finds_the_tower_and_no_more_than_k(http, headers, rock, mode):
    assert [one["text"] for one in found(http, headers, mode=mode, k=1)] == [TOWER]


@pytest.mark.parametrize(
    ("filters", "sources"),
    [
        ({"names": ["rocks/*"]}, {"rocks/gull.pdf"}),
        ({"kinds": ["markdown"]}, {"bread.md"}),
        ({"tags": ["food", "drink"]}, {"bread.md"}),
        ({"dated_from": "2021-01-01", "dated_to": "2022-01-01T00:00:00Z"}, {"rocks/gull.pdf"}),
        ({"dated_to": "2020-01-01"}, set()),
        ({"pages": [2, None]}, {"rocks/gull.pdf"}),
        ({"meta": {"region": "North"}, "kinds": ["pdf", "mail"]}, {"rocks/gull.pdf"}),
        ({"meta": {"region": ["South"]}}, set()),
        ({"documents": [1]}, {"bread.md"}),
    ],
)
def test_filters_hold_in_every_mode(http, headers, rock, filters, sources):
    for mode in ("hybrid", "vector"):
        seen = {one["source"] for one in found(http, headers, filters=filters, mode=mode)}
        assert seen == sources


def test_neighbours_come_with_a_passage_unless_they_were_found_themselves(http, headers, rock):
    [best] = found(http, headers, k=1, neighbours=1)
    assert [one["text"] for one in best["neighbours"]] == [ROCK[0], ROCK[2]]
    several = found(http, headers, k=3, neighbours=1, filters={"kinds": ["pdf"]})
    assert [one["neighbours"] for one in several] == [[], [], []]


def test_several_collections_are_searched_together(http, owner, admin, rock):
    with session_scope(1) as session:
        add_collection(session, admin, "more", Visibility.PRIVATE)
    stored(admin, "more", "tower.md", ("The tower of Skerry is 19 metres high.",))
    passages = found(http, owner, collection=None, collections=[PUBLIC, "more", PUBLIC])
    assert {one["collection"] for one in passages[:2]} == {PUBLIC, "more"}


def test_what_one_may_not_read_is_not_found(http, headers, admin, rock):
    with session_scope(1) as session:
        add_collection(session, admin, "diary", Visibility.PRIVATE)
    for more in ({"collection": "diary"}, {"collections": ["diary"]}, {"collection": 999}):
        refused = retrieve(http, headers, **more)
        assert (refused.status_code, refused.json["code"]) == (404, "collection_not_found")


def test_collections_of_different_models_are_not_mixed(http, owner, admin):
    with session_scope(1) as session:
        add_collection(session, admin, "odd", Visibility.PRIVATE, embed_model_name="example/other")
    refused = retrieve(http, owner, collections=["odd"])
    assert (refused.status_code, refused.json["code"]) == (400, "mixed_models")
    missing = retrieve(http, owner, collection="odd")
    assert (missing.status_code, missing.json["code"]) == (400, "unknown_embedder")


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"question": " "}, "question"),
        ({"collection": None}, "_schema"),
        ({"k": 0}, "k"),
        ({"k": 101}, "k"),
        ({"mode": "best"}, "mode"),
        ({"neighbours": 6}, "neighbours"),
        ({"filters": {"pages": [3, 2]}}, "filters"),
        ({"filters": {"pages": [0, 2]}}, "filters.pages.0"),
        ({"filters": {"documents": []}}, "filters.documents"),
        ({"filters": {"dated_from": "soon"}}, "filters.dated_from"),
        ({"filters": {"colour": ["red"]}}, "filters.colour"),
        ({"filters": {"meta": {"region": {}}}}, "filters.meta.region.0"),
    ],
)
def test_wrong_values_are_refused_by_name(http, headers, more, field):
    refused = retrieve(http, headers, **more)
    assert (refused.status_code, refused.json["code"]) == (400, "invalid_request")
    assert any(name.startswith(field) for name in refused.json["fields"]), refused.json


def test_a_search_that_no_worker_answers_in_time_may_be_tried_again(http, headers, monkeypatch):
    monkeypatch.setattr(mailbox, "collect", lambda address, wait_s: None)
    late = retrieve(http, headers)
    assert (late.status_code, late.json["code"]) == (503, "unavailable")
    assert int(late.headers["Retry-After"]) > 0


def test_nobody_is_asked_to_rerank_where_no_reranker_is_set(http, headers):
    refused = retrieve(http, headers, rerank=True)
    assert (refused.status_code, refused.json["code"]) == (400, "no_reranker")


def test_a_reranker_orders_what_it_has_time_for_and_the_rest_follows(admin, rock, monkeypatch):
    class Judge:
        """Likes what is long, and has time for two."""

        def score(self, question: str, texts: list[str], budget_s: float) -> list[float]:
            return [len(text) / 1000 for text in texts[:2]]

    monkeypatch.setattr(rerank, "get_reranker", lambda name: Judge())
    asked = serve.Asked(
        question="Fridays",
        collections=[1],
        embed_model_name=settings.embed_model,
        count=3,
        mode="vector",
        filters={},
        around=0,
        rerank=True,
    )
    serve.serve_passages(1, asked, "an address")

    passages = mailbox.collect("an address", 1)["passages"]
    relevance = [one["scores"]["relevance"] for one in passages]
    assert relevance[0] > relevance[1]
    assert relevance[2] is None
    assert passages[0]["score"] == relevance[0] == len(passages[0]["text"]) / 1000


# --- Dify -----------------------------------------------------------------------------------------


def dify(http, headers: dict[str, str], **more: Any) -> Any:
    body = {
        "knowledge_id": PUBLIC,
        "query": QUESTION,
        "retrieval_setting": {"top_k": 2, "score_threshold": 0.0},
    }
    return http.post("/retrieval", json=body | more, headers=headers)


@pytest.fixture
def key(http, headers) -> dict[str, str]:
    """A service key as Dify sends it."""
    made = http.post("/keys", json={"name": "dify"}, headers=headers)
    return {"Authorization": f"Bearer {made.json['key']}"}


def test_dify_is_answered_in_its_own_form(http, key, rock):
    reply = dify(http, key)

    assert reply.status_code == 200, reply.json
    first, second = reply.json["records"]
    assert (first["content"], first["title"]) == (TOWER, "Gull Rock")
    assert 0.5 < first["score"] <= 1
    assert 0 <= second["score"] <= 1
    assert first["metadata"] == {
        "document_id": rock,
        "collection": PUBLIC,
        "source": "rocks/gull.pdf",
        "page": 2,
        "heading": "Facts",
        "locator": {"page": 2},
    }


def test_difys_threshold_and_conditions_narrow_it_down(http, key, rock):
    setting = {"top_k": 5, "score_threshold": 0.65}
    near = dify(http, key, retrieval_setting=setting).json["records"]
    assert [one["content"] for one in near] == [TOWER]
    markdown = {"name": "kind", "comparison_operator": "is", "value": "markdown"}
    narrowed = dify(http, key, metadata_condition={"conditions": [markdown]}).json["records"]
    assert [one["content"] for one in narrowed] == list(BREAD)
    nothing = {"name": "region", "comparison_operator": "is", "value": "South"}
    empty = dify(http, key, metadata_condition={"conditions": [nothing]})
    assert (empty.status_code, empty.json) == (200, {"records": []})


def test_dify_hears_of_a_bad_key_before_anything_else(http):
    for headers, number in (({}, 1001), ({"Authorization": "key"}, 1001), (_bearer("no"), 1002)):
        refused = http.post("/retrieval", headers=headers)
        assert (refused.status_code, refused.json["error_code"]) == (403, number)
        assert set(refused.json) == {"error_code", "error_msg"}


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_dify_hears_of_unknown_knowledge_and_of_what_it_cannot_have(http, key):
    unknown = dify(http, key, knowledge_id="nowhere")
    assert (unknown.status_code, unknown.json["error_code"]) == (404, 2001)
    never = {"name": "kind", "comparison_operator": "is not", "value": "pdf"}
    refused = dify(http, key, metadata_condition={"conditions": [never]})
    assert (refused.status_code, refused.json["error_code"]) == (400, 400)
    assert "is not" in refused.json["error_msg"]
    for more in ({"query": ""}, {"retrieval_setting": {"top_k": 0}}):
        assert dify(http, key, **more).json["error_code"] == 400
