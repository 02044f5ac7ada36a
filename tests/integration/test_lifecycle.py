"""What an error in a step does to its work."""

from kombu.exceptions import OperationalError

from models.errors import RedtenError
from models.job import Job
from models.session import session_scope
from models.work import State
from tasks.lifecycle import fail_work


def after(error: Exception, id: int, attempt: int = 1) -> Job:
    fail_work(None, error, None, kind="job", tenant_id=1, id=id, attempt=attempt)
    with session_scope(1) as session:
        return session.get_one(Job, id)


def test_a_refusal_ends_the_work_with_its_reason(job):
    failed = after(RedtenError("code", "what to do"), job)
    assert (failed.state, failed.code, failed.msg) == (State.FAILED, "code", "what to do")


def test_a_fault_leaves_a_lease_that_runs_out_and_counts(job):
    suspected = after(KeyError("a fault"), job)
    assert (suspected.state, suspected.lease_until is not None) == (State.RUNNING, True)


def test_a_broker_that_is_away_costs_nothing(job):
    for error in (OperationalError("away"), ConnectionResetError()):
        assert after(error, job).state == State.WAITING


def test_an_error_of_an_older_attempt_changes_nothing(job):
    assert after(RedtenError("code", "stale"), job, attempt=7).state == State.WAITING
    assert after(KeyError("stale"), job, attempt=7).state == State.WAITING
