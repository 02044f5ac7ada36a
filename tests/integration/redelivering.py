"""The workers' application of the live-lock: the broker delivers again what takes over a second."""

from celery.signals import task_prerun

from settings import settings
from tests.integration.fake_engine import app

TAKEN = settings.data_dir / "run" / "taken"  # one line for each message of a question to generate

# What an operator sets who has read that a lost message should come back soon.
app.conf.broker_transport_options |= {
    "visibility_timeout": 1,
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
}


@task_prerun.connect(weak=False)
def _taken(sender: object, **_: object) -> None:
    with TAKEN.open("a") as file:
        file.write(f"{sender}\n")


__all__ = ["app"]
