"""A row of a tenant's in every table, with its files."""

import io
from typing import Any

from flask.testing import FlaskClient

from models.answer import Answer
from models.collection import Visibility, add_collection
from models.review import Review
from models.session import session_scope
from models.source import add_source, open_run
from models.source_item import SourceItem
from models.tenant import Caller, Role
from tasks.blobs import get_blobs
from tests.integration.door import ask, send
from tests.integration.processes import session_value
from tests.integration.shelf import put_document
from tests.integration.tenancy import Headers, invited

CONTENT = b"the lamp burns oil"


def filled(http: FlaskClient, who: Headers) -> Caller:
    """Who owns the tenant, and has filled it."""
    tenant_id = int(who["X-Redten-Tenant"])
    user_id = session_value(
        f"select user_id from memberships where tenant_id = {tenant_id} and role = 'owner'"
    )
    caller = Caller(user_id, "", tenant_id, Role.OWNER)
    invited(http, who, "guest@example.org")
    send(http, "POST", "/keys", {"name": "nightly"}, who)
    http.post("/user/data", data=CONTENT, headers=who | {"filename": "a.txt"})
    http.post("/embed/files?name=a.txt", data=CONTENT, headers=who)
    ask(http, who, "?")
    session_value(f"insert into quotas (tenant_id, jobs) values ({tenant_id}, 9) returning 1")
    _fill(caller)
    return caller


def _fill(caller: Caller) -> None:
    with session_scope(caller.tenant_id) as session:
        collection = add_collection(session, caller, "diary", Visibility.PRIVATE)
        document = put_document(session, collection.id, "lamp.txt", ["oil", "wick"])
        document.blob = f"documents/{collection.id}/lamp"
        source = add_source(session, caller, collection, "/srv/docs")
        assert source is not None
        open_run(session, source)
        mine = {"tenant_id": caller.tenant_id}
        item = {"name": "lamp.txt", "version": "1", "content_sha256": "0" * 64}
        session.add(SourceItem(**mine, source_id=source.id, **item))
        answer = Answer(**mine, user_id=caller.user_id, origin="remote", answer="oil")
        session.add(answer)
        session.flush()
        review: dict[str, Any] = {"answer_id": answer.id, "reviewer_id": caller.user_id}
        session.add(Review(**mine, **review, step=Review.FIRST_STEP))
    get_blobs().put_stream(document.blob, iter([CONTENT]))


def owned_tables() -> set[str]:
    """Every table with a tenant in it, as the database tells."""
    return set(
        session_value(
            "select array_agg(table_name::text) from information_schema.columns"
            " join pg_class on oid = table_name::regclass and not relispartition"
            " where column_name = 'tenant_id' and table_schema = 'public' and relkind in ('r', 'p')"
        )
    )


def counts(tenant_id: int) -> dict[str, int]:
    """Rows of the tenant's by table."""
    rows = "select count(*) from {} where tenant_id = {}"
    return {table: session_value(rows.format(table, tenant_id)) for table in owned_tables()}


def as_file(content: bytes) -> io.BytesIO:
    """For what reads files."""
    return io.BytesIO(content)
