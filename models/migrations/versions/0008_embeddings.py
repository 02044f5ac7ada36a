"""Files of texts to be embedded, behind the wall, and in the sweep's view."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

CURRENT = "nullif(current_setting('app.tenant_id', true), '')::int"
MOMENT = sa.DateTime(timezone=True)
NOW = sa.text("now()")

OVERDUE_KIND = """
        select '{kind}', w.id, w.tenant_id, w.attempt, w.losses, w.state, w.step::text, w.since,
               exists (select from {table} r where r.state = 2 and r.step = w.step
                       and r.waited_since > w.since + make_interval(secs => waiting_s))
        from {table} w
        where (w.state = 2 and w.lease_until < now())
           or (w.state = 1 and w.since < now() - make_interval(secs => waiting_s)
               and w.step is distinct from 'read_sources')
"""
KINDS = {"job": "jobs", "document": "documents", "review": "reviews", "source": "sources"}


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
    _create_embeddings()
    op.execute("grant select, insert, update, delete on embeddings to redten_app")
    op.execute("alter table embeddings enable row level security")
    op.execute(
        "create policy own_tenant on embeddings"
        f" using (tenant_id = {CURRENT}) with check (tenant_id = {CURRENT})"
    )
    op.execute(overdue_work(KINDS | {"embedding": "embeddings"}))


def _create_embeddings() -> None:
    op.create_table(
        "embeddings",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=512), nullable=False),
        sa.Column("text_column", sa.String(length=256), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("embed_model_name", sa.String(length=256), nullable=False),
        sa.Column("size_in_bytes", sa.BigInteger(), nullable=False),
        sa.Column("folder", sa.String(length=128), nullable=False),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("total", sa.Integer(), server_default="0", nullable=False),
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
        sa.PrimaryKeyConstraint("id", name=op.f("pk_embeddings")),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_embeddings_tenant_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_embeddings_user_id"), ondelete="CASCADE"
        ),
    )
    op.create_index(op.f("ix_embeddings_user_id"), "embeddings", ["user_id"])
    op.create_index(
        "ix_embeddings_unfinished",
        "embeddings",
        ["since"],
        postgresql_where=sa.text("state in (1, 2)"),
    )


def downgrade() -> None:
    op.execute(overdue_work(KINDS))
    op.drop_table("embeddings")
