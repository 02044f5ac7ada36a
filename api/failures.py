"""What has failed, of every kind of work, and another try for it."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from apiflask import APIBlueprint
from pydantic import AfterValidator, Field, StringConstraints

from api.auth import caller, signed_in
from api.replies import Out, Stamp
from api.schemas import In
from models.errors import RedtenError
from models.failures import Failure, failures, find_failure, input_blob, retry
from models.overdue import KINDS
from models.quota import check_documents, check_jobs
from models.session import session_scope
from models.tenant import Caller
from models.work import Work
from tasks import chains, events, telling
from tasks.blobs import get_blobs

blueprint = APIBlueprint("failures", __name__, tag="Failures")

QUOTAS = {
    "job": check_jobs,
    "embedding": check_jobs,
    "document": check_documents,
    "source": check_documents,
}

Kind = Literal["job", "document", "review", "source", "embedding"]
Code = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]
PLACE = re.compile(r"(\d{4}-\d\d-\d\dT[\d:.]{8,15}\+00:00)~([a-z]{1,16})~(\d{1,9})")


def _place(token: str) -> str:
    _taken_apart(token)
    return token


def _taken_apart(token: str) -> tuple[datetime, str, int]:
    """The place that `_token` names. Raises ValueError."""
    found = PLACE.fullmatch(token)
    if found is None:
        raise ValueError("after: give what an earlier page called `next`")
    return datetime.fromisoformat(found[1]), found[2], int(found[3])


def _token(failure: Failure) -> str:
    since, kind, id = failure.place
    return f"{since.isoformat()}~{kind}~{id}"


class WhichIn(In):
    """Which failures: of all kinds if none is named, with that code, after an earlier page."""

    kind: Kind | None = None
    code: Code | None = None
    after: Annotated[str, AfterValidator(_place)] | None = None


class FailuresIn(WhichIn):
    """A page of the list."""

    limit: Annotated[int, Field(ge=1, le=100)] = 50


class FailureOut(Out):
    """One piece of work that failed; `name` is its question, file name, address or text."""

    kind: str
    id: int
    name: str
    step: str | None
    attempt: int
    losses: int
    code: str | None
    msg: str | None
    since: Stamp


class FailuresOut(Out):
    """Newest first; `next` is where the next page begins, null after the last one."""

    failures: list[FailureOut]
    next: str | None
    msg: str = "success"


class RetriedOut(Out):
    """Work that has begun again, as that attempt."""

    kind: str
    id: int
    status: str
    step: str | None
    attempt: int
    msg: str = "success"


class RefusedOut(Out):
    """Work that cannot be tried again, and why."""

    kind: str
    id: int
    code: str
    message: str


class RetriedAllOut(Out):
    """What became of a page of failures; `next` is where the next one begins."""

    retried: list[RetriedOut]
    refused: list[RefusedOut]
    next: str | None
    msg: str = "success"


def _page(who: Caller, which: WhichIn, most: int) -> tuple[list[Failure], str | None]:
    after = _taken_apart(which.after) if which.after else None
    kinds = [which.kind] if which.kind else list(KINDS)
    with session_scope(who.tenant_id) as session:
        found = failures(session, who, kinds=kinds, most=most, code=which.code, after=after)
    return found, _token(found[-1]) if len(found) == most else None


@blueprint.get("/failures")
@blueprint.input(FailuresIn, location="query")
@blueprint.output(FailuresOut)
@signed_in(blueprint)
def list_failures(query_data: FailuresIn) -> dict[str, Any]:
    """List the work that failed: questions, documents, reviews, sources and files to embed.

    Your own; for experts and owners also what the tenant has asked, reviewed and shared.
    """
    found, following = _page(caller(), query_data, query_data.limit)
    return {"failures": found, "next": following}


@blueprint.post("/failures/<any(job, document, review, source, embedding):kind>/<number:id>/retry")
@blueprint.output(RetriedOut, status_code=202)
@signed_in(blueprint)
def retry_failure(kind: str, id: int) -> dict[str, Any]:
    """Try failed work again from its first step; for who asked for it and for owners."""
    return _retried(kind, try_again(caller(), kind, id))


@blueprint.post("/failures/retry")
@blueprint.input(WhichIn, location="query")
@blueprint.output(RetriedAllOut, status_code=202)
@signed_in(blueprint)
def retry_failures(query_data: WhichIn) -> dict[str, Any]:
    """Try a page of failures again, newest first, and say where the next page begins."""
    found, following = _page(caller(), query_data, 100)
    retried, refused = [], []
    for one in found:
        try:
            retried.append(_retried(one.kind, try_again(caller(), one.kind, one.id)))
        except RedtenError as error:
            told = {"code": error.code, "message": error.message}
            refused.append({"kind": one.kind, "id": one.id} | told)
    return {"retried": retried, "refused": refused, "next": following}


def _retried(kind: str, work: Work) -> dict[str, Any]:
    names = RetriedOut.model_fields.keys() - {"kind", "msg"}
    return {"kind": kind} | {name: getattr(work, name) for name in names}


def try_again(who: Caller, kind: str, id: int) -> Work:
    """Begins failed work anew and sends it; errors of `models.failures.retry`, `input_gone`."""
    with session_scope(who.tenant_id) as session:
        needed = input_blob(find_failure(session, who, kind, id))
        if check := QUOTAS.get(kind):
            check(session, who.tenant_id)
    if needed is not None:
        _require(needed)
    with session_scope(who.tenant_id) as session:
        moved = retry(session, who, kind, id)
    if kind == "job":
        # Whoever follows it from the beginning would stop at the end of the attempt that failed.
        events.forget(id)
        telling.tell_state(moved)
    if moved.step == moved.FIRST_STEP:
        chains.send(kind, moved.tenant_id, id, moved.attempt)
    return moved


def _require(blob: str) -> None:
    try:
        get_blobs().open(blob).close()
    except KeyError as error:
        raise RedtenError("input_gone", "its file is gone: send it anew") from error
