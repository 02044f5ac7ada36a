"""The door: what it lets in, what it refuses, and in which words."""

import json
import threading

import jwt
import pytest
from argon2 import PasswordHasher
from argon2.low_level import Type

from api.prefix import EnvPrefix
from models.session import session_scope
from models.user import Token, find_user, replace_password
from settings import settings
from tests.integration.conftest import session_value, sign_up

QUESTION = {"ask": {"msg": "How high is the tower?", "collection_id": "embed-security"}}


def send(http, method, path, body=None, headers=None):
    """As the published client and curl do: JSON without a word about it."""
    data = json.dumps(body) if body is not None else None
    return http.open(path, method=method, data=data, headers=headers)


def log_in(http, email="member@example.org", password="a secret"):
    return send(http, "POST", "/login", {"email": email, "password": password})


def owner(http):
    reply = log_in(http, "admin@redten.local", "a secret")
    return {"Authorization": f"Bearer {reply.json['token']}"}


@pytest.mark.parametrize("kind", [None, "application/x-www-form-urlencoded", "text/plain"])
def test_body_is_json_whatever_its_content_type(http, headers, kind):
    body = json.dumps({"email": "member@example.org", "password": "a secret"})
    assert http.post("/login", data=body, content_type=kind).status_code == 201


def test_login_gives_what_the_published_client_reads(http, headers):
    reply = log_in(http)
    assert reply.status_code == 201
    assert reply.json["user_id"] == reply.json["id"]
    assert (reply.json["state"], reply.json["role"], reply.json["msg"]) == (0, "user", "success")
    claims = jwt.decode(reply.json["token"], settings.token_public_key.read_text(), ["ES256"])
    assert claims["sub"] == "member@example.org"
    assert claims["exp"] - claims["iat"] == 2_592_000


def test_refusals_hold_the_words_that_the_published_client_looks_for(http, headers):
    wrong, unknown = log_in(http, password="wrong"), log_in(http, email="no@example.org")
    twice = send(http, "POST", "/user", {"email": "member@example.org", "password": "a secret"})
    short = send(http, "POST", "/user", {"email": "x@example.org", "password": "abc"})
    assert "invalid password" in wrong.text
    assert "user does not exist with email=no@example.org" in unknown.text
    assert "already registered" in twice.text
    assert "more than 4 characters" in short.text
    assert {one.status_code for one in (wrong, unknown, twice, short)} == {400}


def test_a_user_sees_themself_and_nobody_else(http, headers):
    own = log_in(http).json["id"]
    assert http.get(f"/user/{own}", headers=headers).json["email"] == "member@example.org"
    for other in (1, 999):
        reply = http.get(f"/user/{other}", headers=headers)
        assert (reply.status_code, reply.json["user_id"]) == (400, -1)
        assert "invalid token" in reply.text
    assert "positive integer" in http.get("/user/abc", headers=headers).text


@pytest.mark.parametrize("spoil", ["", "x", "none", "other key"])
def test_a_token_that_was_not_issued_here_is_refused(http, headers, spoil):
    token = headers["Bearer"]
    claims = jwt.decode(token, options={"verify_signature": False})
    forged = {
        "": "",
        "x": token[:-4] + "AAAA",
        "none": jwt.encode(claims, None, algorithm="none"),
        "other key": jwt.encode(claims, "a shared secret of at least 32 bytes", algorithm="HS256"),
    }[spoil]
    reply = send(http, "POST", "/job", QUESTION, {"Bearer": forged})
    assert (reply.status_code, reply.json["code"]) == (400, "invalid_token")


def test_a_revoked_token_and_one_of_a_former_email_are_refused(http, headers):
    with session_scope() as session:
        session.query(Token).update({"state": 1})
    assert http.get("/collections", headers=headers).status_code == 401
    fresh = {"Bearer": log_in(http).json["token"]}
    with session_scope() as session:
        find_user(session, "member@example.org").email = "new@example.org"
    assert http.get("/collections", headers=fresh).status_code == 401


def test_an_old_hash_still_logs_in_and_is_made_anew(http, headers):
    old = PasswordHasher(3, 4096, 1, type=Type.I).hash("a secret", salt=b"one salt for all")
    with session_scope() as session:
        user = find_user(session, "member@example.org")
        replace_password(session, user.id, old)

    assert log_in(http).status_code == 201

    assert session_value(f"select password from users where id = {user.id}").startswith(
        "$argon2id$"
    )
    assert log_in(http).status_code == 201


def test_sign_up_can_be_off(http, monkeypatch):
    closed = settings.model_copy(update={"signup_enabled": False})
    monkeypatch.setattr("api.users.settings", closed)
    reply = send(http, "POST", "/user", {"email": "x@example.org", "password": "a secret"})
    assert (reply.status_code, reply.json["code"]) == (403, "signup_disabled")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/dev/healthz", 200),
        ("/v1/any-name/healthz", 200),
        ("/v1/dev", 302),
        ("/v1/chat/healthz", 404),
        ("/v1/completions/healthz", 404),
        ("/v1/embeddings/healthz", 404),
        ("/v1/models/healthz", 404),
    ],
)
def test_every_path_is_there_below_an_env_name_too(http, path, status):
    http.application.wsgi_app = EnvPrefix(http.application.wsgi_app)
    assert http.get(path).status_code == status


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
        ({"rag": {"dirs": ["/etc"]}}, 400, "redten ingest"),
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


