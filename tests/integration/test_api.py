"""The door: what it lets in, what it refuses, and in which words."""

import json

import pytest

from api.prefix import EnvPrefix
from tests.integration.door import log_in, send, sign_up
from tests.integration.processes import session_value

QUESTION = {"ask": {"msg": "How high is the tower?", "collection_id": "embed-security"}}


@pytest.mark.parametrize("kind", [None, "application/x-www-form-urlencoded", "text/plain"])
def test_body_is_json_whatever_its_content_type(http, headers, kind):
    body = json.dumps({"email": "member@example.org", "password": "a secret"})
    assert http.post("/login", data=body, content_type=kind).status_code == 201


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/dev/healthz", 200),
        ("/v1/any-name/healthz", 200),
        ("/v1/dev", 302),
        ("/v1/chat/healthz", 404),
        ("/v1/completions/healthz", 404),
        ("/v1/embeddings/healthz", 404),
        ("/v1/models/healthz", 401),  # a model may be called so
    ],
)
def test_every_path_is_there_below_an_env_name_too(http, path, status):
    http.application.wsgi_app = EnvPrefix(http.application.wsgi_app)
    assert http.get(path).status_code == status


def test_how_an_answer_is_drawn_can_be_said_in_full(http, headers):
    drawn = {"top_k": 40, "min_p": 0.1, "repeat_penalty": 1.1, "stop": ["\n"], "logprobs": True}
    made = http.post(
        "/job", json={"ask": {"msg": "?", **drawn, "json_schema": {}}}, headers=headers
    )
    assert made.status_code == 201
    params = session_value("select params from jobs")
    assert params.items() >= (drawn | {"json_schema": {}, "presence_penalty": 0.0}).items()
    for wrong in ({"grammar": "root ::= [a]", "json_schema": {}}, {"stop": [""]}, {"min_p": 2}):
        refused = http.post("/job", json={"ask": {"msg": "?", **wrong}}, headers=headers)
        assert (refused.status_code, refused.json["code"]) == (400, "invalid_request")


def test_a_job_is_written_down_with_everything_that_was_not_said(http, headers):
    reply = send(http, "POST", "/job", {"user_id": 1, **QUESTION}, headers)
    assert reply.status_code == 201
    job = reply.json
    assert (job["state"], job["step"], job["attempt"]) == (1, "start_job", 1)
    assert http.get(f"/job/{job['id']}", headers=headers).json["status"] == "waiting"
    thread = session_value(f"select session_id from jobs where id = {job['id']}")
    assert len(thread) == 32


def test_an_unfinished_job_has_no_result_yet(http, headers):
    job = send(http, "POST", "/job", QUESTION, headers).json["id"]
    reply = http.get(f"/job/result/{job}", headers=headers)
    assert (reply.status_code, reply.json["code"]) == (404, "job_not_over")


@pytest.mark.parametrize(
    ("ask", "status", "told"),
    [
        ({"msg": "   "}, 400, "ask.msg"),
        ({"collection_id": "no-such"}, 404, "no-such"),
        ({"n_ctx": 0}, 400, "ask.n_ctx"),
        ({"temperature": -1}, 400, "ask.temperature"),
        ({"rag": {"match_docs": 1000}}, 400, "ask.rag.match_docs"),
        ({"rag": {"dirs": ["/etc"]}}, 403, "REDTEN_SOURCE_DIRS"),
        ({"rag": {"dirs": ["docs"]}}, 400, "a folder of the worker"),
        ({"rag": {"s3": ["s3://bucket/x"]}}, 403, "REDTEN_S3_SOURCES"),
        ({"rag": {"rss": ["https://example.org/feed"]}}, 403, "REDTEN_WEB_SOURCES"),
        ({"rag": {"caches": ["no-such"]}}, 404, "no-such"),
        ({"rag": {"dirs": ["/a"] * 17}}, 400, "ask.rag.dirs"),
    ],
)
def test_a_bad_question_is_refused_with_what_to_do(http, headers, ask, status, told):
    reply = send(http, "POST", "/job", {"ask": QUESTION["ask"] | ask}, headers)
    assert reply.status_code == status
    assert told in reply.json["msg"]
    assert session_value("select count(*) from jobs") == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[",
        b"[]",
        b"\xff",
        b'{"ask":{"msg":"a\\u0000b"}}',
        b'{"ask":{"msg":"a\\ud800b"}}',
        b'{"ask":{"msg":"hi","data":{"x":NaN}}}',
        b'{"ask":{"msg":"hi","data":{"x":1e400}}}',
        b'{"ask":{"msg":"hi","data":{"x":' + b"[" * 40 + b"]" * 40 + b"}}}",
        b'{"ask":{"msg":"hi","collection_id":"' + b"9" * 5000 + b'"}}',
        b'{"ask":{"msg":"hi","collection_id":true}}',
    ],
)
def test_a_body_that_cannot_be_kept_is_refused(http, headers, body):
    reply = http.post("/job", data=body, headers=headers)
    assert reply.status_code == 400
    assert reply.json["message"]


def test_a_stranger_gets_the_404_of_a_thing_that_does_not_exist(http, headers):
    job = send(http, "POST", "/job", QUESTION, headers).json["id"]
    answer = send(http, "POST", "/ai/result", {"answer": "mine", "job_id": job}, headers).json["id"]
    stranger = sign_up(http, "stranger@example.org")
    nothing = 987654

    def replies(job_id, answer_id):
        review = {"id": answer_id, "reviewed_answer": "x"}
        yield http.get(f"/job/{job_id}", headers=stranger)
        yield http.get(f"/job/result/{job_id}", headers=stranger)
        yield http.get(f"/ai/result/{job_id}", headers=stranger)
        yield send(http, "PUT", "/ai/result", review, stranger)
        yield send(http, "POST", "/ai/result", {"job_id": job_id}, stranger)

    there = [(r.status_code, r.text.replace(str(job), "N")) for r in replies(job, answer)]
    gone = [(r.status_code, r.text.replace(str(nothing), "N")) for r in replies(nothing, nothing)]
    assert [status for status, _ in there] == [404] * 5
    for (_, one), (_, other) in zip(there[:3], gone[:3], strict=True):
        assert one == other
    search = {"query": "by_job_id", "job_id": job}
    assert send(http, "POST", "/ai/result/search", search, stranger).json["recs"] == []


def test_the_api_describes_itself_from_its_schemas(http):
    spec = http.get("/openapi.json").json
    assert spec["openapi"].startswith("3.1")
    job = spec["paths"]["/job"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert "JobIn" in job["$ref"]
    assert {"/login", "/user", "/job/result/{id}", "/ai/result"} <= spec["paths"].keys()


def test_metrics_count_requests_by_what_they_were(http, headers):
    log_in(http, password="wrong")
    text = http.get("/metrics").text
    counted = 'http_requests_total_by_status_code{method="login",resource="auth",'
    assert counted + 'status_code="http_400"}' in text
    assert "http_request_duration_seconds_sum" in text


def test_a_reply_holds_no_text_of_the_database(http, headers, monkeypatch):
    def break_it(*_args):
        raise ValueError("select secret from users")

    monkeypatch.setattr("api.jobs.find_job", break_it)
    reply = http.get("/job/1", headers=headers)
    assert (reply.status_code, reply.json["code"]) == (500, "internal_error")
    assert "secret" not in reply.text


def test_readiness_names_what_is_missing(http):
    reply = http.get("/readyz")
    assert reply.status_code == 503
    assert "worker for inference" in reply.json["missing"]
    assert http.get("/healthz").status_code == 200
