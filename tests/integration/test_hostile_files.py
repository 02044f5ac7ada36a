"""A few of the damaged files of `make fuzz`: a reader reads or refuses each, whatever is in it."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tasks.parsing import COMMAND, Parsers
from tests.fuzz.damage import damaged
from tests.fuzz.loaders import DEFECTS, LIMIT_S, MEMORY_BYTES, outcome


@pytest.fixture(scope="module")
def parsers() -> Iterator[Parsers]:
    made = Parsers([*COMMAND[:-1], str(MEMORY_BYTES)], limit_s=LIMIT_S)
    yield made
    made.close()


@settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(file=damaged())
def test_no_damaged_file_crashes_its_reader(parsers, tmp_path, file):
    name, content = file
    path = tmp_path / "file"
    path.write_bytes(content)

    assert outcome(parsers, path, name) not in DEFECTS
