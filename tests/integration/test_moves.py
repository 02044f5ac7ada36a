"""Work makes only the moves that it may make, in whatever order messages and sweeps come."""

import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from models.answer import Answer
from models.job import Job
from models.overdue import overdue_work
from models.session import session_scope
from models.tenant import DEFAULT_TENANT_ID as TENANT
from models.work import State
from settings import settings
from tasks import chains, sweep
from tests.integration.processes import session_value

STEPS = ("start_job", "embed_question", "generate_answer", "persist_answer")
FEW = settings.model_copy(update={"max_losses": 2, "max_resent": 2})
WAITING, RUNNING, DONE, FAILED = State
ALLOWED = {
    (WAITING, RUNNING),
    (WAITING, DONE),
    (WAITING, FAILED),
    (RUNNING, WAITING),
    (RUNNING, DONE),
    (RUNNING, FAILED),
}


def _set(id: int, **values: object) -> None:
    """As wrong code would, past the methods of Work, but as the role that all code has."""
    with session_scope(TENANT) as session:
        session.execute(update(Job).where(Job.id == id).values(**values))


def _put(id: int, state: State) -> None:
    """Into any state, as the owner of the tables may."""
    session_value(f"update jobs set state = {state:d}, attempt = 5, losses = 1 returning {id}")


def _as_if(state: State) -> dict[str, object]:
    """What goes with the state, so that only the move itself can be at fault."""
    lease = func.now() if state is RUNNING else None
    return {"state": state, "step": "start_job", "code": "c", "lease_until": lease}


@pytest.mark.parametrize("after", State)
@pytest.mark.parametrize("before", State)
def test_postgres_refuses_moves_that_no_work_may_make(job, before, after):
    _put(job, before)
    if before is after or (before, after) in ALLOWED:
        return _set(job, **_as_if(after))
    with pytest.raises(IntegrityError, match="what is over"):
        _set(job, **_as_if(after))


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempt": 4},
        {"attempt": 7},
        {"attempt": 6, "state": RUNNING, "lease_until": func.now()},
        {"losses": 0},
        {"losses": 3},
        {"state": RUNNING, "lease_until": None},
        {"state": FAILED, "code": None},
        {"state": 5},
    ],
)
def test_postgres_refuses_what_would_lose_work_or_count_wrongly(job, wrong):
    _put(job, WAITING)
    with pytest.raises(IntegrityError):
        _set(job, **wrong)


@pytest.mark.parametrize("over", [DONE, FAILED])
def test_what_is_over_begins_again_only_as_the_next_attempt(job, over):
    _put(job, over)
    for attempt in (5, 7):
        with pytest.raises(IntegrityError):
            _set(job, **_as_if(WAITING), attempt=attempt)
    _set(job, **_as_if(WAITING), attempt=6, losses=0)


