"""Results: fetched, delivered by remote agents, reviewed, searched."""

import hashlib
import json
from typing import Any

from apiflask import APIBlueprint
from flask import request
from sqlalchemy.orm import Session

from api.auth import caller, signed_in
from api.replies import AnswerOut, ReviewsOut, SearchOut
from api.schemas import AnswerIn, ReviewIn, SearchIn
from models.answer import (
    REMOTE,
    Answer,
    add_answer,
    answer_of_job,
    answers_of_job,
    delivered,
    lock_answer,
    writable,
)
from models.collection import find_collection
from models.errors import RedtenError
from models.job import find_job
from models.review import Review, add_review, newest_reviews, reviews_of
from models.session import session_scope
from tasks import chains

blueprint = APIBlueprint("answers", __name__, tag="Results")

REVIEW_FIELDS = ("reviewed_answer", "reviewed_score", "reviewed_notes")
LONGEST_KEY = 100


def shown(session: Session, answers: list[Answer]) -> list[dict[str, Any]]:
    """Records with the newest review of each."""
    reviews = newest_reviews(session, [answer.id for answer in answers])
    return [_record(answer, reviews.get(answer.id)) for answer in answers]


def _record(answer: Answer, review: Review | None) -> dict[str, Any]:
    reviewed = (review.answer, review.confidence, review.notes) if review else (None, None, None)
    record = {
        name: getattr(answer, name)
        for name in AnswerOut.model_fields
        if not name.startswith("reviewed_")
    }
    record |= dict(zip(REVIEW_FIELDS, reviewed, strict=True))
    return record | {"reviewed_computed_score": review.computed_score if review else None}


@blueprint.get("/ai/result/<number:job_id>")
@blueprint.output(AnswerOut)
@signed_in(blueprint)
def get_result(job_id: int) -> dict[str, Any]:
    """Fetch the newest result of a job, by the id of the job."""
    with session_scope(caller().tenant_id) as session:
        return shown(session, [answer_of_job(session, caller(), job_id)])[0]


@blueprint.get("/ai/result/<number:job_id>/reviews")
@blueprint.output(ReviewsOut)
@signed_in(blueprint)
def get_reviews(job_id: int) -> dict[str, Any]:
    """List every review of a job's newest result, newest first."""
    with session_scope(caller().tenant_id) as session:
        answer = answer_of_job(session, caller(), job_id)
        return {"reviews": reviews_of(session, answer.id)}


@blueprint.post("/ai/result/search")
@blueprint.input(SearchIn)
@blueprint.output(SearchOut)
@signed_in(blueprint)
def search_results(json_data: SearchIn) -> dict[str, Any]:
    """Find the results of a job; none is an empty list."""
    with session_scope(caller().tenant_id) as session:
        found = answers_of_job(session, caller(), json_data.job_id)
        return {"query": json_data.query, "recs": shown(session, found)}


@blueprint.post("/ai/result")
@blueprint.input(AnswerIn)
@blueprint.output(AnswerOut, status_code=201)
@signed_in(blueprint)
def create_result(json_data: AnswerIn) -> dict[str, Any]:
    """Deliver a result that was made elsewhere; the same delivery twice is stored once.

    Two are the same if their `Idempotency-Key` is, or without one their whole content.
    """
    with session_scope(caller().tenant_id) as session:
        if json_data.job_id is not None:
            find_job(session, caller(), json_data.job_id)
        key = _dedupe_key(json_data)
        values = json_data.model_dump(exclude=set(REVIEW_FIELDS))
        values |= _origin(session, json_data, key)
        answer = add_answer(session, **values)
        review = _review(session, answer.id, json_data) if answer else None
        answer = answer or delivered(session, caller().user_id, key)
        reply = shown(session, [answer])[0]
    _send(review)
    return reply


def _origin(session: Session, record: AnswerIn, key: str) -> dict[str, Any]:
    """The owner is the holder of the token, whatever the body says."""
    try:
        found = find_collection(session, caller(), record.collection) if record.collection else None
    except RedtenError:
        found = None  # a remote agent may have searched a collection that is not here
    return {
        "tenant_id": caller().tenant_id,
        "user_id": caller().user_id,
        "origin": REMOTE,
        "dedupe_key": key,
        "collection_id": found.id if found else None,
    }


def _dedupe_key(record: AnswerIn) -> str:
    sent = request.headers.get("Idempotency-Key")
    if sent:
        if len(sent) > LONGEST_KEY:
            raise RedtenError("bad_idempotency_key", f"at most {LONGEST_KEY} characters")
        return f"key:{sent}"
    content = json.dumps(record.model_dump(), sort_keys=True)
    return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"


@blueprint.put("/ai/result")
@blueprint.input(ReviewIn)
@blueprint.output(AnswerOut)
@signed_in(blueprint)
def review_result(json_data: ReviewIn) -> dict[str, Any]:
    """Attach an expert's answer and confidence (0–100) to a result.

    Clients send the whole record back: null means unchanged, and what a review may not change
    is ignored. The same review twice is one.
    """
    with session_scope(caller().tenant_id) as session:
        answer = lock_answer(session, caller(), json_data.id)
        for name in writable(answer):
            value = getattr(json_data, name)
            if value is not None and value != getattr(answer, name):
                setattr(answer, name, value)
        review = _review(session, answer.id, json_data)
        session.flush()
        session.refresh(answer)
        reply = shown(session, [answer])[0]
    _send(review)
    return reply


def _review(session: Session, answer_id: int, record: AnswerIn | ReviewIn) -> Review | None:
    said = [getattr(record, name) for name in REVIEW_FIELDS]
    who = caller()
    return add_review(session, who.tenant_id, who.user_id, answer_id, *said)


def _send(review: Review | None) -> None:
    """Has the computed score worked out, once the review is committed."""
    if review:
        chains.send("review", review.tenant_id, review.id, review.attempt)
