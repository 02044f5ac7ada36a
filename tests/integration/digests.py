"""What tells whether anything of a tenant has changed: its rows, its people, its files."""

from local import postgres
from tasks.blobs import get_blobs
from tests.conftest import CLUSTER
from tests.integration.places import Place

# Tables without a tenant's rows; people are looked at by their own id.
SHARED_TABLES = {"adapters", "alembic_version", "epochs", "model_aliases", "models"}
THEIRS = {
    "tenant_id": "tenant_id = any(%(tenants)s)",
    "user_id": "user_id = any(%(people)s)",
    "users": "id = any(%(people)s)",
    "tenants": "id = any(%(tenants)s)",
}
BY_COLUMN = """
select c.relname, max(a.attname) filter (where a.attname = 'tenant_id'),
       max(a.attname) filter (where a.attname = 'user_id')
from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
where c.relkind in ('r', 'p') and not c.relispartition and c.relnamespace = 'public'::regnamespace
group by c.relname order by c.relname
"""


def digests_beside(place: Place, world: list[Place]) -> dict[str, str]:
    """A digest of each table's rows of other tenants and people, and each file of theirs."""
    others = [one for one in world if one is not place]
    people = {id for one in others for id in one.user_ids} - {*place.user_ids}
    whose = {"tenants": [one.id for one in others], "people": list(people)}
    digests = {}
    with CLUSTER.connect(postgres.DATABASE) as connection:
        for table, tenant, user in connection.execute(BY_COLUMN.encode()).fetchall():
            which = THEIRS.get(table) or THEIRS.get(tenant or user or "")
            assert which or table in SHARED_TABLES, f"whose are the rows of {table}?"
            if which:
                [digest] = connection.execute(_digest(table, which), whose).fetchall()[0]
                assert digest, f"tests/integration/rows.py makes no row of {table}"
                digests[table] = digest
    root = get_blobs().root  # type: ignore[attr-defined]
    files = [path for path in root.rglob("*") if path.is_file()]
    theirs = [path for path in files if any(one.mark in str(path) for one in others)]
    return digests | {str(path): path.read_text() for path in theirs}


def _digest(table: str, which: str) -> bytes:
    rows = f"select md5(t::text) one from {table} t where {which}"
    return f"select md5(string_agg(one, '' order by one)) from ({rows}) rows".encode()