class Life(RuleBasedStateMachine):
    """One question, which messages of any attempt, sweeps and people meet in any order."""

    def __init__(self) -> None:
        super().__init__()
        with session_scope(TENANT) as session:
            made = Job(
                tenant_id=TENANT,
                user_id=session_value("select min(id) from users"),
                worker_id=1,
                job_type=1,
                question="?",
                session_id="s",
                derived_session_id="d",
                step=Job.FIRST_STEP,
            )
            session.add(made)
        self.id, self.tried_again = made.id, False
        self.before = self._look()
        self.first_attempt, self.handed_back = 1, 0

    def _look(self) -> Job:
        with session_scope(TENANT) as session:
            return session.get_one(Job, self.id)

    def _move(self, move, *args: object, age: int = 0) -> Job | None:
        """As a message would that belongs to this attempt, or to one so much older."""
        with session_scope(TENANT) as session:
            return move(session, self.id, self.before.attempt - age, *args)

    step = st.sampled_from(STEPS)

    @rule(step=step)
    def claim(self, step: str) -> None:
        self._move(Job.claim, step)

    @rule()
    def claim_as_is_due(self) -> None:
        self._move(Job.claim, self.before.step)

    @rule(step=step, to=step)
    def advance(self, step: str, to: str) -> None:
        self._move(Job.advance, step, to)

    @rule()
    def come_to_the_end(self) -> None:
        self._move(Job.advance, self.before.step, "persist_answer")

    @rule(to=step)
    def hand_on(self, to: str) -> None:
        self._move(Job.hand_on, self.before.step, to)

    @rule()
    def wait_on(self) -> None:
        self._move(Job.wait_on, self.before.step)

    @rule()
    def extend(self) -> None:
        self._move(Job.extend, self.before.step)

    @rule()
    def suspect(self) -> None:
        self._move(Job.suspect)

    @rule()
    def hand_back(self) -> None:
        self.handed_back += bool(self._move(Job.hand_back, self.before.step))

    @rule()
    def fail(self) -> None:
        self._move(Job.fail, "refused", "why")

    @rule()
    def hear_from_an_older_attempt(self) -> None:
        step = self.before.step
        for move in (Job.claim, Job.wait_on, Job.extend, Job.hand_back, Job.finish):
            assert not self._move(move, step, age=1), move
        for move in (Job.advance, Job.hand_on):
            assert not self._move(move, step, "persist_answer", age=1), move
        assert not self._move(Job.suspect, age=1)
        assert not self._move(Job.fail, "refused", "why", age=1)

    @rule()
    def finish_with_its_answer(self) -> None:
        with session_scope(TENANT) as session:
            if Job.finish(session, self.id, self.before.attempt, "persist_answer"):
                who = self.before.user_id
                session.add(Answer(tenant_id=TENANT, user_id=who, job_id=self.id, origin="chain"))

    @rule()
    def cancel(self) -> None:
        with session_scope(TENANT) as session:
            Job.cancel(session, self.id, "not wanted")

    @rule()
    def lose(self) -> None:
        if self.before.state == RUNNING:
            past = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, 1.0)
            _set(self.id, lease_until=past)

    @rule()
    def sweep(self) -> None:
        with session_scope() as session:
            overdue = [one for one in overdue_work(session, 0.0) if one.id == self.id]
        for one in overdue:
            sweep._recover(one)

    @rule()
    def retry(self) -> None:
        with session_scope(TENANT) as session:
            self.tried_again = Job.retry(session, self.id) is not None

    @invariant()
    def holds(self) -> None:
        before, now = self.before, self._look()
        self.before = now
        if before.over and not self.tried_again:
            assert (now.state, now.attempt, now.msg) == (before.state, before.attempt, before.msg)
        if self.tried_again:
            assert (before.state, now.state, now.losses) == (FAILED, WAITING, 0)
            assert before.code != "cancelled"
            self.first_attempt, self.handed_back = now.attempt, 0
        self.tried_again = False
        assert now.attempt in (before.attempt, before.attempt + 1)
        assert now.losses <= FEW.max_losses
        assert now.resent <= FEW.max_resent
        known = now.losses + now.resent + self.handed_back
        assert now.attempt - self.first_attempt <= known, "an attempt that nothing bounds"
        assert (now.lease_until is not None) == (now.state == RUNNING)
        with session_scope(TENANT) as session:
            counted = select(func.count()).select_from(Answer).where(Answer.job_id == self.id)
            assert session.scalar(counted) == (now.state == DONE)


def test_whatever_comes_in_whatever_order_work_ends_at_most_once(admin, monkeypatch):
    monkeypatch.setattr("models.work.settings", FEW)
    monkeypatch.setattr("tasks.sweep.settings", FEW)
    monkeypatch.setattr(chains, "send", lambda *_: True)
    run_state_machine_as_test(
        Life,
        settings=hypothesis_settings(
            max_examples=20,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_work_that_is_sent_in_vain_again_and_again_fails_in_the_end(job, monkeypatch):
    monkeypatch.setattr("models.work.settings", FEW)
    monkeypatch.setattr("tasks.sweep.settings", FEW)
    monkeypatch.setattr(chains, "send", lambda *_: True)
    for _ in range(FEW.max_resent + 1):
        with session_scope() as session:
            [one] = overdue_work(session, 0.0)
        sweep._recover(one)
    with session_scope(TENANT) as session:
        failed = session.get_one(Job, job)
    assert (failed.state, failed.code, failed.attempt) == (FAILED, "lost", 1 + FEW.max_resent)
    assert "never taken in start_job" in failed.msg


def test_work_that_cannot_move_does_not_keep_the_sweep_from_the_others(job, monkeypatch):
    monkeypatch.setattr(chains, "send", lambda *_: True)
    session_value(f"update jobs set attempt = 32767 where id = {job} returning id")
    with session_scope(TENANT) as session:
        stuck = session.get_one(Job, job)
        columns = ("tenant_id", "user_id", "worker_id", "job_type", "question", "step")
        copied = {name: getattr(stuck, name) for name in columns}
        session.add(Job(**copied, session_id="s", derived_session_id="d"))
    with session_scope() as session:
        overdue = overdue_work(session, 0.0)
    for one in overdue:
        sweep._recover_or_tell(one)
    assert session_value("select attempt from jobs order by id desc limit 1") == 2
