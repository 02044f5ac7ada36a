"""Workers that die or stop: an accepted question still ends with exactly one result."""

import os
import threading
import time
from collections.abc import Iterator

import pytest
from alembic import command
from alembic.script import ScriptDirectory

from models.migrate import alembic_config
from settings import settings
from tasks import chains
from tests.conftest import CLUSTER, LAYOUT
from tests.integration.door import answer, ask, result
from tests.integration.processes import (
    FAKE,
    answering,
    answers_of,
    asked,
    kill,
    running,
    session_value,
    until,
    worker,
    workers,
)

REDELIVERING = "tests.integration.redelivering"


@pytest.fixture(scope="module", autouse=True)
def light_steps(services: None) -> Iterator[None]:
    """Everything but the inference worker, which each test treats in its own way."""
    with workers(inference="", ingest=""):
        yield


def test_waiting_ones_turn_in_a_long_queue_costs_nothing(http, headers):
    with answering():
        jobs = [ask(http, headers, f"slow question {number}") for number in range(200)]
        for job in jobs:
            assert result(http, headers, job, 90)["status"] == "done"

    assert session_value("select max(attempt) from jobs") == 1
    assert session_value("select sum(losses) from jobs") == 0
    assert sorted(asked()) == sorted(f"slow question {number}" for number in range(200))
    assert session_value("select count(distinct job_id) from answers") == 200
    assert session_value("select count(*) from answers") == 200


def test_a_question_survives_the_worker_that_was_answering_it(http, headers):
    with answering() as process:
        job = ask(http, headers, "slower question")
        until(lambda: len(asked()) == 1)
        kill(process)
    with answering():
        answer(http, headers, job, 60)
    assert answers_of(job) == 1
    assert session_value(f"select losses from jobs where id = {job}") == 1
    assert len(asked()) == 2


def test_a_worker_that_is_stopped_hands_its_question_back_without_a_loss(http, headers):
    with answering() as process:
        job = ask(http, headers, "slowest question")
        until(lambda: len(asked()) == 1)
        process.terminate()
        until(lambda: session_value(f"select attempt from jobs where id = {job}") == 2)
        kill(process)
    with answering():
        answer(http, headers, job, 60)
    assert session_value(f"select losses from jobs where id = {job}") == 0
    assert answers_of(job) == 1


def test_an_answer_that_takes_longer_than_a_lease_is_not_lost(http, headers):
    with answering():
        job = ask(http, headers, "slowest question")
        answer(http, headers, job, 60)
    assert session_value(f"select attempt from jobs where id = {job}") == 1
    assert len(asked()) == 1


def test_a_question_that_kills_its_worker_is_given_up_and_the_others_are_answered(http, headers):
    with answering() as process:
        deadly = ask(http, headers, "a deadly question")
        others = [ask(http, headers, f"question {number}") for number in range(5)]
        with _Reviver(process):
            over = result(http, headers, deadly, 90)
            for job in others:
                answer(http, headers, job, 60)
    assert (over["state"], over["code"]) == (4, "lost")
    assert "generate_answer" in over["msg"]
    assert asked().count("a deadly question") == 3
    assert session_value(f"select losses from jobs where id = {deadly}") == 3
    assert http.get(f"/ai/result/{deadly}", headers=headers).status_code == 404


@pytest.mark.long
def test_a_worker_that_dies_with_eight_in_flight_loses_none(http, headers):
    with answering(8) as process:
        jobs = [ask(http, headers, f"slower question {number}") for number in range(8)]
        until(lambda: len(asked()) == 8)
        kill(process)
    with answering(8):
        for job in jobs:
            answer(http, headers, job, 60)
    assert session_value("select count(*) from answers") == 8
    assert session_value("select count(distinct job_id) from answers") == 8
    assert session_value("select array_agg(losses) from jobs") == [1] * 8
    assert sorted(asked()) == sorted(f"slower question {number % 8}" for number in range(16))


@pytest.mark.long
def test_of_eight_in_flight_only_the_deadly_one_is_given_up(http, headers):
    with answering(8) as process:
        others = [ask(http, headers, f"slower question {number}") for number in range(7)]
        until(lambda: len(asked()) == 7)
        deadly = ask(http, headers, "a deadly question")
        with _Reviver(process, 8):
            over = result(http, headers, deadly, 90)
            for job in others:
                answer(http, headers, job, 60)
                assert answers_of(job) == 1
    assert (over["state"], over["code"]) == (4, "lost")
    assert asked().count("a deadly question") == 3
    assert session_value(f"select max(losses) from jobs where id <> {deadly}") == 1


