"""Search in a million chunks beside an exact scan, and beside plain HNSW on one shared table.

The vectors are those of real texts (sections and sentences of PubMedQA's abstracts), used again:
each is one text's vector plus up to as much of another's, plus noise of a tenth of its length. The
queries are the vectors of PubMedQA's own questions. `--chunks 20000` shows that it works.
"""

import argparse
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pgvector import HalfVector
from pgvector.psycopg import register_vector

from benchmarks.database import database
from benchmarks.questions import documents
from benchmarks.report import Figure, write

Vectors = npt.NDArray[np.float32]
Connection = Any
K, QUERIES, TEXTS, PER_DOCUMENT, PAGES = 10, 100, 4_000, 100, 20
LARGE, SMALL = 1, 2  # collections, and the tenants that they belong to
SENTENCE = re.compile(r"(?<=[.!?])\s+")
STAGE = """
create table texts (number int primary key, body text, lexemes tsvector);
create table stage (number int, text int, embedding halfvec);
"""
ROWS = """
insert into tenants (name) values ('small') on conflict do nothing;
insert into users (email, password, default_tenant_id) values ('bench@example.org', '', 1);
insert into collections (tenant_id, owner_id, name, visibility, embed_model_name)
select tenant, 1, 'bench', 'tenant', 'm' from generate_series(1, 2) tenant order by tenant;
insert into documents (tenant_id, collection_id, name, content_sha256, size_in_bytes, blob, state,
                       attempt, losses, chunks, tags)
select o.id, o.id, 'd' || n, n::text, 1, 'b', 3, 1, 0, {per}, array['t' || n % 2, 'h' || n % 100]
from (values (1, {large}), (2, {small})) o (id, chunks),
     generate_series(0, (o.chunks - 1) / {per}) n order by o.id, n;
insert into chunks (tenant_id, collection_id, document_id, position, page, text, embedding, lexemes)
select d.tenant_id, d.collection_id, d.id, s.number % {per}, s.number % {pages} + 1, t.body,
       s.embedding, t.lexemes
from stage s join texts t on t.number = s.text join documents d on d.id = s.number / {per} + 1
order by s.number;
create table peer as select tenant_id, document_id, id, embedding::halfvec(384) from chunks
where tenant_id = 2 or id % 5 = 0;
drop table stage;
"""


def texts() -> list[str]:
    """Different texts, of a section or of a sentence each."""
    sections = [part for one in documents() for part in one.text.split("\n")]
    sentences = [sentence for part in sections for sentence in SENTENCE.split(part)]
    return list(dict.fromkeys(text for text in sections + sentences if len(text) > 40))[:TEXTS]


def put(connection: Connection, chunks: int, base: Vectors, bodies: Sequence[str]) -> None:
    """Rows of two tenants, the second with 1 % of what the first has."""
    drawn = np.random.default_rng(0)
    small = chunks // PER_DOCUMENT
    connection.execute(STAGE)
    for number, body in enumerate(bodies):
        connection.execute(
            "insert into texts values (%s, %s, chunk_lexemes('english', '', '', %s))",
            (number, body, body),
        )
    with connection.cursor().copy("copy stage from stdin with (format binary)") as copy:
        copy.set_types(["int4", "int4", "halfvec"])
        for number in range(chunks + small):
            first, second = drawn.integers(len(base), size=2)
            noise = drawn.normal(size=base.shape[1])
            vector = base[first] + drawn.random() * base[second]
            vector += 0.1 * noise / np.linalg.norm(noise)
            copy.write_row((number, int(first), HalfVector(vector / np.linalg.norm(vector))))
    filled = ROWS.format(large=chunks, small=small, per=PER_DOCUMENT, pages=PAGES)
    for statement in filled.split(";\n"):
        connection.execute(statement)
    connection.execute("vacuum analyze")


def exact(connection: Connection, where: str) -> Callable[[Vectors], list[int]]:
    """The nearest by a scan of all rows, with as many processes as Postgres takes."""
    statement = f"select id from chunks where {where} order by embedding <#> %s limit {K}"  # noqa: S608

    def nearest(query: Vectors) -> list[int]:
        return [id for (id,) in connection.execute(statement, (HalfVector(query),))]

    return nearest


def ours(collection: int, count: int = K, **filters: Any) -> Callable[[Vectors], list[int]]:
    """The nearest as redten finds them, as the plain role and with all columns read."""
    from models.filters import Filters
    from models.search import vector_candidates
    from models.session import session_scope

    def nearest(query: Vectors) -> list[int]:
        with session_scope(collection) as session:
            found = vector_candidates(session, {collection: query}, count, Filters(**filters))
        return [one.id for one in found]

    return nearest


def words(collection: int, count: int) -> Callable[[str], list[int]]:
    """The chunks that match a question best by its words."""
    from models.session import session_scope
    from models.words import text_candidates

    def matching(question: str) -> list[int]:
        with session_scope(collection) as session:
            return [one.id for one in text_candidates(session, [collection], question, count)]

    return matching


def timed(search: Callable[[Any], list[int]], query: Any) -> tuple[float, list[int]]:
    """Milliseconds, and what was found."""
    began = time.perf_counter()
    found = search(query)
    return 1000 * (time.perf_counter() - began), found


