"""How often one may fail at an account's doors, and who has to wait then."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api import limits
from api.security_headers import docs_policy
from settings import settings
from tasks import broker
from tests.integration.door import ADMIN, log_in, send, sign_up
from tests.integration.processes import Broker, until
from tests.integration.tenancy import founded, invited, joined

MEMBER, OTHER = "member@example.org", "other@example.org"
HOME, OFFICE, ELSEWHERE = "192.0.2.1", "192.0.2.2", "192.0.2.3"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are hashed slowly on purpose, and hundreds are tried here."""
    monkeypatch.setattr(
        "api.sessions.verify", lambda hashed, password: bool(hashed) and password == "a secret"
    )


def post(http: FlaskClient, path: str, address: str = HOME, **body: Any) -> TestResponse:
    return http.post(path, json=body, environ_base={"REMOTE_ADDR": address})


def guess(
    http: FlaskClient, email: str = MEMBER, address: str = HOME, password: str = "wrong"
) -> int:
    return post(http, "/login", address, email=email, password=password).status_code


def fail_often(http: FlaskClient, email: str = MEMBER, address: str = HOME) -> None:
    for _ in range(settings.failed_tries):
        assert guess(http, email, address) == 400


def test_who_fails_too_often_is_told_how_long_to_wait(http, headers):
    fail_often(http)

    refused = post(http, "/login", email=MEMBER, password="a secret")

    assert (refused.status_code, refused.json["code"]) == (429, "too_many_tries")
    assert (refused.json["user_id"], refused.json["token"]) == (-1, "")
    assert 0 < int(refused.headers["Retry-After"]) <= settings.failed_tries_s
    assert refused.headers["Retry-After"] in refused.json["msg"]


def test_logging_in_well_counts_for_nothing(http, headers):
    for _ in range(30):
        assert log_in(http).status_code == 201


def test_a_mistyped_password_of_a_published_client_leaves_room_for_four_more(http, headers):
    for _ in range(5):
        assert guess(http) == 400
        assert post(http, "/user", email=MEMBER, password="wrong").status_code == 400
        assert guess(http) == 400
    assert guess(http) == 429
    assert post(http, "/user", email=MEMBER, password="wrong").status_code == 400


def test_what_a_request_says_beside_does_not_make_it_another_account(http, headers):
    sign_up(http, OTHER)
    for number in range(settings.failed_tries):
        path = f"/login?u={number}"
        assert post(http, path, email=MEMBER, password="a secret").status_code == 201
        assert post(http, path, email=OTHER, password="wrong").status_code == 400
    assert guess(http, OTHER) == 429


def test_letters_that_the_database_takes_for_one_are_one_account(http, headers):
    sign_up(http, "vivi@example.org")
    spelt = ("vivi@example.org", "VIVI@example.org", "vİvi@example.org", "vivİ@example.org")
    for number in range(settings.failed_tries):
        assert guess(http, spelt[number % 4], address=f"192.0.2.{number + 1}") == 400
    assert guess(http, "vİvİ@example.org", ELSEWHERE) == 429


def test_an_invitation_that_is_accepted_opens_no_door_to_another_account(http):
    acme = founded(http, "ACME", "ann@example.org")
    joined(http, acme, OTHER)
    token = invited(http, acme, "new@example.org")["token"]
    new = sign_up(http, "new@example.org")
    body = {"token": token, "email": OTHER}
    before = len(broker.connection().keys(limits.OPENED + "*"))
    assert send(http, "POST", "/invitations/accept", body, new).status_code == 200
    assert len(broker.connection().keys(limits.OPENED + "*")) == before


@pytest.mark.parametrize("address", ["unknown", "192.0.2.7:5678"])
def test_an_address_that_is_none_is_counted_as_it_is_written(http, headers, address):
    fail_often(http, address=address)
    assert guess(http, address=address) == 429


def test_many_newcomers_behind_one_address_get_in(http):
    for number in range(3 * settings.failed_tries):
        assert guess(http, f"new{number}@example.org") == 400
    assert post(http, "/user", email=MEMBER, password="a secret").status_code == 201
    assert guess(http, password="a secret") == 201


def test_one_address_may_not_look_for_accounts_for_ever(http):
    for number in range(limits.TIMES_UNKNOWN * settings.failed_tries):
        assert guess(http, f"new{number}@example.org") == 400
    assert guess(http, "last@example.org") == 429


def test_one_password_is_not_tried_at_one_account_after_the_other(http, headers):
    emails = [f"user{number}@example.org" for number in range(settings.failed_tries)]
    for email in emails:
        sign_up(http, email)
        assert guess(http, email, ELSEWHERE) == 400
    assert guess(http, MEMBER, ELSEWHERE) == 429


def test_many_addresses_find_out_no_more_than_one(http, headers):
    for number in range(settings.failed_tries):
        assert guess(http, address=f"198.51.100.{number}") == 400
    assert guess(http, address=ELSEWHERE) == 429
    # In whichever case it is written.
    assert guess(http, f" {MEMBER.upper()}", ELSEWHERE) == 429


