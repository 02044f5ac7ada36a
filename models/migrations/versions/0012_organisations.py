"""Invitations to tenants, and tenants that close; several may go by the same name."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

CURRENT = "nullif(current_setting('app.tenant_id', true), '')::int"

# `open` is and-ed in, so that nobody gets into a tenant that closes.
MEMBERSHIPS_OF = """
create or replace function memberships_of(who int)
returns table (tenant_id int, tenant text, role text)
language sql stable security definer set search_path = public, pg_temp as $$
    select t.id, t.name::text, m.role::text
    from memberships m join tenants t on t.id = m.tenant_id
    where m.user_id = who {open} order by t.id
$$
"""
OPEN = "and t.closing_at is null"

FUNCTIONS = {
    "create_tenant(text, int)": """
create function create_tenant(called text, maker int) returns int
language sql volatile security definer set search_path = public, pg_temp as $$
    with made as (insert into tenants (name) values (called) returning id)
    insert into memberships (tenant_id, user_id, role)
    select id, maker, 'owner' from made returning tenant_id
$$
""",
    # Whose secret it is decides, so it tells of one invitation only, and of none that is void.
    "invitation_of(text)": """
create function invitation_of(hash text)
returns table (id int, tenant_id int, tenant text, email text, role text)
language sql stable security definer set search_path = public, pg_temp as $$
    select i.id, i.tenant_id, t.name::text, i.email::text, i.role::text
    from invitations i join tenants t on t.id = i.tenant_id
    where hash in (i.token_sha256, i.mailed_sha256)
      and i.withdrawn_at is null and t.closing_at is null
      and (i.accepted_at is not null or i.expires_at > now())
$$
""",
    "closing_tenants()": """
create function closing_tenants() returns table (id int)
language sql stable security definer set search_path = public, pg_temp as $$
    select t.id from tenants t where t.closing_at is not null order by t.closing_at
$$
""",
    # What is left of its rows goes by the foreign keys.
    "remove_tenant(int)": """
create function remove_tenant(wanted int) returns boolean
language sql volatile security definer set search_path = public, pg_temp as $$
    with gone as (
        delete from tenants where id = wanted and id <> 1 and closing_at is not null returning id
    )
    select exists (select from gone)
$$
""",
}


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.add_column("tenants", sa.Column("closing_at", moment, nullable=True))
    # A name that is taken would tell of a tenant that one does not belong to.
    op.drop_constraint(op.f("uq_tenants_name"), "tenants")
    op.create_table(
        "invitations",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("mailed_sha256", sa.String(length=64), nullable=True),
        sa.Column("invited_by", sa.Integer(), nullable=True),
        sa.Column("accepted_by", sa.Integer(), nullable=True),
        sa.Column("expires_at", moment, nullable=False),
        sa.Column("accepted_at", moment, nullable=True),
        sa.Column("withdrawn_at", moment, nullable=True),
        sa.Column("created_at", moment, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", moment, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_invitations_tenant_id"), ondelete="CASCADE"
        ),
        *(
            sa.ForeignKeyConstraint(
                [column], ["users.id"], name=op.f(f"fk_invitations_{column}"), ondelete="SET NULL"
            )
            for column in ("invited_by", "accepted_by")
        ),
        *(
            sa.UniqueConstraint(column, name=op.f(f"uq_invitations_{column}"))
            for column in ("token_sha256", "mailed_sha256")
        ),
    )
    op.create_index(op.f("ix_invitations_tenant_id"), "invitations", ["tenant_id"])
    op.execute("grant select, insert, update, delete on invitations to redten_app")
    op.execute("alter table invitations enable row level security")
    op.execute(
        "create policy own_tenant on invitations"
        f" using (tenant_id = {CURRENT}) with check (tenant_id = {CURRENT})"
    )
    op.execute("grant update (name, closing_at, updated_at) on tenants to redten_app")
    op.execute(MEMBERSHIPS_OF.format(open=OPEN))
    # They run as the owner of the tables, to whom the walls do not apply.
    for call, function in FUNCTIONS.items():
        op.execute(function)
        op.execute(f"revoke execute on function {call} from public")
        op.execute(f"grant execute on function {call} to redten_app")


def downgrade() -> None:
    for call in FUNCTIONS:
        op.execute(f"drop function {call}")
    op.execute(MEMBERSHIPS_OF.format(open=""))
    op.execute("revoke update (name, closing_at, updated_at) on tenants from redten_app")
    op.drop_table("invitations")
    op.execute(
        "update tenants set name = left(name, 110) || ' ' || id where name in"
        " (select name from tenants group by name having count(*) > 1)"
    )
    op.create_unique_constraint(op.f("uq_tenants_name"), "tenants", ["name"])
    op.drop_column("tenants", "closing_at")
