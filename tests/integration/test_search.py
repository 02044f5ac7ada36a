"""Searches find what is there and only that, wherever the chunks lie."""

import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from models import partitions
from models.collection import Collection
from models.document import Document
from models.errors import RedtenError
from models.filters import Filters
from models.search import NO_FILTERS, neighbours, vector_candidates
from models.session import engine, session_scope
from models.tenant import Caller, Role, join
from models.user import add_user
from models.words import text_candidates, words_borne
from tests.integration.processes import session_value, until
from tests.integration.shelf import made_collection, move, put_document, vector

IDENTIFIERS = {
    "Is INV-2023-0042 paid?": "see invoice INV-2023-0042 of May",
    "what about 2024-0043": "or invoice INV-2024-0043 of June",
    "doi 10.1016/j.x.2020": "cited as 10.1016/j.x.2020, chapter 3",
    "who paid 1,234.5?": "the sum of $1234.5 was paid",
    "the total of 7654321": "in all 7,654,321 were counted",
    "std::vector": "a std::vector grows",
    "how does C++ do it": "written in C++ by hand",
    "set max_scan_tuples": "hnsw.max_scan_tuples limits it",
    "ef search": "hnsw.ef_search widens it",
    "Ünal's ship": "the Ship of Ünal",
}
TEXTS = [f"passage {number} of the harbour" for number in range(300)]
FILTERED = [
    (Filters(names=["reports/1*"]), {1}),
    (Filters(names=["reports/?.md"], tags=["t0", "t2"]), {0, 2}),
    (Filters(kinds=["markdown"], tags=["t2"]), {2}),
    (Filters(dated_from=datetime(2021, 1, 1, tzinfo=UTC)), {1, 2}),
    (Filters(dated_to=datetime(2021, 1, 1, tzinfo=UTC)), {0}),
    (Filters(pages=(2, 2)), {1}),
    (Filters(pages=(2, None)), {1, 2}),
    (Filters(meta={"harbour": ["h0", "h2"]}), {0, 2}),
    (Filters(meta={"harbour": ["h1"]}, pages=(1, 2)), {1}),
]


@pytest.fixture
def other(admin: Caller) -> Caller:
    """The owner of another tenant."""
    session_value(
        "insert into tenants (id, name) overriding system value values (2, 'other') returning id"
    )
    with session_scope(2) as session:
        user = add_user(session, "other@example.org", "-", 2)
        join(session, 2, user.id, Role.OWNER)
    return Caller(user.id, user.email, 2, Role.OWNER)


@pytest.fixture(params=["small", "indexed"])
def shelf(request: pytest.FixtureRequest, admin: Caller) -> int:
    """A collection of 300 chunks in three documents, in either place."""
    made = made_collection(admin)
    with session_scope(1) as session:
        for number in range(3):
            put_document(
                session,
                made,
                f"reports/{number}.md",
                TEXTS[number::3],
                page=number + 1,
                meta={"harbour": [f"h{number}"]},
                tags=[f"t{number}", "all"],
                kind="markdown",
                dated_at=datetime(2020 + number, 6, 1, tzinfo=UTC),
            )
    if request.param == "indexed":
        assert move(made) == 300
    return made


def found(collection: int, like: str, count: int = 10, filters: Filters = NO_FILTERS) -> list[str]:
    with session_scope(1) as session:
        hits = vector_candidates(session, {collection: vector(like)}, count, filters)
    return [hit.text for hit in hits]


def read(collection: int, question: str, filters: Filters = NO_FILTERS) -> list[str]:
    with session_scope(1) as session:
        return [hit.text for hit in text_candidates(session, [collection], question, 10, filters)]


def test_the_nearest_come_first_and_as_many_as_asked_for(shelf):
    expected = sorted(TEXTS, key=lambda text: -float(vector(text) @ vector("where")))[:50]
    hits = found(shelf, "where", 50)
    assert len(set(hits)) == 50
    assert len(set(hits) & set(expected)) >= 49
    assert hits[:3] == expected[:3]


def test_filters_let_through_what_they_say_and_always_enough_of_it(shelf):
    for filters, reports in FILTERED:
        wanted = {text for number in reports for text in TEXTS[number::3]}
        hits = found(shelf, "where", 100, filters)
        assert len(set(hits)) == 100, filters
        assert set(hits) <= wanted, filters
        words = read(shelf, "passages of harbours", filters)
        assert len(words) == 10, filters
        assert set(words) <= wanted, filters


