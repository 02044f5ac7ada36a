"""A worker makes its engines ready, then says every few seconds that it is there."""

import logging
import threading
from typing import Any

from celery.signals import worker_process_init, worker_ready, worker_shutdown

from engines.embedder import get_embedder
from engines.generator import get_generator
from models.session import engine
from tasks import broker

log = logging.getLogger(__name__)
EVERY_S = 3.0
_gone = threading.Event()


def _queues(worker: Any) -> list[str]:
    return list(worker.app.amqp.queues.consume_from)


@worker_process_init.connect
def start_child(**_: Any) -> None:
    """A forked child shares no connection with its parent; it loads weights when it needs them."""
    engine().dispose(close=False)


@worker_ready.connect
def announce(sender: Any, **_: Any) -> None:
    """Loads what the queues need, so that whoever sees this worker can count on it."""
    queues = _queues(sender.controller)
    if "inference" in queues:
        get_generator()
    if "pipeline" in queues:
        get_embedder()
    threading.Thread(target=_stay, args=(queues, sender.hostname), daemon=True).start()


def _stay(queues: list[str], worker: str) -> None:
    while not _gone.is_set():
        try:
            for queue in queues:
                broker.note_present(queue, worker)
        except broker.BrokerError as error:
            log.warning("the broker does not answer: %s", error)
        _gone.wait(EVERY_S)


@worker_shutdown.connect
def leave(sender: Any, **_: Any) -> None:
    """So that probes need not wait for the worker to be missed."""
    _gone.set()
    try:
        for queue in _queues(sender):
            broker.note_gone(queue, sender.hostname)
    except broker.BrokerError as error:
        log.warning("the broker does not answer: %s", error)
