"""Rows of a real server are brought out as they come, with their types."""

from sqlalchemy import create_engine, text

from ingest.database import Wanted, export
from ingest.load import Page, load
from tests.conftest import CLUSTER

QUERY = """
    select n as id, date '2024-05-01' as day, n * 1.50 as price, array[n, 2] as sizes,
        '{"a": 1}'::jsonb as data, 'ann%:x' as name, '\\xff'::bytea as photo
    from generate_series(1, 1500) as n
"""


def test_a_query_to_postgres_is_streamed(services, tmp_path):
    told: list[int] = []

    [source] = export(CLUSTER.admin_url, Wanted(QUERY, name="prices"), tmp_path, told.append)

    pages = [item for item in load(source.path, source.name) if isinstance(item, Page)]
    assert told == [1000, 500]
    assert pages[0].text.splitlines()[0] == (
        'id: 1; day: 2024-05-01; price: 1.50; sizes: [1, 2]; data: {"a": 1}; name: ann%:x; '
        "photo: (binary)"
    )


def test_tables_of_another_schema_can_be_named(services, tmp_path):
    engine = create_engine(CLUSTER.admin_url)
    with engine.begin() as connection:
        connection.execute(text("create schema shop"))
        connection.execute(text('create table shop."Prices" as select 1 as id'))
    try:
        [source] = export(
            CLUSTER.admin_url, Wanted(tables=["shop.Prices"]), tmp_path, lambda _: None
        )
    finally:
        with engine.begin() as connection:
            connection.execute(text("drop schema shop cascade"))
        engine.dispose()

    assert source.name.endswith(".shop.Prices.parquet")