def test_nobody_is_locked_out_of_where_they_have_logged_in_before(http, headers):
    assert guess(http, address=OFFICE, password="a secret") == 201
    fail_often(http, address=ELSEWHERE)
    fail_often(http, OTHER, OFFICE)
    sign_up(http, OTHER)
    fail_often(http, ADMIN[0], OFFICE)
    assert guess(http, ADMIN[0], OFFICE) == 429

    assert guess(http, address=OFFICE, password="a secret") == 201
    assert guess(http, address=HOME + "1", password="a secret") == 429


def test_whoever_has_logged_in_at_an_address_is_judged_by_their_own_mistakes(http, headers):
    assert guess(http, address=OFFICE, password="a secret") == 201
    fail_often(http, address=OFFICE)
    assert guess(http, address=OFFICE, password="a secret") == 429


def test_everybody_has_many_addresses_of_ipv6_and_they_count_as_one(http, headers):
    for number in range(settings.failed_tries):
        assert guess(http, address=f"2001:db8::{number:x}") == 400
    assert guess(http, ADMIN[0], "2001:db8::ffff") == 429
    assert guess(http, ADMIN[0], "2001:db8:0:1::1") == 400


def test_a_refusal_of_sign_up_says_nothing_of_an_account(http, headers):
    for _ in range(settings.failed_tries):
        reply = post(http, "/user", ELSEWHERE, email=MEMBER, password="a secret")
        assert reply.status_code == 400

    refused = post(http, "/user", ELSEWHERE, email=MEMBER, password="a secret")

    assert refused.status_code == 429
    assert "already registered" not in refused.text


@pytest.mark.parametrize("path", ["/user/password/reset"])
def test_what_always_answers_alike_counts_always(http, headers, path):
    for email in (MEMBER, OTHER) * (settings.failed_tries // 2):
        assert post(http, path, ELSEWHERE, email=email).status_code == 202
    assert post(http, path, ELSEWHERE, email="third@example.org").status_code == 429
    assert guess(http, address=ELSEWHERE, password="a secret") == 201


def test_secrets_are_not_guessed_without_an_end(http, headers):
    change = {"email": MEMBER, "token": "0" * 32, "password": "another secret"}
    tries = {
        "/user/password/change": lambda: post(http, "/user/password/change", **change),
        "/user/verify": lambda: http.get("/user/verify?u=x&t=" + "0" * 32),
        "/invitations/accept": lambda: send(
            http, "POST", "/invitations/accept", {"token": "0" * 32}, headers
        ),
    }
    for path, attempt in tries.items():
        statuses = [attempt().status_code for _ in range(settings.failed_tries + 1)]
        # Where mail is off, links need not be verified, and there is nothing to be guessed.
        expected = 200 if path == "/user/verify" else 429
        assert statuses[-1] == expected, path
        assert 429 not in statuses[:-1], path


def test_a_body_that_cannot_be_read_is_refused_and_counted(http):
    for _ in range(settings.failed_tries):
        assert http.post("/login", data="{").status_code == 400
    assert http.post("/login", data="{").status_code == 429
    assert broker.connection().keys("LIMIT*")


def test_names_that_people_type_are_not_to_be_read_in_redis(http, headers):
    guess(http)
    keys = " ".join(str(key) for key in broker.connection().keys("*"))
    assert "LIMIT" in keys
    assert "member" not in keys


def test_without_redis_the_door_neither_shuts_nor_stands_open(http, headers, valkey_server: Broker):
    valkey_server.kill()
    try:
        assert guess(http, password="a secret") == 201
        fail_often(http)
        assert guess(http) == 429
    finally:
        valkey_server.restart()
    # Its own pauses between two looks grow, but are short at first.
    until(lambda: guess(http, password="a secret") == 201 and not limits.limiter._storage_dead)


ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@pytest.mark.parametrize("path", ["/collections", "/nothing", "/login", "/healthz", "/metrics"])
def test_every_reply_is_closed_to_browsers_and_caches(http, headers, path):
    reply = http.get(path, headers=headers)

    assert {name: reply.headers.get(name) for name in ALWAYS} == ALWAYS
    assert reply.headers["Content-Security-Policy"].startswith("default-src 'none';")
    assert "script-src" not in reply.headers["Content-Security-Policy"]


def test_browsers_are_kept_on_https_but_not_on_localhost(http):
    elsewhere = http.get("/healthz", headers={"Host": "redten.example.org"})
    assert elsewhere.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert "Strict-Transport-Security" not in http.get("/healthz").headers


def test_the_documentation_runs_its_own_scripts_and_no_others(http):
    reply = http.get("/docs")
    policy = reply.headers["Content-Security-Policy"]

    [scripts] = [part for part in policy.split("; ") if part.startswith("script-src")]
    assert scripts.split()[1] == "'self'"
    assert [word[:8] for word in scripts.split()[2:]] == ["'sha256-"]
    assert docs_policy(reply.text.replace("window.onload", "evil()")) != policy
    with http.get("/docs/assets/swagger-ui-bundle.js") as bundle:
        assert bundle.status_code == 200
