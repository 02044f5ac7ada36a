"""Connections to the broker that break while a worker acknowledges a message."""

from tests.integration.broken_acks import BROKEN
from tests.integration.door import ask
from tests.integration.processes import session_value, until, workers

GENERATING = "select count(*) from jobs where step = 'generate_answer' and state = 1"


def test_a_worker_whose_acknowledgements_broke_goes_on_taking_messages(http, headers):
    with workers(inference="", ingest="", sweep="", pipeline="tests.integration.broken_acks"):
        jobs = [ask(http, headers, f"question {number}") for number in range(BROKEN)]

        until(lambda: session_value(GENERATING) == len(jobs))
