"""A process that reads files for another and may be killed at it: a request in, its items out.

    python -m ingest.load.child MEMORY_BYTES FOLDER

A request is a line of JSON with `path`, `name`, `seconds` and `limits`; the answer is frames. Files
to read lie in the folder: of all others the process sees those of Python alone.
"""

import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ingest.confined import confine
from ingest.load import count_pages, kind, load
from ingest.load.limits import Limits
from ingest.load.page import LoadError
from ingest.load.wire import frame, item_frame

# The parent ends a process in time. Should it be gone itself, the kernel does this much later.
SPARE_S = 5

Request = dict[str, Any]


def document(request: Request) -> Iterator[bytes]:
    """What a file is, and what `load` gives of it, as frames. Raises LoadError."""
    path, name, limits = Path(request["path"]), request["name"], Limits(**request["limits"])
    yield frame({"kind": kind(path, name), "pages": count_pages(path, name, limits)})
    for item in load(path, name, limits):
        yield item_frame(item)


def serve(
    memory_bytes: int, folder: Path, read: Callable[[Request], Iterator[bytes]] = document
) -> None:
    """Answers requests with what `read` makes of them, until there are no more."""
    # Ctrl-C and service managers stop all processes of a worker at once. It finishes its files, or
    # hands them back; this process ends with it, or by its hand.
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.SIG_IGN)
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    # What a library prints must not get between the frames.
    os.dup2(2, 1)
    # Not everywhere may a process limit its memory.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    replies.write(frame({"ready": True, "unconfined": confine(folder)}))
    replies.flush()
    for line in requests:
        request = json.loads(line)
        signal.alarm(int(request["seconds"]) + SPARE_S)
        for one in _answer(read(request)):
            replies.write(one)
            replies.flush()
        signal.alarm(0)


def _answer(frames: Iterator[bytes]) -> Iterator[bytes]:
    """The frames, and a last one that says how it has ended."""
    try:
        yield from frames
    except LoadError as error:
        yield frame({"error": error.code, "message": error.message})
    except MemoryError:
        yield frame({"error": "parse_memory", "message": ""})
    else:
        yield frame({"end": True})


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]))
