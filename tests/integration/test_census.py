"""The count after the chaos: what it has to find, planted here."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import census
from benchmarks.census import Census
from benchmarks.ledger import Ledger
from local.postgres import DATABASE
from tests.conftest import CLUSTER
from tests.integration.processes import session_value

ANSWER = "insert into answers (tenant_id, user_id, job_id, origin, data) values"


@pytest.fixture
def ledger(db: None) -> Iterator[Ledger]:
    """Of the tests' own database, which has none afterwards."""
    made = Ledger(CLUSTER)
    made.open()
    yield made
    with CLUSTER.connect(DATABASE) as connection:
        connection.execute("drop schema ledger cascade")


def counted(ledger: Ledger, **told: Any) -> Census:
    """The census, after these ids and texts were told to clients."""
    nothing = {"jobs": [], "documents": {}, "reviews": [], "organisations": []}
    crowd: Any = SimpleNamespace(**nothing | told)
    return census.take(ledger, crowd)


def done(job: int) -> None:
    session_value(f"update jobs set state = 3, step = null where id = {job} returning id")


def test_work_that_was_accepted_and_is_not_there_is_lost(ledger):
    found = counted(ledger, jobs=[17], documents={18: None}, reviews=["Good."])

    assert found.lost == [
        "question 17 was accepted and is not there",
        "document 18 was accepted and is not there",
        "Good. is there 0 times, without a score",
    ]


def test_work_that_does_not_end_is_lost(ledger, job):
    assert counted(ledger, jobs=[job]).lost == [
        f"question {job} is in state 1 without an answer or a reason"
    ]


def test_an_end_without_an_answer_is_a_loss_and_with_one_it_is_none(ledger, job):
    done(job)
    assert len(counted(ledger, jobs=[job]).lost) == 1

    session_value(f"{ANSWER} (1, 1, {job}, 'chain', '{{}}') returning id")

    assert counted(ledger, jobs=[job]) == Census()


def test_a_failure_is_readable_with_a_code_and_a_message_only(ledger, job):
    session_value(f"update jobs set state = 4, code = 'lost' where id = {job} returning id")
    assert len(counted(ledger, jobs=[job]).lost) == 1

    session_value(f"update jobs set msg = 'its worker died' where id = {job} returning id")

    found = counted(ledger, jobs=[job])
    assert (found.lost, dict(found.failed)) == ([], {"question: lost": 1})


def test_an_answer_to_a_failed_question_is_one_too_many(ledger, job):
    session_value(f"{ANSWER} (1, 1, {job}, 'chain', '{{}}') returning id")

    assert len(counted(ledger).twice) == 1


def test_what_was_read_of_another_tenant_is_found(ledger, job):
    done(job)
    passage = '{"passages": [{"document_id": 0, "text": "The lamp of Fair Isle."}]}'
    session_value(f"{ANSWER} (1, 1, {job}, 'chain', '{passage}') returning id")
    other = SimpleNamespace(tenant="Another", place="Fair Isle")

    [line] = counted(ledger, organisations=[other]).foreign

    assert line.endswith("has read of Fair Isle")


def test_a_file_that_no_row_refers_to_is_an_orphan(db: None, tmp_path: Path):
    (tmp_path / "documents/1").mkdir(parents=True)
    (tmp_path / "documents/1/abc").write_text("content")

    assert census.orphaned_blobs(CLUSTER, tmp_path) == ["documents/1/abc"]


def test_the_time_of_a_recovery_is_that_from_the_fault_to_the_next_attempt(ledger, job):
    session_value(f"update jobs set state = 2 where id = {job} returning id")
    ledger.note_fault("a fault")
    assert (ledger.all_moved(), ledger.unfinished(), ledger.running("start_job")) == (False, 1, 1)

    session_value(f"update jobs set state = 1, attempt = 2 where id = {job} returning id")

    [one] = ledger.recoveries()
    assert (one.fault, one.kind, one.id, one.seconds > 0) == ("a fault", "jobs", job, True)
    assert ledger.all_moved()


def test_work_that_went_on_by_itself_has_not_been_recovered(ledger, job):
    ledger.note_fault("a fault")
    session_value(f"update jobs set step = 'embed_question' where id = {job} returning id")

    assert ledger.recoveries() == []
