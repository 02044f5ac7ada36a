"""What a member sees of the tenant's quota."""

import json

import pytest
from click.testing import CliRunner, Result

from cli import main
from tests.unit.client_stub import Stub

QUOTA = {
    "jobs": {"used": 3, "most": 1000},
    "documents": {"used": 0, "most": 0},
    "storage_bytes": {"used": 5, "most": 100},
}


@pytest.fixture
def stub() -> Stub:
    stub = Stub()
    stub.on("GET", "/quota", (200, QUOTA))
    return stub


def run(stub: Stub, *args: str) -> Result:
    return CliRunner().invoke(main, ("quotas", *args), obj=stub.client())


def test_what_is_used_is_shown_beside_what_may_be(stub: Stub) -> None:
    lines = [line.split() for line in run(stub).stdout.splitlines()]

    assert lines[1:3] == [["jobs", "3", "1000"], ["documents", "0", "no", "limit"]]


def test_it_is_told_to_programs_as_json(stub: Stub) -> None:
    assert json.loads(run(stub, "--json").stdout) == QUOTA