def test_filters_that_nothing_passes_find_nothing(shelf):
    for filters in (
        Filters(names=["reports/%"]),
        Filters(names=["reports/_.md"]),
        Filters(tags=["t9"]),
        Filters(meta={"nothing": ["h1"]}),
        Filters(pages=(4, None)),
        Filters(tags=["t1"], pages=(1, 1)),
    ):
        assert found(shelf, "where", 10, filters) == [], filters
        assert read(shelf, "harbour", filters) == [], filters


def test_another_tenant_finds_nothing_in_either_place(shelf, other):
    theirs = made_collection(other, "theirs")
    with session_scope(2) as session:
        put_document(session, theirs, "own.md", ["passage 7 of the harbour"])
    with session_scope(2) as session:
        vectors = dict.fromkeys((shelf, theirs), vector(TEXTS[7]))
        hits = vector_candidates(session, vectors, 10)
        words = text_candidates(session, [shelf, theirs], TEXTS[7], 10)
        seen = session.scalar(
            text("select count(*) from chunks where collection_id <> :own"), {"own": theirs}
        )
    assert [hit.collection_id for hit in hits] == [theirs]
    assert [hit.collection_id for hit in words] == [theirs]
    assert seen == 0


def test_no_partition_can_be_read_past_the_wall(shelf):
    names = session_value(
        "select string_agg(relname, ',') from pg_class"
        " where relname like 'chunks_%' and relkind = 'r'"
    )
    for name in names.split(","):
        with engine().connect() as connection:
            allowed = connection.exec_driver_sql(
                f"select has_table_privilege('{name}', 'select, insert, update, delete')"
            ).scalar()
        assert allowed is False, name


def test_words_are_found_by_a_question_the_rarer_the_better(shelf):
    assert read(shelf, "What does passage 217 say?")[0] == TEXTS[217]


def test_identifiers_and_numbers_are_found(shelf):
    others = ["see invoice INV-2022-0041", "written in C by ear", "1 and 234 and 5"]
    with session_scope(1) as session:
        put_document(session, shelf, "identifiers.md", [*others, *IDENTIFIERS.values()])
    for question, answer in IDENTIFIERS.items():
        assert read(shelf, question)[0] == answer, question


def test_words_with_quotes_and_operators_are_words(shelf):
    assert read(shelf, "O'Brien & !harbour | 'x' \\ :* <-> 5")[:1]
    assert read(shelf, "... the of !?") == []


def test_what_comes_after_the_index_was_built_is_found_at_once(shelf):
    with session_scope(1) as session:
        put_document(session, shelf, "later.md", ["the lighthouse was painted"])
    assert found(shelf, "the lighthouse was painted", 1) == ["the lighthouse was painted"]
    assert read(shelf, "Who painted the lighthouse?") == ["the lighthouse was painted"]


def test_later_chunks_follow_into_the_index(admin):
    made = made_collection(admin)
    with session_scope(1) as session:
        put_document(session, made, "a.md", TEXTS[:200])
    move(made)
    with session_scope(1) as session:
        put_document(session, made, "b.md", TEXTS[200:])
    with session_scope() as session:
        assert partitions.crowded_collections(session, 100) == [(made, True)]
    with session_scope() as session:
        assert [partitions.fill_partition(session, made, 60) for _ in range(3)] == [60, 40, 0]
    assert session_value("select count(*) from chunks where part = 0") == 0
    assert found(made, TEXTS[250], 1) == [TEXTS[250]]
    assert set(found(made, "where", 300)) == set(TEXTS)


def test_a_large_collection_is_searched_by_its_index(admin):
    made = made_collection(admin)
    with session_scope(1) as session:
        put_document(session, made, "a.md", TEXTS)
    move(made)
    with session_scope(1) as session:
        session.execute(text("set local enable_sort = off"))
        vector_candidates(session, {made: vector("where")}, 10)
        session.execute(text("select pg_stat_force_next_flush()"))
    index = f"chunks_{made}_v1_embedding_idx"
    scans = f"select idx_scan from pg_stat_user_indexes where indexrelname = '{index}'"
    until(lambda: session_value(scans))


def test_what_is_removed_while_it_is_ranked_bears_no_word(shelf):
    with session_scope(1) as session:
        hits = vector_candidates(session, {shelf: vector("where")}, 3)
        session.query(Document).where(Document.id == hits[0].document_id).delete()
        borne = words_borne(session, hits, ["harbour"])
    gone = {hit.id for hit in hits if hit.document_id == hits[0].document_id}
    assert borne == {hit.id: set() if hit.id in gone else {"harbour"} for hit in hits}


