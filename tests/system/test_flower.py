"""flower, beside the stack and behind a password."""

import requests

from tests.system.stack import Stack
from tests.system.waiting import eventually

QUEUES = {"pipeline", "inference", "ingest", "sweep"}


def status(stack: Stack, password: str | None) -> int | None:
    """How flower answers; None while it has not come up, which nobody waits for."""
    try:
        return look(stack, "/", password).status_code
    except requests.ConnectionError:
        return None


def look(stack: Stack, path: str, password: str | None) -> requests.Response:
    auth = (stack.admin["FLOWER_USER"], password) if password else None
    with requests.Session() as session:
        session.trust_env = False
        return session.get(stack.flower + path, auth=auth, timeout=10)


def test_flower_asks_for_its_password(stack: Stack) -> None:
    eventually(lambda: status(stack, None), "answer of flower")

    assert status(stack, None) == 401
    assert status(stack, "a wrong one") == 401
    assert status(stack, stack.admin["FLOWER_PASSWORD"]) == 200


def test_flower_shows_the_queues(stack: Stack) -> None:
    eventually(lambda: status(stack, None), "answer of flower")

    def shown() -> set[str]:
        answer = look(stack, "/api/queues/length", stack.admin["FLOWER_PASSWORD"])
        return {queue["name"] for queue in answer.json()["active_queues"]}

    # flower hears of the workers one by one.
    eventually(lambda: shown() == QUEUES, "list of all queues")
