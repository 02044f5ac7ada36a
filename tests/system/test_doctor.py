"""The doctor finds a stack that runs in order, and says where there is none."""

import json
from pathlib import Path

from tests.system.commands import redten
from tests.system.people import Person
from tests.system.stack import Stack


def test_a_stack_that_runs_is_in_order(stack: Stack, person: Person) -> None:
    ended = redten(person, "doctor", "--data-dir", stack.root, "--json")

    told = json.loads(ended.stdout)
    failures = [one for one in told["findings"] if one["status"] == "failure"]
    assert (ended.returncode, told["ok"], failures) == (0, True, [])
    looked_at = {one["check"] for one in told["findings"]}
    assert {"walls", "migrations", "workers", "beat", "headers"} <= looked_at


def test_where_nothing_runs_the_doctor_says_so(person: Person, tmp_path: Path) -> None:
    ended = redten(person, "doctor", "--data-dir", tmp_path)

    assert ended.returncode == 1
    assert "run `redten up`" in ended.stderr
