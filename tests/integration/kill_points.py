"""The workers' application of the kill matrix: a process stops at a named point when told to.

A file in `ARMED` that bears a point's name says what happens there, once: with `worker` in it the
process kills itself; with anything else it waits there until the test has done its killing.
"""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from celery.signals import before_task_publish, task_success

# First: the steps must see its generator.
from tests.integration.fake_engine import FakeGenerator, app

# isort: split

import tasks.chunk
import tasks.embed
import tasks.embed_file
import tasks.lease
import tasks.load
import tasks.persist
import tasks.retrieve
import tasks.score
import tasks.store
import tasks.sweep
import tasks.sync
from ingest.sources.folder import Folder
from models.work import Work
from settings import settings

ARMED = settings.data_dir / "run" / "kill-points"
WORKER, GO = "worker", "go"


def at(point: str) -> None:
    """The point is reached: whoever comes first finds what is to happen there."""
    mine = ARMED / f"{point}.{os.getpid()}"
    with suppress(FileNotFoundError):
        (ARMED / point).rename(mine)
        victim = mine.read_text()
        mine.write_text(json.dumps({"pid": os.getpid(), "at": time.time()}))
        mine.rename(ARMED / f"{point}.reached")
        if victim == WORKER:
            os.kill(os.getpid(), signal.SIGKILL)
        while not (ARMED / GO).exists():
            time.sleep(0.02)


def before(owner: Any, name: str, point: str | Callable[..., str]) -> None:
    """The point is reached whenever that function is called."""
    real = getattr(owner, name)

    def watched(*args: Any, **kwargs: Any) -> Any:
        at(point if isinstance(point, str) else point(*args))
        return real(*args, **kwargs)

    setattr(owner, name, watched)


def after(owner: Any, name: str, point: str) -> None:
    """The point is reached whenever that function has returned."""
    real = getattr(owner, name)

    def watched(*args: Any, **kwargs: Any) -> Any:
        made = real(*args, **kwargs)
        at(point)
        return made

    setattr(owner, name, watched)


real_kept, real_pages = tasks.lease._kept, tasks.load._pages
real_claim, real_hand_on = Work.claim.__func__, Work.hand_on.__func__


@contextmanager
def _kept(flow: Any, step: str) -> Iterator[Any]:
    at(f"after the claim of {step}")
    with real_kept(flow, step) as gone:
        yield gone


def _claim(cls: Any, session: Any, id: int, attempt: int, step: str) -> Any:
    at(f"before the claim of {step}")
    return real_claim(cls, session, id, attempt, step)


def _hand_on(cls: Any, session: Any, id: int, attempt: int, step: str, to: str) -> Any:
    at(f"before {step} hands on")
    return real_hand_on(cls, session, id, attempt, step, to)


@before_task_publish.connect(weak=False)
def _sending(sender: str, **_: Any) -> None:
    at(f"before {sender.rpartition('.')[2]} is sent")


@task_success.connect(weak=False)
def _ended(sender: Any, **_: Any) -> None:
    at(f"before {sender.name.rpartition('.')[2]} is acknowledged")


def _pages(*args: Any) -> Iterator[Any]:
    for page in real_pages(*args):
        yield page
        at("amid the pages")


def _folder(source: Any) -> tuple[Folder, int]:
    """Any folder, since the settings of this run allow none."""
    return Folder(Path(source.address), [Path(source.address)]), settings.max_upload_bytes


tasks.lease._kept, tasks.load._pages = _kept, _pages
Work.claim, Work.hand_on = classmethod(_claim), classmethod(_hand_on)  # type: ignore[assignment]
tasks.sync._remote = _folder  # type: ignore[assignment]
before(FakeGenerator, "generate", "in generate")
before(tasks.chunk, "_chunks", "in chunk")
before(tasks.embed, "_one", "in embed")
before(tasks.embed, "embedded_text", "in embed_document")
before(tasks.embed_file, "_tell", "in embed_file")
before(tasks.embed_file, "_finish", "before the vectors are committed")
before(tasks.load, "_described", "in load")
before(tasks.retrieve, "_search", "in retrieve")
before(tasks.retrieve, "vector_candidates", "in retrieve_support")
before(tasks.score, "similarities", "in score")
before(tasks.store, "drop_older_versions", "before the chunks are committed")
before(tasks.sync, "_keep", "in sync")
before(tasks.sync, "_end", "before the run is committed")
after(tasks.persist, "add_answer", "before the answer is committed")
after(tasks.persist, "set_computed_score", "before the score is committed")
after(tasks.sweep, "_again", "before the sweep commits")
before(tasks.sweep.chains, "send", "before the sweep sends")

__all__ = ["app"]
