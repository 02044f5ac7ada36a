"""Tokens: ended and renewed by who holds them."""

import threading

from models.password import hash_password
from models.session import session_scope
from models.user import find_user, replace_password
from tests.integration.door import log_in, send, sign_up


def known(http, headers):
    return http.get("/collections", headers=headers).status_code == 200


def test_who_logs_out_ends_that_token_only(http, headers):
    other = {"Bearer": log_in(http).json["token"]}

    assert send(http, "POST", "/logout", headers=headers).status_code == 200

    assert (known(http, headers), known(http, other)) == (False, True)
    assert send(http, "POST", "/logout", headers=headers).status_code == 401


def test_who_logs_out_everywhere_ends_their_tokens_and_nobody_elses(http, headers):
    mine = {"Bearer": log_in(http).json["token"]}
    other = sign_up(http, "other@example.org")

    assert send(http, "POST", "/logout/all", headers=headers).status_code == 200

    assert [known(http, one) for one in (headers, mine, other)] == [False, False, True]


def test_a_token_is_traded_for_a_new_one(http, headers):
    reply = send(http, "POST", "/token/refresh", headers=headers)

    assert (reply.status_code, reply.json["email"]) == (201, "member@example.org")
    assert known(http, {"Bearer": reply.json["token"]})
    assert not known(http, headers)


def test_a_token_is_traded_once(http, headers):
    statuses = []

    def trade():
        client = http.application.test_client()
        statuses.append(send(client, "POST", "/token/refresh", headers=headers).status_code)

    threads = [threading.Thread(target=trade) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201, 401, 401, 401]


def test_a_password_that_is_changed_during_a_login_opens_no_door(http, headers, monkeypatch):
    from api import sessions

    def change_meanwhile(encoded, password):
        right = check(encoded, password)
        with session_scope() as session:
            user = find_user(session, "member@example.org")
            replace_password(session, user.id, hash_password("another"))
        return right

    check = sessions.verify
    monkeypatch.setattr(sessions, "verify", change_meanwhile)

    assert "invalid password" in log_in(http).text