def compared(
    one: Callable[[Vectors], list[int]], truth: Callable[[Vectors], list[int]], queries: Vectors
) -> tuple[float, float, float, int]:
    """p95 of both in milliseconds, taken in turn; recall; and the fewest results of the first."""
    times, scans, recalls, counts = [], [], [], []
    for query in queries:
        took, found = timed(one, query)
        scan, right = timed(truth, query)
        times.append(took)
        scans.append(scan)
        recalls.append(len(set(found[:K]) & set(right)) / max(1, len(right)))
        counts.append(len(found))
    p95 = [float(np.percentile(values, 95)) for values in (times, scans)]
    return p95[0], p95[1], float(np.mean(recalls)), min(counts)


def built() -> float:
    """Seconds until the large collection has its partition and its indexes."""
    from models.partitions import build_partition
    from models.session import session_scope
    from settings import settings

    began = time.monotonic()
    with session_scope() as session:
        build_partition(session, LARGE, settings.index_memory_mb, 2)
    return time.monotonic() - began


def size_mb(connection: Connection, index: str) -> float:
    """Megabytes of an index of the large collection's partition."""
    [size] = connection.execute(
        "select pg_relation_size(indexrelid) from pg_stat_user_indexes"
        " where relname = 'chunks_1_v1' and indexrelname like %s",
        (f"%{index}%",),
    ).fetchone()
    return float(size) / 2**20


def large(connection: Connection, queries: Vectors, questions: Sequence[str]) -> list[Figure]:
    """The large collection: time, recall, and what its index costs."""
    seconds = built()
    connection.execute("vacuum analyze chunks_small")
    scan = exact(connection, f"part = {LARGE}")
    compared(ours(LARGE), scan, queries[:5])
    took, scanned, recall, _ = compared(ours(LARGE), scan, queries)
    depth = np.percentile([timed(ours(LARGE, 100), query)[0] for query in queries], 95)
    lexical = np.percentile([timed(words(LARGE, 100), one)[0] for one in questions], 95)
    paged = exact(connection, f"part = {LARGE} and page = 3")
    _, _, filtered, fewest = compared(ours(LARGE, pages=(3, 3)), paged, queries[:30])
    beside = f"exact scan, p95 {scanned:.1f} ms"
    return [
        _figure("search p95 ÷ exact scan p95", took / scanned, "<= 0.05", beside),
        _figure("recall@10", recall, ">= 0.98", "exact scan"),
        _figure("search p95, ms", took, "reported", beside),
        _figure("search p95 for 100 candidates, ms", float(depth), "reported", beside),
        _figure("words p95 for 100 candidates, ms", float(lexical), "reported", beside),
        _figure("recall@10, one page of 20", filtered, ">= 0.98", "exact scan with the filter"),
        _figure("fewest results, one page of 20", fewest, f">= {K}", "10 asked for"),
        _figure("seconds to index", seconds, "reported", "moved, HNSW and GIN built"),
        _figure("HNSW index, MB", size_mb(connection, "embedding"), "reported", "776 bytes a row"),
    ]


def tenant(connection: Connection, queries: Vectors) -> list[Figure]:
    """The tenant with 1 % of the rows, with a filter that lets half of them through."""
    halves = f"(select id from documents where collection_id = {SMALL} and 't1' = any (tags))"  # noqa: S608
    truth = exact(connection, f"collection_id = {SMALL} and document_id in {halves}")
    _, _, recall, fewest = compared(ours(SMALL, tags=["t1"]), truth, queries)
    plain = _plain(connection, f"tenant_id = {SMALL} and document_id in {halves}")
    _, _, lost, least = compared(plain, truth, queries)
    beside = f"plain HNSW on a table with a fifth of the rest: recall {lost:.3f}, fewest {least}"
    return [
        _figure("a tenant with 1 %, filtered: recall@10", recall, ">= 0.99", beside),
        _figure("a tenant with 1 %, filtered: fewest results", fewest, f">= {K}", beside),
    ]


def _plain(connection: Connection, where: str) -> Callable[[Vectors], list[int]]:
    """One table of both tenants with an index as pgvector makes it by default.

    It has a fifth of the large one's rows, so that it is built in time, which is to its advantage.
    """
    connection.execute("set maintenance_work_mem = '1GB'")
    connection.execute("create index on peer using hnsw (embedding halfvec_ip_ops)")
    connection.execute("analyze peer")
    statement = f"select id from peer where {where} order by embedding <#> %s limit {K}"  # noqa: S608
    connection.execute("set enable_seqscan = off")

    def nearest(query: Vectors) -> list[int]:
        return [id for (id,) in connection.execute(statement, (HalfVector(query),))]

    return nearest


def _figure(what: str, value: float, aim: str, peer: str) -> Figure:
    return Figure(figure=what, value=round(value, 4), aim=aim, peer=peer)


def main() -> None:
    """Fills a database, measures, and writes the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=1_000_000)
    chunks = parser.parse_args().chunks
    with database() as cluster, cluster.connect("redten") as connection:
        from engines.embedder import get_embedder

        register_vector(connection)
        bodies, questions = texts(), [one.question for one in documents()[:QUERIES]]
        vectors = get_embedder().embed([*bodies, *questions])
        base, queries = vectors[: len(bodies)], vectors[len(bodies) :]
        put(connection, chunks, base, bodies)
        figures = [*large(connection, queries, questions), *tenant(connection, queries)]
    if chunks >= 1_000_000:
        write("vectors", figures)
    else:
        print(
            *(f"{one['value']:>12.3f}  {one['figure']} ({one['peer']})" for one in figures),
            sep="\n",
        )


if __name__ == "__main__":
    main()
