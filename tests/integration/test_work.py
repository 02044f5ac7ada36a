"""States, leases and attempts: what a message may do, and what it finds nothing to do for."""

from sqlalchemy import func, update

from models.job import Job
from models.overdue import overdue_work
from models.session import session_scope
from models.work import State

COPIED = (
    *("tenant_id", "user_id", "worker_id", "job_type", "question"),
    *("session_id", "derived_session_id"),
)


def do(move, *args):
    with session_scope(1) as session:
        return move(session, *args)


def look(id: int) -> Job:
    with session_scope(1) as session:
        return session.get_one(Job, id)


def expire(id: int) -> None:
    with session_scope(1) as session:
        past = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, 1.0)
        session.execute(update(Job).where(Job.id == id).values(lease_until=past))


def test_only_the_first_of_two_equal_messages_finds_something_to_claim(job):
    assert do(Job.claim, job, 1, "start_job")
    assert do(Job.claim, job, 1, "start_job") is None


def test_a_message_for_another_step_or_attempt_finds_nothing(job):
    assert do(Job.claim, job, 1, "embed_question") is None
    assert do(Job.claim, job, 2, "start_job") is None
    assert look(job).state == State.WAITING


def test_a_step_hands_on_to_the_next_and_the_last_one_ends_the_work(job):
    do(Job.claim, job, 1, "start_job")
    assert do(Job.hand_on, job, 1, "start_job", "persist_answer").state == State.WAITING
    do(Job.claim, job, 1, "persist_answer")
    done = do(Job.finish, job, 1, "persist_answer")
    assert (done.state, done.step, done.lease_until) == (State.DONE, None, None)


def test_a_stale_attempt_can_neither_hand_on_nor_fail_nor_finish(job):
    do(Job.claim, job, 1, "start_job")
    expire(job)
    assert do(Job.restart, job, 1).attempt == 2

    assert do(Job.hand_on, job, 1, "start_job", "embed_question") is None
    assert do(Job.fail, job, 1, "code", "stale") is None
    assert do(Job.finish, job, 1, "start_job") is None
    assert do(Job.extend, job, 1, "start_job") is False
    assert (look(job).state, look(job).attempt) == (State.WAITING, 2)


def test_running_work_is_restarted_only_after_its_lease_and_that_is_a_loss(job):
    do(Job.claim, job, 1, "start_job")
    assert do(Job.restart, job, 1) is None
    expire(job)
    again = do(Job.restart, job, 1)
    assert (again.attempt, again.losses, again.step) == (2, 1, "start_job")


def test_waiting_work_is_sent_again_without_a_loss(job):
    again = do(Job.send_again, job, 1, look(job).since)
    assert (again.attempt, again.losses) == (2, 0)


def test_waiting_work_that_has_moved_meanwhile_is_not_sent_again(job):
    seen = look(job).since
    do(Job.claim, job, 1, "start_job")
    do(Job.hand_on, job, 1, "start_job", "embed_question")
    assert do(Job.send_again, job, 1, seen) is None
    assert (look(job).attempt, look(job).step) == (1, "embed_question")


def test_done_is_never_overturned(job):
    do(Job.claim, job, 1, "start_job")
    do(Job.finish, job, 1, "start_job")
    assert do(Job.fail, job, 1, "code", "late") is None
    assert do(Job.restart, job, 1) is None
    assert look(job).state == State.DONE


def test_work_heard_of_at_the_last_moment_is_not_given_up(job):
    do(Job.claim, job, 1, "start_job")
    expire(job)
    assert do(Job.extend, job, 1, "start_job") is True
    assert do(Job.give_up, job, 1, "lost", "why") is None
    assert look(job).state == State.RUNNING


def test_who_holds_a_message_for_long_has_overtaken_nobody_that_came_after_it(job):
    with session_scope(1) as session:
        first = session.get_one(Job, job)
        second = Job(**{name: getattr(first, name) for name in COPIED})
        session.add(second)
        first.step = second.step = "generate_answer"
        # The broker's queue has both, in this order, and a worker waits with the first.
        first.since = second.since = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, 60.0)
    assert do(Job.wait_on, job, 1, "generate_answer")

    assert do(Job.claim, job, 1, "generate_answer")

    with session_scope() as session:
        assert [(one.id, one.overtaken) for one in overdue_work(session, 15.0)] == [
            (second.id, False)
        ]