def test_neighbours_are_of_the_same_document(shelf):
    with session_scope(1) as session:
        hits = vector_candidates(session, {shelf: vector(TEXTS[30])}, 1)
        near = neighbours(session, hits, before=1, after=2)
    assert [one.text for one in near] == [TEXTS[27], TEXTS[33], TEXTS[36]]


def test_a_vector_of_another_model_is_refused(shelf):
    with pytest.raises(RedtenError) as refused, session_scope(1) as session:
        vector_candidates(session, {shelf: vector("where", 4)}, 10)
    assert refused.value.code == "wrong_dimension"


def test_a_reader_finds_each_chunk_once_while_they_move(admin):
    made = made_collection(admin)
    with session_scope(1) as session:
        put_document(session, made, "a.md", TEXTS)
    counts, over = [], threading.Event()

    def look() -> None:
        while not over.is_set():
            counts.append(len(set(found(made, "where", 300))))

    reader = threading.Thread(target=look)
    reader.start()
    until(lambda: counts)
    move(made)
    seen = len(counts)
    until(lambda: len(counts) > seen + 3)
    over.set()
    reader.join()
    assert set(counts) == {300}


def test_a_document_that_goes_or_comes_while_chunks_move_is_in_its_right_place(admin):
    made = made_collection(admin)
    with session_scope(1) as session:
        goes = put_document(session, made, "goes.md", TEXTS[:50]).id
        again = put_document(session, made, "again.md", TEXTS[50:100]).id
        put_document(session, made, "stays.md", TEXTS[100:200])
    moving = threading.Thread(target=move, args=(made,))
    with session_scope(1) as session:
        session.query(Document).where(Document.id == goes).delete()
        assert Document.again(session, [again], 1)
        put_document(session, made, "comes.md", TEXTS[200:])
        moving.start()
        # It has copied what it sees, and waits for the documents that are locked here.
        until(lambda: session_value("select count(*) from pg_locks where not granted") > 0)
    moving.join()
    where = "select count(*) from chunks where part = {}"
    assert session_value(where.format(made)) == 100
    assert session_value(where.format(0)) == 150
    assert set(found(made, "where", 300)) == set(TEXTS[50:])


def test_a_document_on_its_way_keeps_its_collection_where_it_is(admin):
    made = made_collection(admin)
    with session_scope(1) as session:
        put_document(session, made, "a.md", TEXTS[:150])
        other = put_document(session, made, "b.md", TEXTS[150:]).id
    session_value(f"update documents set state = 1 where id = {other} returning id")
    with session_scope() as session:
        assert partitions.crowded_collections(session, 100) == []
        # But not for ever, where so much has come already.
        assert partitions.crowded_collections(session, 30) == [(made, False)]
        assert partitions.crowded_collections(session, 151) == []


def test_movers_do_not_wait_for_each_other(admin):
    made = made_collection(admin)
    with session_scope(1) as session:
        put_document(session, made, "a.md", TEXTS)
    with session_scope() as session:
        assert partitions.build_partition(session, made, 16, 0) == 300
        assert move(made) == 0
    assert found(made, TEXTS[5], 1) == [TEXTS[5]]


def test_a_deleted_collection_takes_its_partition_along(admin):
    made = made_collection(admin)
    with session_scope(1) as session:
        put_document(session, made, "a.md", TEXTS)
    move(made)
    with session_scope(1) as session:
        session.query(Collection).where(Collection.id == made).delete()
    with session_scope() as session:
        assert partitions.drop_partitions(session) == 1
    assert session_value(f"select to_regclass('chunks_{made}_v1')") is None
    assert session_value("select count(*) from chunks") == 0


def test_another_version_is_found_and_indexed_when_it_serves(admin):
    made = made_collection(admin)
    with session_scope(1) as session:
        put_document(session, made, "a.md", TEXTS[:100])
    move(made)
    with session_scope(1) as session:
        newer = put_document(session, made, "b.md", TEXTS[100:], version=2, dimensions=4)
    assert set(found(made, "where", 300)) == set(TEXTS[:100])
    session_value(f"update collections set version = 2 where id = {made} returning id")
    with session_scope(1) as session:
        hits = vector_candidates(session, {made: vector("where", 4)}, 300)
        assert {hit.document_id for hit in hits} == {newer.id}
    assert move(made) == 0  # the older version's partition has to go first
    with session_scope() as session:
        assert partitions.drop_partitions(session) == 1
    assert move(made) == 200
    with session_scope(1) as session:
        assert len(vector_candidates(session, {made: vector("where", 4)}, 300)) == 200
