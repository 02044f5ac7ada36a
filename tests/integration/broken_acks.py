"""The workers' application over a connection that breaks under its first acknowledgements."""

from typing import Any

from kombu.transport import redis
from redis.exceptions import ConnectionError as BrokenConnection

from tasks.app import app

BROKEN = 3
_left = iter(range(BROKEN))


class FirstAcksBroken(redis.QoS):
    """Acknowledges nothing at first, as kombu does when the connection is reset meanwhile."""

    def ack(self, delivery_tag: Any) -> None:
        if next(_left, None) is not None:
            raise BrokenConnection("reset by a test")
        super().ack(delivery_tag)


redis.Channel.QoS = FirstAcksBroken

__all__ = ["app"]
