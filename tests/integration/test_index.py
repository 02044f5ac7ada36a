"""The task that gives grown collections their index, and gives way to everything else."""

import pytest

from models import partitions
from models.collection import Collection
from models.session import session_scope
from settings import settings
from tasks import index
from tests.integration.processes import session_value
from tests.integration.shelf import made_collection, move, put_document

LEAST = 100


@pytest.fixture(autouse=True)
def early(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Collections of a hundred chunks are large."""
    monkeypatch.setattr(index, "settings", settings.model_copy(update={"exact_below": LEAST}))


def put(collection: int, name: str, chunks: int) -> None:
    with session_scope(1) as session:
        texts = [f"{name} {number}" for number in range(chunks)]
        put_document(session, collection, name, texts)


def chunks_of(part: int) -> int:
    return session_value(f"select count(*) from chunks where part = {part}")


def test_what_has_grown_is_indexed_and_kept_so_until_it_is_deleted(admin):
    small, large = made_collection(admin, "small"), made_collection(admin, "large")
    put(small, "a.md", LEAST - 1)
    put(large, "a.md", LEAST)
    index.index_collections()
    assert (chunks_of(0), chunks_of(large)) == (LEAST - 1, LEAST)
    put(large, "b.md", LEAST)
    index.index_collections()
    assert (chunks_of(0), chunks_of(large)) == (LEAST - 1, 2 * LEAST)
    with session_scope(1) as session:
        session.query(Collection).where(Collection.id == large).delete()
    index.index_collections()
    assert session_value(f"select to_regclass('chunks_{large}_v1')") is None


def test_a_lock_that_is_held_puts_it_off(admin):
    made, other = made_collection(admin), made_collection(admin, "other")
    put(made, "a.md", LEAST)
    move(made)
    put(other, "a.md", LEAST)
    with session_scope(1) as session:
        session.query(Collection).where(Collection.id == made).delete()
    with session_scope(1) as reader:
        partitions.find_place(reader, made)
        reader.connection().exec_driver_sql("select count(*) from chunks")
        index.index_collections()
        assert session_value(f"select to_regclass('chunks_{made}_v1')::text") is not None
    assert chunks_of(other) == LEAST, "others need not wait for it"
    session_value(f"delete from collections where id = {other} returning id")
    index.index_collections()
    for gone in (made, other):
        assert session_value(f"select to_regclass('chunks_{gone}_v1')") is None
