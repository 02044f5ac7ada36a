"""Work makes only the moves that it may make, and what has failed is found quickly."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TABLES = ("jobs", "documents", "reviews", "sources", "embeddings")

# 1 waiting, 2 running, 3 done, 4 failed. It tells of wrong code; who owns the tables may repair
# by hand, as with the walls. A source's attempts begin anew after 30000 runs.
CHECK_WORK_MOVE = """
create function check_work_move() returns trigger
language plpgsql set search_path = public, pg_temp as $$
declare
    was_over constant boolean := old.state in (3, 4);
    is_new constant boolean := new.attempt = old.attempt + 1
        or (tg_table_name = 'sources' and new.attempt = old.attempt % 30000 + 1);
    refused text;
begin
    if new.state not in (1, 2, 3, 4) then
        refused := 'there is no such state';
    elsif was_over and new.state <> old.state and not (new.state = 1 and is_new)
        and not (tg_table_name = 'documents' and old.state = 4 and new.state = 3) then
        refused := 'what is over only begins again, as a new attempt';
    elsif new.attempt <> old.attempt and not (is_new and new.state = 1) then
        refused := 'a new attempt is the next one, and begins by waiting';
    elsif not was_over and new.losses <> old.losses
        and not (new.losses = old.losses + 1 and old.state = 2) then
        refused := 'losses grow one by one, while running';
    elsif new.state = 2 and (new.lease_until is null or new.step is null) then
        refused := 'running needs a step and a lease, or nobody would miss it';
    elsif new.state = 4 and new.code is null then
        refused := 'failed needs a code';
    end if;
    if refused is not null then
        raise exception '% %: from (state %, attempt %) to (state %, attempt %): %',
            tg_table_name, old.id, old.state, old.attempt, new.state, new.attempt, refused
            using errcode = 'check_violation';
    end if;
    return new;
end
$$
"""
WORK_MOVES = """
create trigger work_moves before update of state, attempt, losses on {table} for each row
when (current_user = 'redten_app'
      and (old.state, old.attempt, old.losses)
          is distinct from (new.state, new.attempt, new.losses))
execute function check_work_move()
"""


def upgrade() -> None:
    op.execute(CHECK_WORK_MOVE)
    for table in TABLES:
        op.add_column(
            table, sa.Column("resent", sa.SmallInteger(), server_default="0", nullable=False)
        )
        op.create_index(
            f"ix_{table}_failed",
            table,
            ["tenant_id", "since"],
            postgresql_where=sa.text("state = 4"),
        )
        op.execute(WORK_MOVES.format(table=table))
    op.create_index("ix_jobs_tenant_id", "jobs", ["tenant_id", "id"])


def downgrade() -> None:
    op.drop_index("ix_jobs_tenant_id", "jobs")
    for table in TABLES:
        op.execute(f"drop trigger work_moves on {table}")
        op.drop_index(f"ix_{table}_failed", table)
        op.drop_column(table, "resent")
    op.execute("drop function check_work_move()")
