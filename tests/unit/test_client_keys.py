"""The commands about service keys."""

import json
import re

import pytest
from click.testing import CliRunner, Result

from cli import main
from tests.unit.client_stub import Stub

KEY = {
    "id": 3,
    "name": "nightly",
    "hint": "rdt_ab12",
    "user_id": 7,
    "scopes": ["ask", "read"],
    "created_at": "2030-01-02",
    "last_used_at": "2030-01-03",
}


@pytest.fixture
def stub() -> Stub:
    stub = Stub()
    stub.on("POST", "/keys", (201, {**KEY, "key": "rdt_ab12-the-secret"}))
    stub.on("GET", "/keys", (200, {"keys": [KEY]}))
    stub.on("DELETE", "/keys/3", (200, {**KEY, "revoked_at": "2030-01-03"}))
    return stub


def run(stub: Stub, *args: str) -> Result:
    return CliRunner().invoke(main, ("keys", *args), obj=stub.client())


def test_a_new_key_is_printed_alone_for_a_script_to_take(stub: Stub) -> None:
    result = run(stub, "create", "nightly", "--expires-in-days", "30")

    assert (result.exit_code, result.stdout) == (0, "rdt_ab12-the-secret\n")
    assert stub.asked("POST", "/keys") == [{"name": "nightly", "expires_in_days": 30}]


def test_a_key_is_made_for_what_it_is_wanted_for(stub: Stub) -> None:
    run(stub, "create", "nightly", "--scope", "ask", "--scope", "read", "--expires", "30")

    asked = {"name": "nightly", "expires_in_days": 30, "scopes": ["ask", "read"]}
    assert stub.asked("POST", "/keys") == [asked]
    assert run(stub, "create", "nightly", "--scope", "everything").exit_code == 2


def test_a_new_key_as_json_holds_its_secret(stub: Stub) -> None:
    assert json.loads(run(stub, "create", "nightly", "--json").stdout)["key"].endswith("secret")


def test_keys_are_listed_by_how_they_begin(stub: Stub) -> None:
    header, row = run(stub, "list").stdout.splitlines()

    assert header.split()[:3] == ["ID", "NAME", "KEY"]
    shown = ["3", "nightly", "rdt_ab12...", "7", "ask read", "2030-01-02", "2030-01-03"]
    assert re.split(r" {2,}", row) == shown


def test_a_key_is_revoked(stub: Stub) -> None:
    result = run(stub, "revoke", "3")

    assert (result.exit_code, result.stdout) == (0, "revoked nightly\n")
