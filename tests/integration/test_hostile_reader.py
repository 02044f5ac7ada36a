"""A file that has taken over its reader gets nowhere: no other file, no network, no process."""

import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.confined import landlock, seccomp
from ingest.load import LoadError
from tasks.parser import FOLDER, INHERITED, MOST_SAID, OWN, forget_folders
from tasks.parsing import Parsers
from tests.fuzz.seeds import MAKERS

MEMORY = str(1 << 30)


def _confines() -> bool:
    if sys.platform != "linux" or platform.machine() not in seccomp.ARCHITECTURES:
        return False
    try:
        return landlock._call(landlock.CREATE_RULESET, None, 0, landlock.ASK_VERSION) > 0
    except OSError:
        return False


# A reader that does what the file says, and tells how that went.
TAKEN_OVER = """
import ctypes, json, os, signal, socket, subprocess, sys, threading
from pathlib import Path
from ingest.load.child import serve
from ingest.load.wire import frame

def connect(kind, family, address):
    with socket.socket(family, kind) as made:
        made.connect(address)

def attach(process):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(16, process, None, None):
        raise OSError(ctypes.get_errno(), "ptrace")

def read(request):
    own = Path(request["path"])
    tries = eval(own.read_text())
    said = {}
    for name, attempt in tries.items():
        try:
            said[name] = f"done: {attempt()}"
        except OSError as error:
            said[name] = type(error).__name__
    yield frame({"kind": json.dumps(said), "pages": 0})

serve(int(sys.argv[1]), Path(sys.argv[2]), read)
"""


@pytest.fixture
def attempts(tmp_path) -> Iterator[dict[str, str]]:
    """What a reader may try, as Python, with something to be found wherever it looks."""
    secret = tmp_path / "secret"
    secret.write_text("of another tenant")
    with socket.create_server(("127.0.0.1", 0)) as open_port, socket.socket(socket.AF_UNIX) as here:
        here.bind(str(tmp_path / "socket"))
        here.listen()
        port, place = open_port.getsockname()[1], here.getsockname()
        yield {
            "another file": f"open({str(secret)!r}).read()",
            "what lies beside it": f"os.listdir({str(tmp_path)!r})",
            "the worker's environment": f"open('/proc/{os.getpid()}/environ').read()",
            "the passwords of the system": "open('/etc/passwd').read()",
            "a new file": "open(own.with_name('new'), 'w')",
            "its own file, to write": "open(own, 'w')",
            "a port": f"connect(socket.SOCK_STREAM, socket.AF_INET, ('127.0.0.1', {port}))",
            "a datagram": f"connect(socket.SOCK_DGRAM, socket.AF_INET, ('127.0.0.1', {port}))",
            "a local socket": f"connect(socket.SOCK_STREAM, socket.AF_UNIX, {place!r})",
            "a program": "subprocess.run(['true'])",
            "a fork": "os.fork()",
            "the worker's end": f"os.kill({os.getpid()}, 0)",
            "the worker's memory": f"attach({os.getpid()})",
        }


def tried(path, attempts: dict[str, str]) -> dict[str, str]:
    """How each of them ended, in a reader of its own."""
    lines = ", ".join(f"{name!r}: lambda own=own: {code}" for name, code in attempts.items())
    path.write_text(f"{{{lines}}}")
    parsers = Parsers([sys.executable, "-P", "-c", TAKEN_OVER, MEMORY])
    with parsers.reading(path, "a.txt", lambda: None, 1) as reading:
        said = dict(json.loads(reading.kind))
        list(reading.items)
    parsers.close()
    return said


@pytest.mark.skipif(not _confines(), reason="this system cannot confine a process so")
def test_a_reader_that_was_taken_over_reaches_nothing_but_its_file(tmp_path, attempts):
    said = tried(tmp_path / "file", attempts)

    assert said == dict.fromkeys(attempts, "PermissionError")
    assert tried(tmp_path / "file", {"its file": "own.name"}) == {"its file": "done: file"}


def test_threads_are_left_to_a_reader(tmp_path):
    thread = {"thread": "threading.Thread(target=len, args=('',)).start()"}

    assert tried(tmp_path / "file", thread) == {"thread": "done: None"}


def test_a_reader_gets_its_own_environment_and_nothing_of_the_workers():
    assert "DATABASE_URL" in os.environ
    assert not any("URL" in name or "PASSWORD" in name for name in (*OWN, *INHERITED))


@pytest.mark.parametrize("name", MAKERS)
def test_every_format_is_read_by_a_reader_that_is_confined(tmp_path, name, parsers):
    path = tmp_path / "file"
    path.write_bytes(MAKERS[name]())

    with parsers.reading(path, name, lambda: None, 1) as reading:
        assert list(reading.items)


@pytest.fixture(scope="module")
def parsers() -> Iterator[Parsers]:
    made = Parsers()
    yield made
    made.close()


def test_a_reader_serves_one_tenant_only(tmp_path):
    path = tmp_path / "file"
    path.write_text("some text")
    parsers = Parsers()
    for owner in (1, 2, 1):
        with parsers.reading(path, "a.txt", lambda: None, owner) as reading:
            list(reading.items)
    assert sorted((one.owner, one.files) for one in parsers._idle) == [(1, 2), (2, 1)]
    parsers.close()


def test_nothing_of_a_file_is_left_where_its_reader_has_found_it(tmp_path):
    path = tmp_path / "file"
    path.write_text("some text")
    parsers = Parsers()
    with parsers.reading(path, "a.txt", lambda: None, 1) as reading:
        [page] = reading.items
    [waiting] = parsers._idle
    assert list(waiting._folder.iterdir()) == []
    parsers.close()
    assert not waiting._folder.exists()
    assert path.read_text() == page.text == "some text"


def test_a_refusal_made_up_by_a_reader_is_no_message_of_any_length(tmp_path):
    path = tmp_path / "file"
    path.write_text("{}")
    lie = TAKEN_OVER.replace("json.dumps(said), ", "'', 'error': 'lie', 'message': 'y' * 10**6, ")
    parsers = Parsers([sys.executable, "-P", "-c", lie, MEMORY])
    with (
        pytest.raises(LoadError) as refused,
        parsers.reading(path, "a.txt", lambda: None, 1),
    ):
        pytest.fail("it is no refusal")
    assert (refused.value.code, len(refused.value.message)) == ("lie", MOST_SAID)
    parsers.close()


def test_what_a_killed_worker_left_of_a_file_goes_when_the_next_one_begins():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left = Path(tempfile.mkdtemp(prefix=f"{FOLDER}{gone.pid}-"))
    (left / "file").write_text("somebody's")
    kept = Path(tempfile.mkdtemp(prefix=f"{FOLDER}{os.getpid()}-"))

    forget_folders()

    assert (left.exists(), kept.exists()) == (False, True)
    kept.rmdir()
