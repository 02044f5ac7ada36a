"""kill -9 while questions are on their way: each still ends with exactly one result."""

from collections.abc import Iterator

import pytest

from tests.system.jobs import RUNNING, WAITING, answered, ask, job, results, stands
from tests.system.people import Person
from tests.system.stack import Stack
from tests.system.waiting import eventually

# Long enough to be killed in the middle of.
LONG = "Write a long story about a lighthouse keeper, her cat and the sea."
LONG_TOKENS = 300
# What an inference worker writes at the same time.
AT_ONCE = 8


@pytest.fixture(autouse=True)
def _ready_again(stack: Stack) -> Iterator[None]:
    """The tests after these find every part in its place."""
    yield
    eventually(stack.is_ready, "readiness")


def ask_at_length(person: Person) -> int:
    """A question whose answer is being generated now."""
    job_id = ask(person.door, LONG, max_tokens=LONG_TOKENS)
    eventually(lambda: stands(person.door, job_id, "generate_answer", RUNNING), "generation")
    return job_id


def test_a_question_outlives_the_worker_that_answers_it(stack: Stack, person: Person) -> None:
    job_id = ask_at_length(person)

    stack.kill("inference")

    assert answered(person.door, job_id)["data"]["attempt"] == 2
    assert (job(person.door, job_id)["losses"], job(person.door, job_id)["attempt"]) == (1, 2)
    assert len(results(person.door, job_id)) == 1


@pytest.mark.long
def test_questions_outlive_the_broker_between_two_steps(stack: Stack, person: Person) -> None:
    generated = [ask_at_length(person) for _ in range(AT_ONCE)]
    waiting = ask(person.door, "What is a fog horn?")
    # The one worker for it is busy: the message to the next step lies in the broker.
    eventually(lambda: stands(person.door, waiting, "generate_answer", WAITING), "waiting")

    stack.kill("valkey")

    for job_id in (*generated, waiting):
        assert answered(person.door, job_id)["answer"]
        assert len(results(person.door, job_id)) == 1
