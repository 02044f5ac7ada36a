"""Replies that somebody waits for: short, over Redis, and gone soon."""

import json
from typing import Any

from tasks import broker

KEPT_S = 60
SLACK_S = 3.0


def put(address: str, reply: dict[str, Any]) -> None:
    """Leaves a reply at an address that its reader made up. Raises BrokerError."""
    with broker.connection().pipeline(transaction=False) as pipeline:
        pipeline.rpush(_key(address), json.dumps(reply))
        pipeline.expire(_key(address), KEPT_S)
        pipeline.execute()


def collect(address: str, wait_s: float) -> dict[str, Any] | None:
    """The reply, waited for; None if it does not come. Raises BrokerError."""
    reader: Any = broker.connection(wait_s + SLACK_S)
    found = reader.blpop([_key(address)], timeout=wait_s)
    return dict(json.loads(found[1])) if found else None


def _key(address: str) -> str:
    return f"redten:mail:{address}"
