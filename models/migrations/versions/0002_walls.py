"""The walls: a plain role, row-level security, and the few functions that may look over it."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

OWNED = ("memberships", "collections", "documents", "chunks", "jobs", "answers", "reviews")
CURRENT = "nullif(current_setting('app.tenant_id', true), '')::int"
PUBLIC = "(select id from collections where visibility = 'public')"

ROLE = """
do $$ begin
    if not exists (select from pg_roles where rolname = 'redten_app') then
        create role redten_app nologin nosuperuser nobypassrls;
    end if;
end $$
"""

MEMBERSHIPS_OF = """
create function memberships_of(who int)
returns table (tenant_id int, tenant text, role text)
language sql stable security definer set search_path = public, pg_temp as $$
    select t.id, t.name::text, m.role::text
    from memberships m join tenants t on t.id = m.tenant_id
    where m.user_id = who order by t.id
$$
"""

# One select of OVERDUE_WORK for each kind.
OVERDUE_KIND = """
        select '{kind}', w.id, w.tenant_id, w.attempt, w.losses, w.state, w.step::text, w.since,
               exists (select from {table} r where r.state = 2 and r.step = w.step
                       and r.waited_since > w.since + make_interval(secs => waiting_s))
        from {table} w
        where (w.state = 2 and w.lease_until < now())
           or (w.state = 1 and w.since < now() - make_interval(secs => waiting_s))
"""
KINDS = (("job", "jobs"), ("document", "documents"), ("review", "reviews"))
OVERDUE_WORK = f"""
create function overdue_work(waiting_s double precision)
returns table (kind text, id int, tenant_id int, attempt smallint, losses smallint,
               state smallint, step text, since timestamptz, overtaken boolean)
language sql stable security definer set search_path = public, pg_temp as $$
    {" union all ".join(OVERDUE_KIND.format(kind=kind, table=table) for kind, table in KINDS)}
    order by 8
$$
"""


def upgrade() -> None:
    op.execute(ROLE)
    op.execute("grant redten_app to current_user")
    op.execute("grant usage on schema public to redten_app")
    for table in OWNED:
        op.execute(f"grant select, insert, update, delete on {table} to redten_app")
        op.execute(f"alter table {table} enable row level security")
        op.execute(
            f"create policy own_tenant on {table}"
            f" using (tenant_id = {CURRENT}) with check (tenant_id = {CURRENT})"
        )
    op.execute("grant select on tenants to redten_app")
    op.execute("alter table tenants enable row level security")
    op.execute(f"create policy own_tenant on tenants using (id = {CURRENT})")
    op.execute("grant select, insert, update on users, users_tokens, epochs to redten_app")
    op.execute("create policy public_read on collections for select using (visibility = 'public')")
    for table in ("documents", "chunks"):
        op.execute(
            f"create policy public_read on {table} for select using (collection_id in {PUBLIC})"
        )
    # They run as the owner of the tables, to whom the walls do not apply.
    for function, call in (
        (MEMBERSHIPS_OF, "memberships_of(int)"),
        (OVERDUE_WORK, "overdue_work(double precision)"),
    ):
        op.execute(function)
        op.execute(f"revoke execute on function {call} from public")
        op.execute(f"grant execute on function {call} to redten_app")
    op.execute("insert into tenants (name) values ('default')")


def downgrade() -> None:
    op.execute("delete from tenants")
    for table in ("documents", "chunks", "collections"):
        op.execute(f"drop policy public_read on {table}")
    for table in (*OWNED, "tenants"):
        op.execute(f"drop policy own_tenant on {table}")
        op.execute(f"alter table {table} disable row level security")
        op.execute(f"revoke all on {table} from redten_app")
    op.execute("revoke all on users, users_tokens, epochs from redten_app")
    op.execute("drop function memberships_of(int)")
    op.execute("drop function overdue_work(double precision)")
