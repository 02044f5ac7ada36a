"""Results and reviews: delivered, fetched, attached."""

import pytest

from tests.integration.door import log_in, send, sign_up
from tests.integration.processes import session_value

QUESTION = {"ask": {"msg": "How high is the tower?", "collection_id": "embed-security"}}


def test_a_delivered_result_is_stored_once_and_belongs_to_the_token(http, headers):
    record = {"user_id": 1, "question": "?", "answer": "!", "score": 0.5, "id": 77}
    first = send(http, "POST", "/ai/result", record, headers)
    again = send(http, "POST", "/ai/result", record, headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json["id"] == again.json["id"]
    assert first.json["user_id"] == log_in(http).json["id"]
    assert "recs" not in first.json
    keyed = [
        send(http, "POST", "/ai/result", {"answer": text}, headers | {"Idempotency-Key": "k"})
        for text in ("one", "two")
    ]
    assert keyed[0].json["id"] == keyed[1].json["id"]


def test_an_all_null_record_is_a_result_too(http, headers):
    reply = send(http, "POST", "/ai/result", dict.fromkeys(("job_id", "answer", "data")), headers)
    assert reply.status_code == 201


def test_a_review_changes_the_review_and_nothing_else(http, headers):
    record = {"answer": "llm", "score": 0.5, "session_id": "s", "embed_model_name": "m"}
    made = send(http, "POST", "/ai/result", record, headers).json
    sent = made | {"reviewed_answer": "expert", "reviewed_score": 97.5, "answer": "forged"}
    sent |= {"session_id": None, "embed_model_name": None, "score": 1.0, "user_id": 1}

    changed = send(http, "PUT", "/ai/result", sent, headers)

    assert changed.status_code == 200
    assert changed.json == made | {
        "reviewed_answer": "expert",
        "reviewed_score": 97.5,
        "updated_at": changed.json["updated_at"],
    }


def test_the_same_review_twice_is_one_and_history_is_kept(http, headers):
    id = send(http, "POST", "/ai/result", {"answer": "llm"}, headers).json["id"]
    for text in ("first", "first", "second"):
        review = {"id": id, "reviewed_answer": text, "reviewed_score": 80}
        assert send(http, "PUT", "/ai/result", review, headers).json["reviewed_answer"] == text
    assert session_value("select count(*) from reviews") == 2
    unchanged = send(http, "PUT", "/ai/result", {"id": id, "reviewed_answer": None}, headers)
    assert (unchanged.json["reviewed_answer"], unchanged.json["reviewed_score"]) == ("second", 80.0)


@pytest.mark.parametrize("state", [-1, 32768, 1e400])
def test_a_state_that_no_column_can_hold_is_refused(http, headers, state):
    assert send(http, "POST", "/ai/result", {"state": state}, headers).status_code == 400


def test_where_a_chains_answer_came_from_cannot_be_rewritten(http, headers):
    own = log_in(http).json["id"]
    session_value(
        "insert into answers (tenant_id, user_id, origin, answer, data)"
        f" values (1, {own}, 'chain', 'llm', '{{\"grounded\": false}}') returning id"
    )
    review = {"id": 1, "reviewed_answer": "x", "reviewed_score": 1, "data": {"grounded": True}}
    changed = send(http, "PUT", "/ai/result", review | {"tags": "a,b"}, headers).json
    assert (changed["data"], changed["tags"]) == ({"grounded": False}, "a,b")


def test_every_review_of_an_answer_can_be_read(http, headers):
    job = send(http, "POST", "/job", QUESTION, headers).json["id"]
    id = send(http, "POST", "/ai/result", {"job_id": job}, headers).json["id"]
    for text in ("first", "second"):
        send(http, "PUT", "/ai/result", {"id": id, "reviewed_answer": text}, headers)
    reviews = http.get(f"/ai/result/{job}/reviews", headers=headers).json["reviews"]
    assert [one["answer"] for one in reviews] == ["second", "first"]
    stranger = sign_up(http, "stranger@example.org")
    assert http.get(f"/ai/result/{job}/reviews", headers=stranger).status_code == 404


@pytest.mark.parametrize("confidence", [-0.1, 100.1, 1e9])
def test_a_confidence_outside_its_range_is_refused_with_the_range(http, headers, confidence):
    id = send(http, "POST", "/ai/result", {}, headers).json["id"]
    reply = send(http, "PUT", "/ai/result", {"id": id, "reviewed_score": confidence}, headers)
    assert reply.status_code == 400
    assert "between 0 and 100" in reply.json["msg"]


def test_an_expert_reviews_what_a_member_asked(http, headers, owner):
    id = send(http, "POST", "/ai/result", {"answer": "llm"}, headers).json["id"]
    expert = sign_up(http, "expert@example.org")
    review = {"id": id, "reviewed_answer": "right", "reviewed_score": 99}
    assert send(http, "PUT", "/ai/result", review, expert).status_code == 404
    role = {"role": "expert"}
    assert send(http, "PUT", "/members/expert@example.org", role, expert).status_code == 403
    assert send(http, "PUT", "/members/expert@example.org", role, owner).status_code == 200
    assert send(http, "PUT", "/ai/result", review, expert).status_code == 200
