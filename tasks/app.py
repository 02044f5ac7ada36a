"""The Celery application; the steps are imported by workers, not by who sends."""

from celery import Celery

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
    "tasks.sweep",
    "tasks.presence",
]
