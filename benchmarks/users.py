"""Users who send one request over and over, in a process of their own, which gevent changes.

python -m benchmarks.users '{"host": ..., "method": ..., "path": ..., "seconds": ...}'
"""

import json
import sys
from typing import Any

import gevent
from locust import FastHttpUser, constant, task
from locust.env import Environment

WARM_S = 2.0


def main(told: dict[str, Any]) -> dict[str, float]:
    """Requests per second, milliseconds, and the share that was refused."""

    class User(FastHttpUser):
        """Nobody thinks: each asks again as soon as the reply has come."""

        wait_time = constant(0)
        host = told["host"]

        @task
        def ask(self) -> None:
            self.client.request(
                told["method"], told["path"], json=told["body"], headers=told["headers"]
            )

    environment = Environment(user_classes=[User])
    runner = environment.create_local_runner()
    runner.start(told["users"], spawn_rate=told["users"])
    gevent.sleep(WARM_S)
    environment.stats.reset_all()
    gevent.sleep(told["seconds"])
    total = environment.stats.total
    measured = {
        "rate": total.num_requests / told["seconds"],
        "p50": float(total.get_response_time_percentile(0.50)),
        "p99": float(total.get_response_time_percentile(0.99)),
        "refused": total.num_failures / max(1, total.num_requests),
    }
    runner.quit()
    return measured


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
