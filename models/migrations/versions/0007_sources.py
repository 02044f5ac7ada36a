"""Sources behind the wall: what each holds, its runs, and the questions that wait for them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

CURRENT = "nullif(current_setting('app.tenant_id', true), '')::int"
TABLES = ("sources", "source_runs", "source_items")
MOMENT = sa.DateTime(timezone=True)
NOW = sa.text("now()")

# One select of OVERDUE_WORK for each kind. What waits for sources is let go by READY_JOBS.
OVERDUE_KIND = """
        select '{kind}', w.id, w.tenant_id, w.attempt, w.losses, w.state, w.step::text, w.since,
               exists (select from {table} r where r.state = 2 and r.step = w.step
                       and r.waited_since > w.since + make_interval(secs => waiting_s))
        from {table} w
        where (w.state = 2 and w.lease_until < now())
           or (w.state = 1 and w.since < now() - make_interval(secs => waiting_s)
               and w.step is distinct from 'read_sources')
"""
KINDS = {"job": "jobs", "document": "documents", "review": "reviews"}
DUE_SOURCES = """
create function due_sources() returns table (id int, tenant_id int)
language sql stable security definer set search_path = public, pg_temp as $$
    select s.id, s.tenant_id from sources s
    where s.state in (3, 4) and s.next_run_at <= now() order by s.next_run_at
$$
"""
READY_JOBS = """
create function ready_jobs() returns table (id int, tenant_id int, attempt smallint)
language sql stable security definer set search_path = public, pg_temp as $$
    select j.id, j.tenant_id, j.attempt from jobs j
    where j.state = 1 and j.step = 'read_sources'
      and not exists (select from sources s
                      where s.collection_id = j.awaits_id and s.state in (1, 2))
      and not exists (select from documents d
                      where d.collection_id = j.awaits_id and d.state in (1, 2))
    order by j.id
$$
"""
FUNCTIONS = {"due_sources()": DUE_SOURCES, "ready_jobs()": READY_JOBS}


def overdue_work(kinds: dict[str, str]) -> str:
    """The function over these tables, in place of the one before."""
    selects = (OVERDUE_KIND.format(kind=kind, table=table) for kind, table in kinds.items())
    return f"""
        create or replace function overdue_work(waiting_s double precision)
        returns table (kind text, id int, tenant_id int, attempt smallint, losses smallint,
                       state smallint, step text, since timestamptz, overtaken boolean)
        language sql stable security definer set search_path = public, pg_temp as $$
            {" union all ".join(selects)}
            order by 8
        $$
    """


def upgrade() -> None:
    _create_sources()
    _create_runs()
    _create_items()
    for table in TABLES:
        op.execute(f"grant select, insert, update, delete on {table} to redten_app")
        op.execute(f"alter table {table} enable row level security")
        op.execute(
            f"create policy own_tenant on {table}"
            f" using (tenant_id = {CURRENT}) with check (tenant_id = {CURRENT})"
        )
    op.add_column(
        "documents", sa.Column("synced", sa.Boolean(), nullable=False, server_default="false")
    )
    op.add_column("jobs", sa.Column("awaits_id", sa.Integer(), nullable=True))
    op.create_foreign_key(
        op.f("fk_jobs_awaits_id"), "jobs", "collections", ["awaits_id"], ["id"], ondelete="SET NULL"
    )
    op.execute(overdue_work(KINDS | {"source": "sources"}))
    # They run as the owner of the tables, to whom the walls do not apply.
    for call, function in FUNCTIONS.items():
        op.execute(function)
        op.execute(f"revoke execute on function {call} from public")
        op.execute(f"grant execute on function {call} to redten_app")


def _belongs_to(table: str, target: str) -> sa.ForeignKeyConstraint:
    column = f"{target.removesuffix('s')}_id"
    name = op.f(f"fk_{table}_{column}")
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=name, ondelete="CASCADE")


def _create_sources() -> None:
    op.create_table(
        "sources",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("collection_id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(length=1024), nullable=False),
        sa.Column("prefix", sa.Text(), server_default="", nullable=False),
        sa.Column("every_s", sa.Integer(), nullable=True),
        sa.Column("next_run_at", MOMENT, nullable=True),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("step", sa.String(length=32), nullable=True),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("losses", sa.SmallInteger(), nullable=False),
        sa.Column("since", MOMENT, server_default=NOW, nullable=False),
        sa.Column("waited_since", MOMENT, nullable=True),
        sa.Column("lease_until", MOMENT, nullable=True),
        sa.Column("code", sa.String(length=64), nullable=True),
        sa.Column("msg", sa.Text(), nullable=True),
        sa.Column("created_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sources")),
        _belongs_to("sources", "tenants"),
        _belongs_to("sources", "collections"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_sources_owner_id")),
        sa.UniqueConstraint(
            "collection_id", "address", name=op.f("uq_sources_collection_id_address")
        ),
    )
    op.create_index("ix_sources_next_run_at", "sources", ["next_run_at"])
    op.create_index(
        "ix_sources_unfinished",
        "sources",
        ["since"],
        postgresql_where=sa.text("state in (1, 2)"),
    )


def _create_runs() -> None:
    counts = ("added", "changed", "unchanged", "removed", "failed")
    op.create_table(
        "source_runs",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("started_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        *(sa.Column(name, sa.Integer(), server_default="0", nullable=False) for name in counts),
        sa.Column("messages", postgresql.JSONB(), server_default="[]", nullable=False),
        sa.Column("code", sa.String(length=64), nullable=True),
        sa.Column("msg", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_runs")),
        _belongs_to("source_runs", "tenants"),
        _belongs_to("source_runs", "sources"),
    )
    op.create_index(op.f("ix_source_runs_source_id"), "source_runs", ["source_id"])


def _create_items() -> None:
    op.create_table(
        "source_items",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=512), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("content_sha256", sa.String(length=64), nullable=False),
        sa.Column("document_id", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("source_id", "name", name=op.f("pk_source_items")),
        _belongs_to("source_items", "tenants"),
        _belongs_to("source_items", "sources"),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["documents.id"],
            name=op.f("fk_source_items_document_id"),
            ondelete="SET NULL",
        ),
    )
    op.create_index(op.f("ix_source_items_document_id"), "source_items", ["document_id"])


def downgrade() -> None:
    op.execute("update jobs set state = 4, step = null where state = 1 and step = 'read_sources'")
    op.execute(overdue_work(KINDS))
    for call in FUNCTIONS:
        op.execute(f"drop function {call}")
    op.drop_constraint(op.f("fk_jobs_awaits_id"), "jobs")
    op.drop_column("jobs", "awaits_id")
    op.drop_column("documents", "synced")
    for table in reversed(TABLES):
        op.drop_table(table)
