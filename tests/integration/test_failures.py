"""Work that failed is seen by whom it concerns, and begins again when they say so."""

from typing import Any

import pytest

from models.seed import COLLECTION
from tasks.blobs import get_blobs
from tests.integration.door import ask, sign_up
from tests.integration.processes import session_value
from tests.integration.test_walls import other  # noqa: F401 - a tenant with a row of every kind

FAIL = "update {} set state = 4, losses = 3, attempt = 5, code = '{}', msg = 'why' returning 1"
KINDS = {"job": "jobs", "document": "documents", "source": "sources", "embedding": "embeddings"}


def fail(*tables: str, code: str = "lost") -> None:
    for table in tables:
        session_value(FAIL.format(table, code))


def listed(http: Any, headers: Any, query: str = "") -> list[tuple[str, int]]:
    reply = http.get(f"/failures{query}", headers=headers)
    assert reply.status_code == 200, reply.json
    return [(one["kind"], one["id"]) for one in reply.json["failures"]]


@pytest.fixture
def failed(http, owner) -> dict[str, int]:
    """One failed piece of work of each kind, all of the administrator's; ids by kind."""
    job = ask(http, owner, "how high is the tower?")
    path = f"/collections/{COLLECTION}/documents?name=a.md"
    document = http.post(path, data=b"a tower", headers=owner).json["id"]
    embedding = http.post("/embed/files?name=a.txt", data=b"a text", headers=owner).json["id"]
    body = {"question": "?", "answer": "?"}
    answer = http.post("/ai/result", json=body, headers=owner).json["id"]
    http.put("/ai/result", json={"id": answer, "reviewed_answer": "a tower"}, headers=owner)
    source = session_value(
        "insert into sources (tenant_id, collection_id, owner_id, address, state, attempt, losses)"
        " select 1, id, owner_id, '/srv/docs', 1, 1, 0 from collections returning id"
    )
    fail("jobs", "documents", "reviews", "sources", "embeddings")
    review = session_value("select id from reviews")
    return {
        "job": job,
        "document": document,
        "review": review,
        "source": source,
        "embedding": embedding,
    }


def test_failures_of_every_kind_are_listed_newest_first_and_narrowed(http, owner, failed):
    found = http.get("/failures", headers=owner).json["failures"]
    assert {one["kind"]: one["id"] for one in found} == failed
    assert [one["since"] for one in found] == sorted((one["since"] for one in found), reverse=True)
    job = next(one for one in found if one["kind"] == "job")
    assert (job["name"], job["code"], job["msg"]) == ("how high is the tower?", "lost", "why")
    assert (job["attempt"], job["losses"]) == (5, 3)
    assert listed(http, owner, "?kind=review") == [("review", failed["review"])]
    assert listed(http, owner, "?code=parse_crashed") == []


def test_pages_of_failures_hold_each_once(http, owner, failed):
    seen, after = [], None
    while True:
        query = {"limit": 2} | ({"after": after} if after else {})
        page = http.get("/failures", query_string=query, headers=owner).json
        seen += [(one["kind"], one["id"]) for one in page["failures"]]
        if (after := page["next"]) is None:
            break
    assert sorted(seen) == sorted(failed.items())


@pytest.mark.parametrize("query", ["after=x", "kind=tenant", "limit=0", "code="])
def test_a_query_that_cannot_be_meant_is_refused(http, owner, query):
    assert http.get(f"/failures?{query}", headers=owner).status_code == 400


def test_a_member_sees_and_retries_their_own_alone(http, owner, failed):
    member = sign_up(http, "member@example.org")
    assert listed(http, member) == []
    for kind, id in failed.items():
        reply = http.post(f"/failures/{kind}/{id}/retry", headers=member)
        nothing = http.post(f"/failures/{kind}/999/retry", headers=member)
        assert (reply.status_code, reply.json["code"]) == (404, f"{kind}_not_found")
        assert (nothing.status_code, nothing.json["code"]) == (404, f"{kind}_not_found")
    own = ask(http, member, "mine")
    fail("jobs")
    assert listed(http, member) == [("job", own)]


def test_an_expert_sees_what_others_asked_but_may_not_retry_it(http, owner, failed):
    expert = sign_up(http, "expert@example.org")
    http.put("/members/expert@example.org", json={"role": "expert"}, headers=owner)
    assert ("job", failed["job"]) in listed(http, expert)
    for path in (f"/job/{failed['job']}/retry", f"/failures/review/{failed['review']}/retry"):
        reply = http.post(path, headers=expert)
        assert (reply.status_code, reply.json["code"]) == (403, "forbidden")