@pytest.mark.parametrize(
    "path",
    [
        "/collections/a%00b/documents",
        "/collections/%ff/documents",
        "/collections/99999999999999999999/documents",
        "/documents/2147483648",
        "/job/0",
    ],
)
def test_a_path_that_names_nothing_is_not_found(http, headers, path):
    assert http.get(path, headers=headers).status_code == 404


@pytest.mark.parametrize("name", ["", "a%00b", "a%0ab", "x" * 513])
def test_a_document_needs_a_name_that_can_be_shown(http, name):
    path = f"/collections/embed-security/documents?name={name}"
    assert http.post(path, data=b"x", headers=owner(http)).status_code == 400


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


def test_a_private_collection_is_not_there_for_others(http, headers):
    send(http, "POST", "/collections", {"name": "diary"}, headers)
    http.post("/collections/diary/documents?name=a.md", data=b"dear diary", headers=headers)
    for who in (sign_up(http, "stranger@example.org"), owner(http)):
        names = [one["name"] for one in http.get("/collections", headers=who).json["collections"]]
        assert "diary" not in names
        assert http.get("/documents/1", headers=who).status_code == 404
        assert http.get("/collections/diary/documents", headers=who).status_code == 404
        assert (
            send(
                http, "POST", "/job", {"ask": {"msg": "?", "collection_id": "diary"}}, who
            ).status_code
            == 404
        )


def test_a_public_collection_is_read_only_for_members(http, headers):
    reply = http.post("/collections/embed-security/documents?name=a.md", data=b"x", headers=headers)
    assert (reply.status_code, reply.json["code"]) == (403, "read_only")


def test_the_same_content_is_taken_once(http):
    who = owner(http)
    path = "/collections/embed-security/documents?name="
    first = http.post(path + "a.md", data=b"some text", headers=who)
    again = http.post(path + "b.md", data=b"some text", headers=who)
    other = http.post(path + "a.md", data=b"other text", headers=who)
    assert (first.status_code, again.status_code, other.status_code) == (202, 200, 202)
    assert again.json["unchanged"] is True
    assert again.json["name"] == "b.md"
    assert again.json["id"] == first.json["id"] != other.json["id"]


def test_an_upload_that_is_too_large_or_empty_is_refused(http, monkeypatch):
    small = settings.model_copy(update={"max_upload_bytes": 10})
    monkeypatch.setattr("api.collections.settings", small)
    path = "/collections/embed-security/documents?name=a.md"
    assert http.post(path, data=b"x" * 11, headers=owner(http)).status_code == 413
    assert http.post(path, data=b"", headers=owner(http)).json["code"] == "empty_document"


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


def test_an_expert_reviews_what_a_member_asked(http, headers):
    id = send(http, "POST", "/ai/result", {"answer": "llm"}, headers).json["id"]
    expert = sign_up(http, "expert@example.org")
    review = {"id": id, "reviewed_answer": "right", "reviewed_score": 99}
    assert send(http, "PUT", "/ai/result", review, expert).status_code == 404
    role = {"role": "expert"}
    assert send(http, "PUT", "/members/expert@example.org", role, expert).status_code == 403
    assert send(http, "PUT", "/members/expert@example.org", role, owner(http)).status_code == 200
    assert send(http, "PUT", "/ai/result", review, expert).status_code == 200


def test_the_last_owner_stays_one(http):
    reply = send(http, "PUT", "/members/admin@redten.local", {"role": "member"}, owner(http))
    assert (reply.status_code, reply.json["code"]) == (409, "last_owner")


def test_two_owners_cannot_demote_each_other_at_once(http):
    who = owner(http)
    other = sign_up(http, "other@example.org")
    send(http, "PUT", "/members/other@example.org", {"role": "owner"}, who)
    emails = {"other@example.org": who, "admin@redten.local": other}

    def demote(email):
        client = http.application.test_client()
        send(client, "PUT", f"/members/{email}", {"role": "member"}, emails[email])

    for _ in range(5):
        threads = [threading.Thread(target=demote, args=(email,)) for email in emails]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert session_value("select count(*) from memberships where role = 'owner'") == 1
        session_value("update memberships set role = 'owner' returning 1")


@pytest.mark.parametrize("name", ["2", "..", "a/b", "a\nb", "\x1b[31m", " ", "x" * 129])
def test_a_collection_needs_a_name_that_is_no_id_and_can_be_shown(http, headers, name):
    reply = send(http, "POST", "/collections", {"name": name}, headers)
    assert reply.status_code == 400, reply.json


def test_an_email_is_the_same_in_any_case(http, headers):
    again = send(http, "POST", "/user", {"email": "MEMBER@example.org", "password": "a secret"})
    assert "already registered" in again.text
    assert log_in(http, email="Member@Example.org").json["email"] == "member@example.org"


def test_a_tenant_that_one_does_not_belong_to_is_not_found(http, headers):
    for name, status in (("default", 200), ("1", 200), ("other", 404), ("2", 404)):
        reply = http.get("/collections", headers=headers | {"X-Redten-Tenant": name})
        assert reply.status_code == status, name


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


def test_every_wrong_login_takes_as_long_as_a_hash(http, headers, monkeypatch):
    checked = []
    monkeypatch.setattr("api.users.verify", lambda *args: checked.append(args) or False)
    log_in(http, email="nobody@example.org")
    log_in(http)
    assert [encoded is None for encoded, _ in checked] == [True, False]
