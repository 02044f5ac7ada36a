"""The order of the steps, and how a chain is sent. Names steps, imports none."""

import logging
import time
from functools import lru_cache
from typing import Any

from celery import Signature, chain
from kombu import Connection, pools
from kombu.exceptions import OperationalError

from tasks.app import app
from tasks.broker import TIMEOUT_S

log = logging.getLogger(__name__)

# After a failed send: for so long the sweep alone sends, and no request waits for the broker.
LEAVE_IT_S = 5.0
_leave_until = 0.0


def step(name: str, *args: Any, **kwargs: Any) -> Signature:
    """A step by its task name below `tasks`."""
    return app.signature(f"tasks.{name}", args=args, kwargs=kwargs)


def _failing(kind: str, tenant_id: int, id: int, attempt: int) -> Signature:
    return step("lifecycle.fail_work", kind=kind, tenant_id=tenant_id, id=id, attempt=attempt)


def answer_question(tenant_id: int, job_id: int, attempt: int) -> Signature:
    """The chain that takes a ready job to a stored, scored answer."""
    return chain(
        step("lifecycle.start_job", tenant_id, job_id, attempt),
        step("embed.embed_question"),
        step("retrieve.retrieve_passages"),
        step("generate.generate_answer"),
        step("score.score_answer"),
        step("persist.persist_answer"),
    ).on_error(_failing("job", tenant_id, job_id, attempt))


def ingest_document(tenant_id: int, document_id: int, attempt: int) -> Signature:
    """The chain that takes an uploaded file to searchable chunks."""
    return chain(
        step("load.load_document", tenant_id, document_id, attempt),
        step("chunk.chunk_document"),
        step("embed.embed_document"),
        step("store.store_document"),
    ).on_error(_failing("document", tenant_id, document_id, attempt))


def compute_review(tenant_id: int, review_id: int, attempt: int) -> Signature:
    """The chain that finds how well the collection bears out a reviewed answer."""
    return chain(
        step("lifecycle.start_review", tenant_id, review_id, attempt),
        step("embed.embed_review"),
        step("retrieve.retrieve_support"),
        step("score.score_review"),
        step("persist.persist_review"),
    ).on_error(_failing("review", tenant_id, review_id, attempt))


def sync_source(tenant_id: int, source_id: int, attempt: int) -> Signature:
    """The one step that a run of a source has; its documents go their own way."""
    return step("sync.sync_source", tenant_id, source_id, attempt).on_error(
        _failing("source", tenant_id, source_id, attempt)
    )


def embed_file(tenant_id: int, embedding_id: int, attempt: int) -> Signature:
    """The one step from a file of texts to their vectors."""
    return step("embed_file.embed_file", tenant_id, embedding_id, attempt).on_error(
        _failing("embedding", tenant_id, embedding_id, attempt)
    )


CHAINS = {
    "job": answer_question,
    "document": ingest_document,
    "review": compute_review,
    "source": sync_source,
    "embedding": embed_file,
}


@lru_cache(maxsize=1)
def _connections() -> Any:
    """Connections that give up quickly; the workers' own must wait for messages."""
    options = dict(app.conf.broker_transport_options)
    options |= {"socket_timeout": TIMEOUT_S, "socket_connect_timeout": TIMEOUT_S, "max_retries": 0}
    return pools.connections[Connection(app.conf.broker_url, transport_options=options)]


def send(kind: str, tenant_id: int, id: int, attempt: int) -> bool:
    """Sends the chain of committed work, or leaves it to the sweep; never blocks for long."""
    return _send(CHAINS[kind](tenant_id, id, attempt), f"{kind} {id} is left to the sweep")


def send_once(work: Signature, wanted_s: float) -> bool:
    """Sends work that nothing is written down of; it is dropped if it has waited for so long."""
    return _send(work, f"{work.task} is given up", expires=wanted_s)


def _send(work: Signature, otherwise: str, **options: Any) -> bool:
    global _leave_until
    if time.monotonic() < _leave_until:
        return False
    try:
        with _connections().acquire(block=True, timeout=TIMEOUT_S) as connection:
            # A chain forgets a producer that it is given, and would take one that waits for ever.
            work.apply_async(connection=connection, retry=False, **options)
    except (OperationalError, OSError) as error:
        _leave_until = time.monotonic() + LEAVE_IT_S
        log.warning("%s: %s", otherwise, error)
        return False
    return True
