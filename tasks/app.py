"""The Celery application; the steps are imported by workers, not by who sends."""

import logging

from celery import Celery

# Its lines of success quote all that travels; questions and documents do not belong into logs.
logging.getLogger("celery.app.trace").setLevel(logging.WARNING)

app = Celery("redten")
app.config_from_object("celeryconfig")
app.conf.include = [
    "tasks.lifecycle",
    "tasks.embed",
    "tasks.retrieve",
    "tasks.generate",
    "tasks.score",
    "tasks.persist",
    "tasks.load",
    "tasks.chunk",
    "tasks.store",
    "tasks.serve",
    "tasks.embed_file",
    "tasks.mail",
    "tasks.invite",
    "tasks.closing",
    "tasks.sync",
    "tasks.due",
    "tasks.rebuild",
    "tasks.tidy",
    "tasks.index",
    "tasks.sweep",
    "tasks.presence",
]
