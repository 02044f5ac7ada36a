"""New passwords by one-time passwords."""

import threading

import pytest

from models.one_time_password import add_one_time_password
from models.session import session_scope
from models.user import find_user
from tasks import broker
from tests.integration.door import ADMIN, log_in, send, sign_up
from tests.integration.processes import session_value

MEMBER = "member@example.org"
CREATE, CONSUME = "User create one-time-password failed", "User consume one-time-password failed"


@pytest.fixture
def member(http, headers):
    """The id of the member whose headers those are."""
    return log_in(http).json["id"]


@pytest.fixture
def one_time(member):
    """A one-time password of the member, as the mail would tell it."""
    return offered(MEMBER)


def offered(email):
    with session_scope() as session:
        return add_one_time_password(session, find_user(session, email))[1]


def reset(http, headers=None, **body):
    return send(http, "POST", "/user/password/reset", body, headers)


def use(http, headers=None, **body):
    wanted = {"email": MEMBER, "password": "another"} | body
    return send(http, "POST", "/user/password/change", wanted, headers)


def test_a_password_is_changed_as_the_contract_says(http, headers, member):
    made = reset(http, headers, user_id=member, email=MEMBER)
    assert (made.status_code, made.json["msg"]) == (201, "success")
    assert len(made.json["token"]) == 64
    assert made.json["exp_date"].endswith("Z")

    used = use(http, headers, user_id=member, token=made.json["token"])

    assert (used.status_code, used.json["msg"]) == (200, "success")
    assert (used.json["user_id"], used.json["otp_id"]) == (member, made.json["user_id"])
    assert log_in(http, password="another").status_code == 201
    assert log_in(http).status_code == 400


def test_only_the_hash_of_a_one_time_password_is_kept(http, one_time):
    assert one_time not in session_value("select users_otp::text from users_otp")


def test_who_is_not_logged_in_changes_the_password_and_all_tokens_end(http, headers, one_time):
    used = use(http, token=one_time)

    assert used.status_code == 200
    assert log_in(http, password="another").status_code == 201
    assert http.get("/collections", headers=headers).status_code == 401


def test_the_token_that_the_request_brings_stays(http, headers, member, one_time):
    other = {"Bearer": log_in(http).json["token"]}

    use(http, headers, user_id=member, token=one_time)

    assert http.get("/collections", headers=headers).status_code == 200
    assert http.get("/collections", headers=other).status_code == 401


def test_a_one_time_password_is_good_once_and_no_other_one_after_it(http, one_time):
    other = offered(MEMBER)
    assert use(http, token=one_time).status_code == 200

    again, unused = use(http, token=one_time), use(http, token=other)

    assert f"{CONSUME} - no records found in db" in again.json["msg"]
    assert "User one-time-password record does not exist" in unused.json["msg"]
    assert (again.status_code, again.json["otp_id"], unused.status_code) == (400, -1, 400)


def test_of_many_who_use_it_at_once_one_succeeds(http, one_time):
    statuses = []

    def try_it(number):
        client = http.application.test_client()
        statuses.append(use(client, token=one_time, password=f"password {number}").status_code)

    threads = [threading.Thread(target=try_it, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 400, 400, 400]


def test_an_expired_one_time_password_is_refused(http, one_time):
    session_value("update users_otp set expires_at = now() returning 1")
    reply = use(http, token=one_time)
    assert (reply.status_code, reply.json["user_id"]) == (400, -1)
    assert "User one-time-password has expired" in reply.json["msg"]


def test_a_one_time_password_is_good_for_its_account_only(http, headers, member, one_time):
    sign_up(http, "other@example.org")
    for wrong in (
        {"email": "other@example.org"},
        {"email": "nobody@example.org"},
        {"user_id": 1},
        {"token": one_time[:-1] + "x"},
    ):
        reply = use(http, **{"token": one_time, **wrong})
        assert reply.status_code == 400
        assert reply.json["msg"] == "User one-time-password record does not exist"
    assert use(http, token=one_time).status_code == 200


def test_it_ends_with_the_email_that_it_was_sent_to(http, headers, member, one_time):
    send(http, "PUT", "/user", {"user_id": member, "email": "new@example.org"}, headers)
    for email in (MEMBER, "new@example.org"):
        assert "does not exist" in use(http, email=email, token=one_time).text


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        (f"{CONSUME} please ensure the email is set", {"email": None}),
        (f"{CONSUME} please ensure the passsword is set", {"password": None}),
        (f"{CONSUME} please ensure the passsword is longer than 4 characters", {"password": "abc"}),
        (f"{CONSUME} please ensure the token is longer than 4 characters", {"token": "abc"}),
        (f"{CONSUME} please ensure the token is shorter than 256", {"token": "x" * 257}),
        (f"{CONSUME} please ensure user_id is a non-negative number", {"user_id": None}),
        (f"{CONSUME} due to invalid token", {"user_id": 1}),
        (f"{CONSUME} - user_email does not match {ADMIN[0]}", {"email": ADMIN[0]}),
        (f"{CONSUME} - please ensure user_id, email, token", {"user_id": "x"}),
    ],
)
def test_a_change_that_cannot_be_is_refused_in_the_words_of_the_contract(
    http, headers, member, one_time, said, wrong
):
    reply = use(http, headers, **{"user_id": member, "token": one_time, **wrong})
    assert said in reply.json["msg"]
    assert (reply.status_code, reply.json["user_id"], reply.json["otp_id"]) == (400, -1, -1)


def test_a_reset_that_cannot_be_is_refused_in_the_words_of_the_contract(http, headers, member):
    refused = {
        f"{CREATE} please ensure user_id is a non-negative number": {"email": MEMBER},
        f"{CREATE} please ensure email is set to the user's email address": {"user_id": member},
        f"{CREATE} due to invalid token": {"user_id": 1, "email": MEMBER},
        f"{CREATE} - user_email does not match x@example.org": {
            "user_id": member,
            "email": "x@example.org",
        },
    }
    for said, body in refused.items():
        reply = reset(http, headers, **body)
        assert said in reply.json["msg"]
        assert (reply.status_code, reply.json["token"]) == (400, ""), said
    for bearing in (None, {"Bearer": "x"}):
        reply = reset(http, bearing, user_id=member, email=MEMBER)
        assert f"{CREATE} due to invalid token" in reply.json["msg"]
        assert reply.status_code == 400


def test_who_has_forgotten_a_password_hears_the_same_for_every_email(http, headers):
    replies = [reset(http, email=email) for email in (MEMBER, "nobody@example.org")]

    assert [reply.status_code for reply in replies] == [202, 202]
    assert replies[0].json == replies[1].json
    assert replies[0].json["token"] == ""
    # Whether there is such an account is looked up by the worker: the request takes no longer.
    assert broker.connection().llen("ingest") == 2
    assert session_value("select count(*) from users_otp") == 0
