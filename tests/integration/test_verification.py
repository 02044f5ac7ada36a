"""Emails, verified by a link."""

import threading

import pytest

from models.session import session_scope
from models.user import find_user
from models.verification import add_verification
from settings import settings
from tasks import broker
from tests.integration.door import log_in, send, sign_up
from tests.integration.processes import session_value

NEW = "new@example.org"
ROOMS = ("api.users", "api.sessions", "api.auth", "api.mail", "api.verification", "models.account")


def switch(monkeypatch, **options):
    changed = settings.model_copy(update=options)
    for room in ROOMS:
        monkeypatch.setattr(f"{room}.settings", changed)


@pytest.fixture
def verifying(http, monkeypatch):
    """A deployment that verifies emails."""
    switch(monkeypatch, email_verification=True)


@pytest.fixture
def strict(http, monkeypatch):
    """One that lets nobody in before that."""
    switch(monkeypatch, email_verification=True, email_verification_required=True)


@pytest.fixture
def new(verifying, http):
    """Headers of an account whose email is not verified yet."""
    return sign_up(http, NEW)


def token_of(email):
    """What the mail would hold."""
    with session_scope() as session:
        return add_verification(session, find_user(session, email))


def follow(http, id, token):
    return http.get("/user/verify", query_string={"u": id, "t": token})


def test_a_new_account_works_at_once_and_is_verified_by_the_link(http, new):
    seen = log_in(http, NEW).json
    assert (seen["verified"], broker.connection().llen("ingest")) == (0, 1)

    reply = follow(http, seen["id"], token_of(NEW))

    assert reply.status_code == 200
    assert reply.json["msg"] == f"user {seen['id']} verified {NEW}"
    assert (reply.json["user_id"], reply.json["verified"]) == (seen["id"], 1)
    assert log_in(http, NEW).json["verified"] == 1


def test_only_the_hash_of_a_link_is_kept(http, new):
    token = token_of(NEW)
    assert token not in session_value("select users_verified::text from users_verified")


def test_a_link_is_good_once(http, new):
    id, token = log_in(http, NEW).json["id"], token_of(NEW)
    other = token_of(NEW)
    follow(http, id, token)
    for used in (token, other):
        reply = follow(http, id, used)
        assert (reply.status_code, reply.json["user_id"]) == (400, -1)
        assert "User already verified" in reply.json["msg"]


def test_of_many_who_follow_it_at_once_one_succeeds(http, new):
    id, token = log_in(http, NEW).json["id"], token_of(NEW)
    statuses = []

    def try_it():
        statuses.append(follow(http.application.test_client(), id, token).status_code)

    threads = [threading.Thread(target=try_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 400, 400, 400]


def test_a_made_up_link_tells_nothing_of_accounts(http, new):
    id = log_in(http, NEW).json["id"]
    said = {
        follow(http, *one).json["msg"]
        for one in ((id, "x" * 32), (1, token_of(NEW)), (999, "x" * 32))
    }
    assert said == {"User verify failed - User verification record does not exist"}


def test_who_has_the_link_hears_why_it_is_good_no_more(http, new):
    id, token = log_in(http, NEW).json["id"], token_of(NEW)
    session_value("update users_verified set expires_at = now() returning 1")
    assert f"user {NEW} verification has expired" in follow(http, id, token).json["msg"]

    token = token_of(NEW)
    session_value(f"update users set state = 1 where id = {id} returning 1")
    said = follow(http, id, token).json["msg"]
    assert said == f"User {id} is inactive - not able to verify {NEW}"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "Missing required query params"),
        (f"?u=1&t={'x' * 500}", "Missing required query params"),
        ("?t=x", "Missing required query param: user id"),
        ("?u=1", "User verify failed - "),
        ("?u=0&t=" + "x" * 32, "User verify failed - "),
        ("?u=one&t=" + "x" * 32, "User verify failed - "),
        ("?u=1&t=x", "too short"),
        ("?u=1&t=" + "x" * 257, "too long"),
    ],
)
def test_half_a_link_is_refused_in_the_words_of_the_contract(http, verifying, query, said):
    reply = http.get(f"/user/verify{query}")
    assert said in reply.json["msg"]
    assert (reply.status_code, reply.json["user_id"]) == (400, -1)


def test_where_nobody_verifies_every_link_is_a_success(http):
    reply = follow(http, 1, "x" * 32)
    assert (reply.status_code, reply.json["msg"]) == (200, "User verification success")
    again = send(http, "POST", "/user/verify", {"email": NEW})
    assert (again.status_code, again.json["code"]) == (400, "verification_off")


def test_another_email_is_to_be_verified_anew_and_by_a_link_of_its_own(http, new):
    id, token = log_in(http, NEW).json["id"], token_of(NEW)
    follow(http, id, token_of(NEW))
    broker.connection().flushall()

    changed = send(http, "PUT", "/user", {"user_id": id, "email": "b@example.org"}, new)

    assert (changed.status_code, changed.json["verified"]) == (200, 0)
    assert broker.connection().llen("ingest") == 1
    assert "does not exist" in follow(http, id, token).text
    assert follow(http, id, token_of("b@example.org")).status_code == 200


def test_an_administrator_may_give_an_email_and_vouch_for_it(http, new, owner):
    wanted = {"user_id": log_in(http, NEW).json["id"], "email": "b@example.org"}
    assert send(http, "PUT", "/user", wanted | {"verified": 1}, owner).json["verified"] == 1


def test_a_link_is_sent_again_and_the_answer_is_the_same_for_every_email(http, new):
    broker.connection().flushall()
    replies = [
        send(http, "POST", "/user/verify", {"email": email}) for email in (NEW, "no@example.org")
    ]
    assert [reply.status_code for reply in replies] == [202, 202]
    assert replies[0].json == replies[1].json
    assert broker.connection().llen("ingest") == 2


def test_where_it_is_required_nobody_gets_in_before(http, strict):
    token = sign_up(http, NEW)["Bearer"]

    refused = log_in(http, NEW)
    assert (refused.status_code, refused.json["code"]) == (401, "not_verified")
    said = f"User login rejected - the email address: {NEW} is not verified"
    assert refused.json["msg"] == said
    assert "invalid password" in log_in(http, NEW, "wrong").text
    shut = http.get("/collections", headers={"Bearer": token})
    assert (shut.status_code, shut.json["code"]) == (401, "not_verified")

    id = session_value(f"select id from users where email = '{NEW}'")
    follow(http, id, token_of(NEW))

    assert log_in(http, NEW).status_code == 201
    assert http.get("/collections", headers={"Bearer": token}).status_code == 200
