"""A worker makes its engines ready, then says every few seconds that it takes messages."""

import logging
import os
from typing import Any

from celery import bootsteps
from celery.signals import celeryd_init
from sqlalchemy.exc import SQLAlchemyError

from engines.embedder import get_embedder
from engines.loaded import loaded
from models.model import default_model
from models.session import session_scope
from settings import settings
from tasks import broker
from tasks.app import app

log = logging.getLogger(__name__)
EVERY_S = 3.0
NICENESS = 10


class Presence(bootsteps.StartStopStep):
    """Part of the consumer's own loop: a worker that has stopped consuming falls silent."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self.timer: Any = None
        self.queues = list(consumer.app.amqp.queues.consume_from)

    def start(self, parent: Any) -> None:
        """Loads what the queues need, so that whoever sees this worker can count on it."""
        if "inference" in self.queues:
            _load_default()
        if "pipeline" in self.queues:
            get_embedder()
        self._say(broker.note_present, parent.hostname)
        self.timer = parent.timer.call_repeatedly(
            EVERY_S, self._say, (broker.note_present, parent.hostname)
        )

    def stop(self, parent: Any) -> None:
        """So that probes need not wait for the worker to be missed."""
        if self.timer:
            self.timer.cancel()
            self._say(broker.note_gone, parent.hostname)

    def _say(self, what: Any, worker: str) -> None:
        try:
            for queue in self.queues:
                what(queue, worker)
        except broker.BrokerError as error:
            log.warning("the broker does not answer: %s", error)


def _load_default() -> None:
    """The model that answers when none is named; it stays loaded."""
    try:
        with session_scope() as session:
            file = default_model(session).file
    except SQLAlchemyError as error:
        # As after an outage of both stores; a worker that died of it would only come back later.
        log.warning("the database does not answer, the first question loads the model: %s", error)
        return
    loaded().keep(settings.weights_dir / file)


app.steps["consumer"].add(Presence)


@celeryd_init.connect
def let_the_door_go_first(**_: Any) -> None:
    """On a machine that is short of cores a request is answered before a step goes on."""
    os.nice(NICENESS)
