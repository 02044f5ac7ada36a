"""One tenant's rows are not there for another, in any table."""

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from models.answer import Answer
from models.collection import Collection, Visibility, add_collection, find_collection
from models.document import Document, add_document
from models.embedding import Embedding
from models.errors import RedtenError
from models.invitation import invite
from models.job import Job
from models.loose_blob import loosen
from models.overdue import overdue_work
from models.review import Review
from models.search import vector_candidates
from models.service_key import add_key
from models.session import session_scope
from models.source import add_source, open_run
from models.source_item import put_item
from models.tenant import Caller, Role, join
from models.user import add_user
from models.user_data import add_data
from tests.integration.processes import session_value
from tests.integration.storing import put_texts

OTHER = 2
UPLOADED = {
    "filename": "a.txt",
    "size_in_bytes": 1,
    "content_sha256": "0" * 64,
    "comments": "",
    "data_type": "",
    "encoding": "",
    "sloc": "data/a",
}
TO_EMBED = {
    "name": "a.txt",
    "text_column": "",
    "kind": "document",
    "embed_model_name": "m",
    "size_in_bytes": 1,
    "folder": "embeddings/a",
    "step": Embedding.FIRST_STEP,
}


@pytest.fixture
def other(admin: Caller) -> Caller:
    """The owner of another tenant, with a row of their own in every table."""
    session_value(
        "insert into tenants (id, name) overriding system value values (2, 'other') returning id"
    )
    session_value("insert into quotas (tenant_id, jobs) values (2, 100) returning jobs")
    with session_scope(OTHER) as session:
        user = add_user(session, "other@example.org", "-", OTHER)
        join(session, OTHER, user.id, Role.OWNER)
    caller = Caller(user.id, user.email, OTHER, Role.OWNER)
    _fill(caller)
    return caller


def made(collection: Collection) -> Document:
    """A document that was just uploaded."""
    return Document(
        tenant_id=collection.tenant_id,
        collection_id=collection.id,
        name="a.md",
        content_sha256="0" * 64,
        size_in_bytes=1,
        blob="documents/a",
        step="load_document",
    )


def _fill(caller: Caller) -> None:
    with session_scope(caller.tenant_id) as session:
        collection = add_collection(session, caller, "theirs", Visibility.TENANT)
        invite(session, caller, "guest@example.org", Role.MEMBER)
        add_key(session, caller, "theirs", None)
        add_data(session, caller, **UPLOADED)
        loosen(session, OTHER, "data/b")
        session.add(Embedding(tenant_id=OTHER, user_id=caller.user_id, **TO_EMBED))
        source = add_source(session, caller, collection, "/srv/docs")
        assert source is not None
        open_run(session, source)
        mine = {"tenant_id": caller.tenant_id, "user_id": caller.user_id}
        document, _ = put_item(session, source, "a.md", "1", made(collection))
        put_texts(session, document, "text")
        job = Job(
            **mine,
            worker_id=1,
            job_type=1,
            question="?",
            session_id="s",
            derived_session_id="d",
            step="start_job",
        )
        answer = Answer(**mine, origin="remote")
        session.add_all([job, answer])
        session.flush()
        session.add(
            Review(
                tenant_id=caller.tenant_id,
                answer_id=answer.id,
                reviewer_id=caller.user_id,
                step="start_review",
            )
        )


def _owned_tables() -> list[str]:
    return str(
        session_value(
            "select string_agg(table_name, ',') from information_schema.columns"
            " join pg_class on oid = table_name::regclass and not relispartition"
            " where column_name = 'tenant_id' and table_schema = 'public'"
        )
    ).split(",")


def test_every_table_of_a_tenant_is_behind_the_wall(other):
    tables = _owned_tables()
    assert set(tables) >= {"collections", "documents", "chunks", "jobs", "answers", "reviews"}
    for table in tables:
        assert session_value(f"select count(*) from {table} where tenant_id = 2") > 0, table
        for tenant in (1, None):
            with session_scope(tenant) as session:
                seen = session.scalar(text(f"select count(*) from {table} where tenant_id = 2"))
                changed = session.execute(text(f"delete from {table} where tenant_id = 2")).rowcount
            assert (seen, changed) == (0, 0), table


def test_nobody_reaches_chunks_past_the_wall_through_a_partition(other):
    with pytest.raises(ProgrammingError, match="permission denied"), session_scope(1) as session:
        session.execute(text("select count(*) from chunks_small"))


def test_a_row_cannot_be_put_into_another_tenant(other, admin):
    with pytest.raises(ProgrammingError, match="row-level security"), session_scope(1) as session:
        session.add(
            Collection(
                tenant_id=OTHER,
                owner_id=admin.user_id,
                name="x",
                visibility="private",
                embed_model_name="m",
            )
        )


def test_the_tenant_of_a_transaction_does_not_stay_with_the_connection(other):
    with session_scope(OTHER) as session:
        assert session.query(Job).count() == 1
    for _ in range(12):  # as often as the pool has connections
        with session_scope() as session:
            assert session.query(Job).count() == 0


def test_public_collection_is_read_and_not_written_by_other_tenants(other, admin):
    with session_scope(1) as session:
        collection = find_collection(session, admin, "embed-security")
        document, _ = add_document(session, made(collection))
        put_texts(session, document, "shared")

    with session_scope(OTHER) as session:
        found = find_collection(session, other, "embed-security")
        [hit] = vector_candidates(session, {found.id: np.ones(4, np.float32)}, 3)
        assert hit.text == "shared"
        assert session.query(Document).where(Document.id == document.id).delete() == 0


def test_another_tenants_collection_is_not_found_by_name_or_id(other, admin):
    with session_scope(OTHER) as session:
        theirs = find_collection(session, other, "theirs").id
    for ref in ("theirs", str(theirs)):
        with pytest.raises(RedtenError) as refused, session_scope(1) as session:
            find_collection(session, admin, ref)
        assert refused.value.code == "collection_not_found"


def test_private_collection_is_not_there_for_a_colleague(admin):
    with session_scope(1) as session:
        colleague = add_user(session, "colleague@example.org", "-", 1)
        join(session, 1, colleague.id, Role.OWNER)
        add_collection(session, admin, "diary", Visibility.PRIVATE)
    with pytest.raises(RedtenError) as refused, session_scope(1) as session:
        find_collection(session, Caller(colleague.id, "", 1, Role.OWNER), "diary")
    assert refused.value.code == "collection_not_found"


def test_the_sweep_sees_unfinished_work_of_all_tenants(other):
    with session_scope() as session:
        found = overdue_work(session, -1.0)
    assert {(work.kind, work.tenant_id) for work in found} == {
        ("job", OTHER),
        ("document", OTHER),
        ("review", OTHER),
        ("source", OTHER),
        ("embedding", OTHER),
    }
