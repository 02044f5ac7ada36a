"""Jobs: a question is written down, sent, and answered later."""

from typing import Any

from apiflask import APIBlueprint

from api.asking import ASK, ask, withdraw
from api.auth import caller, signed_in
from api.questions import JobIn
from api.rag import reach
from api.replies import JobOut, JobResultOut
from models.answer import answers_of_job
from models.errors import RedtenError
from models.job import Job, find_job
from models.session import session_scope
from models.work import State

blueprint = APIBlueprint("jobs", __name__, tag="Jobs")

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
