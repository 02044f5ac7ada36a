"""Jobs: a question is written down, sent, and answered later."""

from typing import Annotated, Any, Literal

from apiflask import APIBlueprint
from pydantic import Field

from api.asking import ASK, ask, withdraw
from api.auth import caller, signed_in
from api.failures import Code, try_again
from api.questions import JobIn
from api.rag import reach
from api.replies import JobOut, JobResultOut, Out
from api.schemas import In, Number
from models.answer import answers_of_job
from models.errors import RedtenError
from models.job import Job, find_job, jobs
from models.session import session_scope
from models.work import State, Work

blueprint = APIBlueprint("jobs", __name__, tag="Jobs")


class JobsIn(In):
    """Which jobs: in that state, failed with that code, with ids below `before`."""

    state: Literal["waiting", "running", "done", "failed"] | None = None
    code: Code | None = None
    before: Number | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50


class JobsOut(Out):
    """Newest first; `next` is the `before` of the next page, null after the last one."""

    jobs: list[JobOut]
    next: int | None
    msg: str = "success"


SHOWN = JobResultOut.model_fields.keys() - {"job_id"}


@blueprint.post("/job")
@blueprint.input(JobIn)
@blueprint.output(JobOut, status_code=201)
@signed_in(blueprint)
def create_job(json_data: JobIn) -> Job:
    """Ask a question; the answer is fetched with the job's id."""
    _supported(json_data)
    wanted = json_data.ask
    found = reach(caller(), wanted.collection, wanted.rag)
    return ask(
        wanted.msg,
        found.collection,
        wanted.params() | found.params(),
        worker_id=json_data.worker_id,
        tags=wanted.tags,
        data=wanted.data or {},
        **wanted.threads(),
        **found.columns(),
    )


def _supported(wanted: JobIn) -> None:
    if wanted.job_type != ASK:
        raise RedtenError("unknown_job_type", "job_type must be 1: ask a question")


@blueprint.get("/job/<number:id>")
@blueprint.output(JobOut)
@signed_in(blueprint)
def get_job(id: int) -> Job:
    """See how far a job has come."""
    with session_scope(caller().tenant_id) as session:
        return find_job(session, caller(), id)


@blueprint.get("/jobs")
@blueprint.input(JobsIn, location="query")
@blueprint.output(JobsOut)
@signed_in(blueprint)
def list_jobs(query_data: JobsIn) -> dict[str, Any]:
    """List your jobs, newest first; experts and owners see those of the whole tenant."""
    state = State[query_data.state.upper()] if query_data.state else None
    which: dict[str, Any] = {"code": query_data.code, "before": query_data.before}
    with session_scope(caller().tenant_id) as session:
        found = jobs(session, caller(), most=query_data.limit, state=state, **which)
    return {"jobs": found, "next": found[-1].id if len(found) == query_data.limit else None}


@blueprint.post("/job/<number:id>/retry")
@blueprint.output(JobOut, status_code=202)
@signed_in(blueprint)
def retry_job(id: int) -> Work:
    """Try a failed job again from its first step; for who asked and for owners."""
    return try_again(caller(), "job", id)


@blueprint.delete("/job/<number:id>")
@blueprint.output(JobOut)
@signed_in(blueprint)
def delete_job(id: int) -> Job:
    """Cancel a job that is not over: it fails with the code `cancelled`, and its work stops."""
    return withdraw(caller(), id)


@blueprint.get("/job/result/<number:id>")
@blueprint.output(JobResultOut)
@signed_in(blueprint)
def get_job_result(id: int) -> dict[str, Any]:
    """See how a job ended: 200 once it is over, done or failed, and 404 until then.

    A published client polls for ever on anything but 200, so a failed job has to answer it too.
    """
    with session_scope(caller().tenant_id) as session:
        job = find_job(session, caller(), id)
        if job.state in (State.WAITING, State.RUNNING):
            raise RedtenError("job_not_over", f"job {id} is {job.status} ({job.step})")
        answers = answers_of_job(session, caller(), id)
    reply = {name: getattr(job, name) for name in SHOWN}
    done = job.state == State.DONE
    result_id = answers[0].id if done and answers else job.id
    return reply | {"id": result_id, "job_id": job.id, "msg": "success" if done else job.msg}
