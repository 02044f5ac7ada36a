"""Requests that a worker answers at once, while the caller waits; nothing of them is kept."""

import uuid
from typing import Any

from api.events import thread_held
from models.errors import RedtenError
from settings import settings
from tasks import broker, chains, mailbox


def embedded(
    texts: list[str],
    model: str,
    kind: str = "document",
    dimensions: int | None = None,
    any_model: bool = False,
) -> dict[str, Any]:
    """`model`, `dimensions`, packed `vectors` and `tokens` of texts; errors of `worker_reply`."""
    how = {"model": model, "kind": kind, "any_model": any_model}
    wait_s = settings.embeddings_wait_s
    return worker_reply("embed.embed_texts", wait_s, texts=texts, dimensions=dimensions, **how)


def worker_reply(task: str, wait_s: float, **asked: Any) -> dict[str, Any]:
    """What the task leaves at the `address` that it is given beside what is asked.

    Raises RedtenError `unavailable` if nothing comes in time, and what the task has refused.
    """
    address = uuid.uuid4().hex
    try:
        with thread_held():
            if not chains.send_once(chains.step(task, address=address, **asked), wait_s):
                raise _broker_away()
            reply = mailbox.collect(address, wait_s)
    except broker.BrokerError as error:
        raise _broker_away() from error
    if reply is None:
        raise RedtenError("unavailable", f"no worker answered within {wait_s:g} s; try again")
    if "code" in reply:
        raise RedtenError(reply["code"], reply["message"])
    return reply


def _broker_away() -> RedtenError:
    return RedtenError("unavailable", "the broker does not answer; try again in a moment")
