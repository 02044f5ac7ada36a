"""Collections made for a question's own sources, which go when no question asks them any more."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# Each question has sources read that were not read lately, so `since` tells of its last one; a job
# may also have named the collection. What somebody keeps up to date or has filled stays.
UNUSED_COLLECTIONS = """
create function unused_collections(kept_s double precision)
returns table (id int, tenant_id int)
language sql stable security definer set search_path = public, pg_temp as $$
    with old as (
        select c.id, c.tenant_id, now() - make_interval(secs => kept_s) as since
        from collections c where c.ad_hoc and c.created_at < now() - make_interval(secs => kept_s)
    )
    select o.id, o.tenant_id from old o
    where not exists (
        select from sources s where s.collection_id = o.id
          and (s.state in (1, 2) or s.since > o.since or s.every_s is not null)
    ) and not exists (
        select from documents d where d.collection_id = o.id
          and (d.state in (1, 2) or (d.parent_id is null and not d.synced))
    ) and not exists (
        select from jobs j where (j.state in (1, 2) or j.created_at > o.since)
          and (o.id in (j.collection_id, j.awaits_id)
               or j.params -> 'collections' @> to_jsonb(o.id))
    )
    order by o.id
$$
"""


def upgrade() -> None:
    op.add_column(
        "collections", sa.Column("ad_hoc", sa.Boolean(), nullable=False, server_default="false")
    )
    # It runs as the owner of the tables, to whom the walls do not apply.
    op.execute(UNUSED_COLLECTIONS)
    op.execute("revoke execute on function unused_collections(double precision) from public")
    op.execute("grant execute on function unused_collections(double precision) to redten_app")


def downgrade() -> None:
    op.execute("drop function unused_collections(double precision)")
    op.drop_column("collections", "ad_hoc")