def test_nothing_of_another_tenant_is_listed_or_retried(http, owner, failed, other):  # noqa: F811
    session_value("update collections set visibility = 'public' returning 1")
    fail("jobs", "documents", "reviews", "sources", "embeddings")
    assert dict(listed(http, owner)) == failed
    for kind, table in KINDS.items():
        id = session_value(f"select max(id) from {table} where tenant_id = {other.tenant_id}")
        assert http.post(f"/failures/{kind}/{id}/retry", headers=owner).status_code == 404


def test_a_retry_begins_again_as_if_nothing_had_gone_wrong(http, owner, failed):
    for kind, id in failed.items():
        reply = http.post(f"/failures/{kind}/{id}/retry", headers=owner)
        assert reply.status_code == 202, reply.json
        assert (reply.json["attempt"], reply.json["status"]) == (6, "waiting")
    assert listed(http, owner) == []
    for table in (*KINDS.values(), "reviews"):
        said = f"select concat(state, losses, resent, code, msg) from {table}"
        assert session_value(said) == "100"
    assert http.get(f"/job/result/{failed['job']}", headers=owner).status_code == 404


def test_what_has_not_failed_is_not_retried(http, owner):
    job = ask(http, owner, "a question")
    assert http.post(f"/job/{job}/retry", headers=owner).json["code"] == "not_failed"
    http.delete(f"/job/{job}", headers=owner)
    assert listed(http, owner) == []
    reply = http.post(f"/job/{job}/retry", headers=owner)
    assert (reply.status_code, reply.json["code"]) == (409, "not_failed")
    assert "cancelled" in reply.json["message"]


def test_a_document_whose_content_has_come_again_is_not_retried(http, owner, failed):
    path = f"/collections/{COLLECTION}/documents?name=b.md"
    assert http.post(path, data=b"a tower", headers=owner).status_code == 202
    reply = http.post(f"/failures/document/{failed['document']}/retry", headers=owner)
    assert (reply.status_code, reply.json["code"]) == (409, "document_exists")
    assert "b.md" in reply.json["message"]


@pytest.mark.parametrize("kind", ["document", "embedding"])
def test_work_whose_file_is_gone_is_not_retried(http, owner, failed, kind):
    get_blobs().remove("documents")
    get_blobs().remove("embeddings")
    reply = http.post(f"/failures/{kind}/{failed[kind]}/retry", headers=owner)
    assert (reply.status_code, reply.json["code"]) == (409, "input_gone")
    assert session_value(f"select state from {KINDS[kind]}") == 4


def test_all_failures_are_retried_but_those_that_cannot_be(http, owner, failed):
    get_blobs().remove("documents")
    reply = http.post("/failures/retry?code=lost", headers=owner)
    assert (reply.status_code, reply.json["next"]) == (202, None)
    assert {one["kind"] for one in reply.json["retried"]} == failed.keys() - {"document"}
    assert [(one["kind"], one["code"]) for one in reply.json["refused"]] == [
        ("document", "input_gone")
    ]


def test_a_question_whose_sources_are_unread_waits_for_them_again(http, owner, failed):
    session_value("update jobs set awaits_id = (select min(id) from collections) returning 1")
    reply = http.post(f"/job/{failed['job']}/retry", headers=owner)
    assert (reply.json["status"], reply.json["step"]) == ("waiting", "read_sources")


def test_a_retried_question_is_followed_from_its_new_beginning(http, owner, failed):
    from tasks import events

    events.emit(failed["job"], "error", {"code": "lost", "message": "why"})
    next(events.follow(failed["job"]))
    http.post(f"/job/{failed['job']}/retry", headers=owner)
    first = next(events.follow(failed["job"]))
    assert (first.kind, first.data["attempt"]) == ("state", 6)


def test_jobs_are_listed_newest_first_page_by_page(http, owner, headers):
    mine = [ask(http, headers, f"question {number}") for number in range(3)]
    theirs = ask(http, owner, "another's question")
    page = http.get("/jobs?limit=2", headers=headers).json
    assert [one["id"] for one in page["jobs"]] == mine[:0:-1]
    rest = http.get(f"/jobs?before={page['next']}", headers=headers).json
    assert ([one["id"] for one in rest["jobs"]], rest["next"]) == (mine[:1], None)
    everybodys = http.get("/jobs?state=waiting", headers=owner).json["jobs"]
    assert [one["id"] for one in everybodys] == [theirs, *reversed(mine)]
    assert http.get("/jobs?state=failed", headers=owner).json["jobs"] == []
