"""The commands about accounts."""

import json
import re

import pytest
from click.testing import CliRunner, Result

from cli import main
from tests.unit.client_stub import EMAIL, USER, Stub

OTHER = {"user_id": 8, "email": "bob@example.com", "state": 0, "verified": 0, "role": "user"}


@pytest.fixture
def stub() -> Stub:
    stub = Stub()
    stub.on("GET", "/user/7", (200, USER))
    stub.on("PUT", "/user", (200, USER))
    stub.on("DELETE", "/user", (204, b""))
    stub.on("POST", "/user/search", (200, {"users": [OTHER]}))
    stub.on("POST", "/user/password/reset", (202, {"msg": "it is on its way"}))
    stub.on("POST", "/user/password/change", (200, {"user_id": 7, "otp_id": 1}))
    stub.on("POST", "/user/verify", (202, {"msg": "it is on its way"}))
    stub.on("POST", "/logout/all", (200, {"msg": "success"}))
    return stub


def run(stub: Stub, *args: str, said: str = "") -> Result:
    return CliRunner().invoke(main, ("account", *args), obj=stub.client(), input=said)


def test_the_account_is_shown(stub: Stub) -> None:
    header, row = run(stub, "show").stdout.splitlines()

    assert header.split() == ["ID", "EMAIL", "ACTIVE", "VERIFIED", "ROLE"]
    assert re.split(r" {2,}", row) == ["7", EMAIL, "yes", "yes", "user"]


def test_the_account_as_json_holds_no_token(stub: Stub) -> None:
    shown = json.loads(run(stub, "show", "--json").stdout)

    assert shown == {"id": 7, "email": EMAIL, "state": 0, "verified": 1, "role": "user"}


def test_accounts_are_found_by_a_part_of_their_email(stub: Stub) -> None:
    assert "bob@example.com" in run(stub, "find", "bob").stdout
    assert stub.asked("POST", "/user/search") == [{"user_id": 7, "email": "bob"}]


def test_an_email_is_changed_and_the_next_login_uses_it(stub: Stub) -> None:
    stub.on("PUT", "/user", (200, USER | {"email": "new@example.com"}))

    with stub.client() as client:
        client.accounts.change(email="new@example.com")
        client.accounts.show()

    assert stub.asked("PUT", "/user") == [{"user_id": 7, "email": "new@example.com"}]
    assert [one["email"] for one in stub.asked("POST", "/login")] == [EMAIL, "new@example.com"]
    assert "set AI_EMAIL" in run(stub, "set-email", "new@example.com").stdout


def test_a_password_is_asked_for_twice_and_not_shown(stub: Stub) -> None:
    result = run(stub, "set-password", said="another\nanother\n")

    assert result.exit_code == 0
    assert "another" not in result.output
    assert stub.asked("PUT", "/user") == [{"user_id": 7, "password": "another"}]
    assert run(stub, "set-password", said="another\nmistyped\n").exit_code == 1


def test_a_forgotten_password_is_reset_without_logging_in(stub: Stub) -> None:
    asked = run(stub, "reset")
    changed = run(stub, "set-password", "--one-time", said="another\nanother\n 0ff \n")

    assert "it is on its way" in asked.stdout
    assert changed.exit_code == 0
    assert stub.routes == ["POST /user/password/reset", "POST /user/password/change"]
    assert stub.asked("POST", "/user/password/change") == [
        {"email": EMAIL, "token": "0ff", "password": "another"}
    ]
    assert all("Authorization" not in request.headers for request in stub.requests)


def test_the_link_is_sent_again_without_logging_in(stub: Stub) -> None:
    assert "it is on its way" in run(stub, "verify").stdout
    assert stub.routes == ["POST /user/verify"]


def test_all_tokens_are_ended(stub: Stub) -> None:
    assert run(stub, "logout").exit_code == 0
    assert "POST /logout/all" in stub.routes


@pytest.mark.parametrize(("said", "gone"), [("y\n", 1), ("n\n", 0), ("", 0)])
def test_the_account_is_closed_once_that_is_confirmed(stub: Stub, said: str, gone: int) -> None:
    result = run(stub, "deactivate", said=said)

    assert f"Close the account {EMAIL}?" in result.stderr
    assert stub.asked("DELETE", "/user") == [{"user_id": 7, "email": EMAIL}] * gone
    assert result.exit_code == 1 - gone


def test_an_administrator_closes_another_account_by_its_whole_email(stub: Stub) -> None:
    assert run(stub, "deactivate", "BOB@example.com", "--yes").exit_code == 0
    assert stub.asked("DELETE", "/user") == [{"user_id": 8, "email": "bob@example.com"}]

    missing = run(stub, "deactivate", "ob@example.com", "--yes")
    assert (missing.exit_code, missing.stderr) == (
        1,
        "redten: there is no account ob@example.com\n",
    )


def test_whose_account_is_not_known_is_asked_for() -> None:
    from client.client import Client

    stub = Stub()
    with stub.client() as client:
        nobody = Client(client.connection.base_url, None, None, session=client.connection.session)
        result = CliRunner().invoke(main, ("account", "reset"), obj=nobody)
    assert (result.exit_code, result.stderr) == (1, "redten: whose account? set AI_EMAIL\n")
