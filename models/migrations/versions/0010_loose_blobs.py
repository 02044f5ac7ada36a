"""Files that no row refers to, yet or any more; and the triggers that note what rows leave."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

CURRENT = "nullif(current_setting('app.tenant_id', true), '')::int"

# What a deleted row has left. The files of a collection that goes are noted together: its folder.
LEFT = {
    "documents": "select g.tenant_id, g.blob from gone g"
    " where exists (select from collections c where c.id = g.collection_id)",
    "collections": "select tenant_id, format('documents/%s/', id) from gone",
    "users_data": "select tenant_id, sloc from gone",
    "embeddings": "select tenant_id, folder || '/' from gone",
}
# As the owner of the tables: cascades cross the wall, and so do their triggers.
LOOSEN = """
create function loosen_{table}() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into loose_blobs (tenant_id, place) {left} on conflict do nothing;
    return null;
end $$
"""
TRIGGER = """
create trigger loosen after delete on {table} referencing old table as gone
for each statement execute function loosen_{table}()
"""
OVERDUE_BLOBS = """
create function overdue_blobs(after_s double precision, most int)
returns table (tenant_id int, place text)
language sql stable security definer set search_path = public, pg_temp as $$
    select l.tenant_id, l.place::text from loose_blobs l
    where l.since < now() - make_interval(secs => after_s)
    order by l.since, l.place limit most
$$
"""
CALL = "overdue_blobs(double precision, int)"


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "loose_blobs",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("place", sa.String(length=1024), nullable=False),
        sa.Column("since", moment, server_default=sa.text("now()"), nullable=False),
        sa.Column("chosen", sa.Boolean(), server_default="false", nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "place", name=op.f("pk_loose_blobs")),
    )
    op.create_index(op.f("ix_loose_blobs_since"), "loose_blobs", ["since"])
    op.execute("grant select, insert, update, delete on loose_blobs to redten_app")
    op.execute("alter table loose_blobs enable row level security")
    op.execute(
        "create policy own_tenant on loose_blobs"
        f" using (tenant_id = {CURRENT}) with check (tenant_id = {CURRENT})"
    )
    for table, left in LEFT.items():
        op.execute(LOOSEN.format(table=table, left=left))
        op.execute(f"revoke execute on function loosen_{table}() from public")
        op.execute(TRIGGER.format(table=table))
    # It runs as the owner of the table, to whom the wall does not apply.
    op.execute(OVERDUE_BLOBS)
    op.execute(f"revoke execute on function {CALL} from public")
    op.execute(f"grant execute on function {CALL} to redten_app")


def downgrade() -> None:
    op.execute(f"drop function {CALL}")
    for table in LEFT:
        op.execute(f"drop trigger loosen on {table}")
        op.execute(f"drop function loosen_{table}()")
    op.drop_table("loose_blobs")
