"""A file of texts into a file of their vectors: read whole, then embedded a part at a time."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from math import ceil
from pathlib import Path

from celery.exceptions import Ignore

from engines.embedder import Embedder, get_embedder
from ingest.load.page import Page
from ingest.spool import read_spool, spool
from models.embedding import Embedding
from models.errors import RedtenError
from models.loose_blob import loosen
from models.session import session_scope
from models.work import State
from settings import settings
from tasks.app import app
from tasks.blobs import fetched, put_patiently
from tasks.flow import Flow
from tasks.lease import Held, claimed
from tasks.loose import remove_loose
from tasks.parsing import Parsers

log = logging.getLogger(__name__)

# Texts embedded at once, and those whose vectors are kept together for a later attempt.
PART, KEPT = 512, 16 * 512
TOLD_EVERY_S = 0.3


@app.task
def embed_file(tenant_id: int, id: int, attempt: int) -> None:
    """Makes the vectors of all texts; goes on where an attempt that was lost has left it."""
    flow = Flow(kind="embedding", tenant_id=tenant_id, id=id, attempt=attempt, seconds={})
    with claimed(flow, "embed_file") as held:
        log.info("embedding %d attempt %d: started", id, attempt)
        try:
            with fetched(held.record.texts_blob) as path:
                total = _embed(held, path)
            _finish(held, total)
        except KeyError as error:
            raise RedtenError("blob_missing", "the file is gone: send it again") from error
        finally:
            _clear(held)


def _embed(held: Held, path: Path) -> int:
    """How many texts there are; `path` is in a folder of its own, where all else may lie too."""
    # Workers of other queues know this module too, and need no pyarrow.
    from ingest.vector_file import joined

    record, texts, made = held.record, path.with_name("texts"), path.with_name("made")
    embedder = get_embedder(record.embed_model_name)
    total = _read(held, path, texts)
    _tell(held, total=total)
    # What an attempt before has kept is not made again.
    kept = record.done // KEPT
    left = islice(read_spool(texts), kept * KEPT, None)
    pieces = range(ceil(total / KEPT))
    for number in pieces[kept:]:
        _make(held, embedder, number, islice(left, KEPT), made)
    held.insist()
    joined(made, _fetched(f"{record.pieces_blob}/{number}" for number in pieces))
    put_patiently(record.vectors_blob, made)
    return total


def _read(held: Held, path: Path, texts: Path) -> int:
    """All texts, before any is embedded: what is wrong with the last shows at once."""
    record = held.record
    memory = str(settings.parse_memory_bytes)
    command = (sys.executable, "-P", "-m", "ingest.texts_child", memory, record.text_column)
    with (
        closing(Parsers(command)) as parsers,
        parsers.reading(path, record.name, held.insist, record.tenant_id) as reading,
    ):
        found = ((one.number, one.text) for one in reading.items if isinstance(one, Page))
        return spool(found, texts, settings.embed_texts)


def _make(
    held: Held, embedder: Embedder, number: int, piece: Iterator[tuple[int, str]], made: Path
) -> None:
    """The vectors of one piece, and then the word that it is there."""
    from ingest.vector_file import writing

    record, done, told = held.record, number * KEPT, time.monotonic()
    with writing(made, embedder.dimensions, model=embedder.name, kind=record.kind) as file:
        while part := list(islice(piece, PART)):
            # Not of the last part: all is done when it is kept.
            if time.monotonic() > told + TOLD_EVERY_S:
                _tell(held, done=done)
                told = time.monotonic()
            held.insist()
            texts = [text for _, text in part]
            vectors = embedder.embed(texts, record.kind, held.ours)
            file.append([row for row, _ in part], texts, vectors)
            done += len(part)
    put_patiently(f"{record.pieces_blob}/{number}", made)
    _tell(held, done=done)


def _fetched(keys: Iterable[str]) -> Iterator[Path]:
    """A local copy of each, gone when the next one is asked for."""
    for key in keys:
        with fetched(key) as path:
            yield path


def _tell(held: Held, **counts: int) -> None:
    flow = held.flow
    with session_scope(flow["tenant_id"], durable=False) as session:
        Embedding.reached(session, flow["id"], flow["attempt"], **counts)


def _finish(held: Held, total: int) -> None:
    flow, record = held.flow, held.record
    used = (record.texts_blob, f"{record.pieces_blob}/")
    with session_scope(flow["tenant_id"]) as session:
        # What was told on the way a crash of Postgres may have forgotten.
        Embedding.reached(session, flow["id"], flow["attempt"], done=total, total=total)
        if not Embedding.finish(session, flow["id"], flow["attempt"], Embedding.FIRST_STEP):
            raise Ignore
        loosen(session, flow["tenant_id"], *used)
    remove_loose(flow["tenant_id"], used)
    log.info("embedding %d attempt %d: done", flow["id"], flow["attempt"])


def _clear(held: Held) -> None:
    """Takes away what was made too late: it was removed meanwhile, or another attempt is done."""
    tenant_id, record = held.flow["tenant_id"], held.record
    with session_scope(tenant_id) as session:
        found = session.get(Embedding, held.flow["id"])
        if found is not None and found.state != State.DONE:
            return
        late = f"{record.pieces_blob}/" if found else f"{record.folder}/"
        loosen(session, tenant_id, late)
    remove_loose(tenant_id, [late])
