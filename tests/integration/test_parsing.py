"""Files are read in processes that can be killed: whatever a file does, it fails by itself."""

import os
import signal
import sys
import time
from collections.abc import Iterator

import pytest
from celery.exceptions import Ignore

from ingest.load.page import LoadError, Page
from settings import settings
from tasks import parser
from tasks.parsing import COMMAND, Parsers

# A child that says it is ready, takes a file, and then does something else than read it.
CHILD = """
import os, signal, sys, time
from ingest.load.wire import HEADER, frame
sys.stdout.buffer.write(frame({"ready": True})); sys.stdout.flush()
sys.stdin.readline()
"""


@pytest.fixture
def parsers() -> Iterator[Parsers]:
    """Real ones."""
    made = Parsers()
    yield made
    made.close()


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "file"
    path.write_text("some text\n")
    return path


def wanted() -> None:
    """Nobody minds."""


def read(parsers: Parsers, path, name: str = "a.txt", check=wanted) -> list[str]:
    with parsers.reading(path, name, check, 1) as reading:
        return [item.text.strip() for item in reading.items if isinstance(item, Page)]


def refusal(parsers: Parsers, path, name: str = "a.txt") -> LoadError:
    with pytest.raises(LoadError) as refused:
        read(parsers, path, name)
    return refused.value


def test_one_process_reads_many_files_and_also_after_one_that_it_refuses(parsers, text, tmp_path):
    empty = tmp_path / "empty"
    empty.touch()
    assert read(parsers, text) == ["some text"]
    [first] = parsers._idle
    assert refusal(parsers, empty).code == "empty_document"
    assert read(parsers, text) == ["some text"]
    assert parsers._idle == [first]


def test_a_stop_of_the_whole_group_leaves_the_file_to_the_worker(parsers, text):
    read(parsers, text)
    [reader] = parsers._idle
    for stop in (signal.SIGINT, signal.SIGTERM):
        os.kill(reader._process.pid, stop)
    assert read(parsers, text) == ["some text"]
    assert parsers._idle == [reader]


def test_a_file_that_makes_its_reader_spin_is_given_up_in_time(text):
    parsers = Parsers([sys.executable, "-c", CHILD + "\nwhile True: pass"], limit_s=0.5)
    error = refusal(parsers, text)
    assert error.code == "parse_timeout"
    assert "REDTEN_PARSE_LIMIT_S" in error.message
    assert parsers._idle == []


def test_a_real_file_that_takes_too_long_is_given_up_in_time(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text("a,b\n" + "1,2\n" * 2_000_000)
    parsers = Parsers(limit_s=0.1)
    assert refusal(parsers, path, "long.csv").code == "parse_timeout"


def test_a_reader_that_crashes_takes_only_its_file_with_it(text):
    crash = CHILD + "\nos.kill(os.getpid(), signal.SIGSEGV)"
    error = refusal(Parsers([sys.executable, "-c", crash]), text)
    assert error.code == "parse_crashed"
    assert f"signal {signal.SIGSEGV:d}" in error.message


def test_a_file_that_takes_too_much_memory_is_refused_with_a_word_on_the_limit(tmp_path):
    path = tmp_path / "large.txt"
    path.write_text("word " * 30_000_000)
    parsers = Parsers([*COMMAND[:-1], str(150_000_000)])
    assert refusal(parsers, path, "large.txt").code == "parse_memory"


@pytest.mark.parametrize(
    "answer",
    [
        "b'\\xff' * 16",
        "frame([1])",
        "frame({'kind': 3})",
        "b'\\0' * 16",
        "HEADER.pack(99_999, 0) + b'[' * 99_999",
    ],
)
def test_a_reader_that_says_what_none_should_is_believed_no_further(text, answer):
    lie = CHILD + f"\nsys.stdout.buffer.write({answer}); sys.stdout.flush()"
    assert refusal(Parsers([sys.executable, "-c", lie]), text).code == "parse_crashed"


def test_reading_ends_when_the_work_is_no_longer_ours(text):
    def lost() -> None:
        if time.monotonic() > began + 0.3:
            raise Ignore

    began = time.monotonic()
    parsers = Parsers([sys.executable, "-c", CHILD + "\ntime.sleep(60)"])
    with pytest.raises(Ignore):
        read(parsers, text, check=lost)
    assert parsers._idle == []


def test_a_reader_has_no_password_in_its_environment(text):
    assert "DATABASE_URL" in os.environ
    tell = CHILD + (
        "\nsys.stdout.buffer.write(frame({'kind': ' '.join(os.environ), 'pages': 0})"
        " + frame({'end': True})); sys.stdout.flush(); sys.stdin.readline()"
    )
    parsers = Parsers([sys.executable, "-c", tell])
    with parsers.reading(text, "a.txt", wanted, 1) as reading:
        assert list(reading.items) == []
    parsers.close()
    assert "PATH" in reading.kind
    assert not {"DATABASE_URL", "REDIS_URL", "REDTEN_BLOBS"} & set(reading.kind.split())


def test_a_process_is_replaced_after_many_files(text, monkeypatch):
    monkeypatch.setattr(parser, "MOST_FILES", 1)
    parsers = Parsers()
    assert read(parsers, text) == ["some text"]
    assert parsers._idle == []
    assert settings.parse_limit_s == parsers.limit_s
