"""What is said on a terminal, and that nobody has to listen."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

SAY = "from local.terminal import show, tell; tell('a'); show('b')"


@pytest.fixture
def stalled() -> Iterator[int]:
    """The end to write to of a pipe that is full and that nobody reads."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    yield writer
    os.close(reader)
    os.close(writer)


def test_a_reader_that_has_stalled_keeps_nothing_from_ending(stalled: int) -> None:
    command = [sys.executable, "-c", SAY]

    ended = subprocess.run(command, stdout=stalled, stderr=stalled, timeout=30, check=False)

    assert ended.returncode == 0


def test_the_stack_goes_on_when_nobody_reads_its_lines() -> None:
    code = f"import sys; sys.stdin.read(); {SAY}"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        child.stdout.close()
        child.stdin.close()

        assert child.wait(timeout=30) == 0


def test_closed_streams_are_no_error() -> None:
    command = f"exec '{sys.executable}' -c \"{SAY}\" >&- 2>&-"

    assert subprocess.run(["sh", "-c", command], check=False).returncode == 0
