"""Rows of every kind for a tenant, each with the tenant's mark in all that it says."""

import secrets
from typing import Any

from sqlalchemy.orm import Session

from models.answer import Answer
from models.collection import Visibility, add_collection
from models.embedding import Embedding
from models.invitation import invite
from models.job import Job
from models.one_time_password import add_one_time_password
from models.review import Review
from models.service_key import add_key
from models.session import session_scope
from models.source import add_source, open_run
from models.source_item import SourceItem
from models.tenant import Caller, Role
from models.user import User
from models.user_data import add_data
from models.verification import add_verification
from models.work import State
from tasks import events
from tasks.blobs import get_blobs
from tests.integration.places import Place
from tests.integration.processes import session_value, until
from tests.integration.shelf import put_document

PUBLIC = "everybody may read this"
DIMENSIONS = 384  # as the model has that embeds the questions


def let_in(session: Session, place: Place, last: User) -> None:
    """What the tenant's doors know of: a key, an invitation, secrets of that user's, limits."""
    key, secret = add_key(session, place.people[Role.OWNER], f"key {place.mark}", None)
    place.people["key"], place.tokens["key"] = place.people[Role.OWNER], secret
    place.ids["key"].append(key.id)
    made = invite(session, place.people[Role.OWNER], f"invited@{place.label}.org", Role.MEMBER)
    place.ids["invitation"].append(made.invitation.id)
    place.ids["invitation_secret"].append(made.token)
    place.ids["one_time_password"].append(add_one_time_password(session, last)[1])
    add_verification(session, last)
    loosen = "insert into loose_blobs (tenant_id, place) values ({}, '{}') returning tenant_id"
    session_value(loosen.format(place.id, place.mark))
    session_value(f"insert into quotas (tenant_id) values ({place.id}) returning tenant_id")


def shelve(place: Place, who: Caller, visibility: Visibility, number: int) -> None:
    """A collection with a document and a source."""
    public = visibility is Visibility.PUBLIC
    name = f"shelf {number} {secrets.token_hex(4) if public else place.label}"
    said = PUBLIC if public else place.mark
    with session_scope(place.id) as session:
        collection = add_collection(session, who, name, visibility, f"notes {said}")
        texts = [f"The tower is {said} high.", f"Fees are {said}."]
        document = put_document(
            session, collection.id, f"{said}.md", texts, dimensions=DIMENSIONS, title=said
        )
        source = add_source(session, who, collection, f"/srv/{place.mark}", prefix=place.mark)
        assert source is not None
        source.state, source.step = State.DONE, None
        run = open_run(session, source)
        run.msg = place.mark
        session.add(_item(place, source.id, document.id))
    place.ids["public" if public else "collection"] += [collection.id, name]
    if not public:
        place.ids["document"].append(document.id)
    place.ids["source"].append(source.id)


def _item(place: Place, source_id: int, document_id: int) -> SourceItem:
    return SourceItem(
        tenant_id=place.id,
        source_id=source_id,
        name=f"{place.mark}.md",
        version=place.mark,
        content_sha256="0" * 64,
        document_id=document_id,
    )


def hold(session: Session, place: Place, who: Caller) -> None:
    """Rows of the person's own: a job that waits, one that is over, and what came of it."""
    mine: dict[str, Any] = {"tenant_id": place.id, "user_id": who.user_id}
    states = (State.DONE, State.WAITING, State.FAILED)
    over, waits, failed = (_job(place, mine, state) for state in states)
    session.add_all([over, waits, failed])
    session.flush()
    answer = Answer(
        **mine,
        job_id=over.id,
        origin="chain",
        question=place.mark,
        answer=place.mark,
        match_content=place.mark,
        session_id=over.session_id,
        data={"said": place.mark},
    )
    session.add(answer)
    session.flush()
    session.add(_review(place, who, answer.id))
    place.ids["job"] += [over.id, waits.id]
    place.ids["failed"].append(failed.id)
    place.ids["answer"].append(answer.id)
    place.ids["session"].append(over.session_id)
    _hold_files(session, place, who)
    for job in (over, waits, failed):
        _tell(job.id, place.mark)


def _job(place: Place, mine: dict[str, Any], state: State) -> Job:
    return Job(
        **mine,
        worker_id=1,
        job_type=1,
        question=place.mark,
        session_id=secrets.token_hex(16),
        derived_session_id=secrets.token_hex(16),
        data={"said": place.mark},
        tags=place.mark,
        msg=place.mark,
        state=state,
        step=Job.FIRST_STEP if state == State.WAITING else None,
    )


def _review(place: Place, who: Caller, answer_id: int) -> Review:
    return Review(
        tenant_id=place.id,
        answer_id=answer_id,
        reviewer_id=who.user_id,
        answer=place.mark,
        confidence=50.0,
        notes=place.mark,
        state=State.DONE,
    )


def _hold_files(session: Session, place: Place, who: Caller) -> None:
    """Data of the person's own, and a file whose vectors are there to be fetched."""
    blob = f"data/{place.mark}/{who.user_id}"
    described = dict.fromkeys(("comments", "data_type", "encoding"), place.mark)
    content = place.mark.encode()
    data = add_data(
        session,
        who,
        filename=f"{place.mark}.txt",
        size_in_bytes=len(content),
        content_sha256="0" * 64,
        sloc=get_blobs().location(blob),
        **described,
    )
    made = Embedding(
        tenant_id=place.id,
        user_id=who.user_id,
        name=f"{place.mark}.txt",
        text_column=place.mark,
        kind="document",
        embed_model_name="m",
        size_in_bytes=1,
        folder=f"embeddings/{place.mark}/{who.user_id}",
        state=State.DONE,
    )
    session.add(made)
    session.flush()
    for key in (blob, made.vectors_blob):
        get_blobs().put_stream(key, [content])
    place.ids["data"].append(data.id)
    place.ids["embedding"].append(made.id)


def _tell(job_id: int, mark: str) -> None:
    """What its stream keeps of a job; over at once, so that who follows it need not wait."""
    events.emit(job_id, "token", {"text": mark})
    events.emit(job_id, "score", {"said": mark})
    until(lambda: len(events.latest(job_id, "+", 2)) == 2)