def test_waiting_to_be_alone_after_a_loss_costs_nothing(http, headers):
    with answering(8) as process:
        lost = ask(http, headers, "slow question")
        answer(http, headers, lost, 30)
        session_value("delete from answers returning id")
        slow = ask(http, headers, "slowest question")
        until(lambda: running(slow, "generate_answer"))
        session_value(
            "update jobs set state = 1, step = 'start_job', losses = 1, attempt = 2, since = now()"
            f" where id = {lost} returning id"
        )
        chains.send("job", 1, lost, 2)
        answer(http, headers, slow, 30)
        answer(http, headers, lost, 30)
        assert process.poll() is None
    assert session_value(f"select attempt from jobs where id = {lost}") == 2


class _Reviver:
    """Starts the worker again whenever it has died, as a supervisor does."""

    def __init__(self, process, tasks: int = 1) -> None:
        self.process, self.tasks, self.over = process, tasks, threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self) -> None:
        while not self.over.wait(0.1):
            if self.process.poll() is not None:
                self.process = worker("inference", FAKE, self.tasks)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()
        kill(self.process)


def test_a_stale_attempt_neither_answers_nor_fails_a_newer_one(http, headers):
    with answering():
        job = ask(http, headers, "slower question")
        until(lambda: running(job, "generate_answer"))
        session_value(
            "update jobs set attempt = 2, state = 1, step = 'start_job', since = now()"
            f" where id = {job} returning id"
        )
        until(lambda: len(asked()) == 1)
        chains.send("job", 1, job, 2)
        answer(http, headers, job, 30)
    assert answers_of(job) == 1
    assert session_value(f"select data->>'attempt' from answers where job_id = {job}") == "2"


@pytest.mark.parametrize("tasks", [1, pytest.param(2, marks=pytest.mark.long)])
def test_a_message_that_comes_again_before_the_step_ends_does_not_run_it_again(
    http, headers, tasks
):
    taken = LAYOUT.run / "taken"
    taken.unlink(missing_ok=True)
    with workers(tasks, pipeline="", ingest="", sweep="", inference=REDELIVERING):
        job = ask(http, headers, "slowest question")
        until(asked)
        for _ in range(20):
            chains.send("job", 1, job, 1)
        answer(http, headers, job, 60)
        until(lambda: len(taken.read_text().splitlines()) > 1)
    assert asked() == ["slowest question"]
    assert session_value(f"select attempt from jobs where id = {job}") == 1
    assert answers_of(job) == 1


@pytest.mark.long
@pytest.mark.parametrize("question", ["slower", "slowest"])
def test_postgres_may_be_away_for_longer_than_a_lease(http, headers, postgres_server, question):
    """The step ends meanwhile and cannot be handed on, or goes on and finds its lease run out."""
    with answering():
        job = ask(http, headers, f"{question} question")
        until(lambda: len(asked()) == 1)
        postgres_server.stop()
        over = time.monotonic() + settings.lease_s + 0.5
        until(lambda: time.monotonic() > over)
        postgres_server.start()
        answer(http, headers, job, 60)
        assert answers_of(job) == 1
    assert session_value(f"select losses from jobs where id = {job}") <= 1


LATER = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "later", "{head}", None, None


def upgrade():
    for table in ("jobs", "answers"):
        op.add_column(table, sa.Column("later", sa.Text(), server_default="", nullable=False))
    op.create_index("ix_jobs_later", "jobs", ["later"])


def downgrade():
    for table in ("jobs", "answers"):
        op.drop_column(table, "later")
"""


def test_the_schema_grows_while_questions_are_answered(http, headers, tmp_path):
    config = alembic_config(CLUSTER.admin_url)
    scripts = ScriptDirectory.from_config(config)
    head = str(scripts.get_current_head())
    (tmp_path / "later.py").write_text(LATER.format(head=head))
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", os.pathsep.join((scripts.versions, str(tmp_path))))
    with answering(2):
        jobs = [ask(http, headers, f"slow question {number}") for number in range(20)]
        command.upgrade(config, "later")
        try:
            jobs += [ask(http, headers, f"slow question {number}") for number in range(20, 30)]
            for job in jobs:
                answer(http, headers, job, 60)
        finally:
            command.downgrade(config, head)
        answer(http, headers, ask(http, headers, "the last question"), 60)
    assert session_value("select sum(losses) from jobs") == 0
    assert session_value("select count(distinct job_id) from answers") == 31
