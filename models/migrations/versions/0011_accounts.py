"""One-time passwords, links that verify emails, and who is the last owner of what."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# Two owners who leave at once come one after the other: the second statement sees what the first
# one had to wait for.
SOLE_OWNERSHIPS = """
create function sole_ownerships(who int)
returns table (tenant_id int, tenant text)
language plpgsql volatile security definer set search_path = public, pg_temp as $$
#variable_conflict use_column
begin
    perform from memberships m
    where m.role = 'owner'
      and m.tenant_id in (select o.tenant_id from memberships_of(who) o where o.role = 'owner')
    order by m.tenant_id, m.user_id for update;
    return query
    select o.tenant_id, o.tenant from memberships_of(who) o
    where o.role = 'owner' and not exists (
        select from memberships m join users u on u.id = m.user_id
        where m.tenant_id = o.tenant_id and m.role = 'owner' and m.user_id <> who and u.state = 0
    );
end $$
"""
END_KEYS_OF = """
create function end_keys_of(who int) returns void
language sql volatile security definer set search_path = public, pg_temp as $$
    update service_keys set revoked_at = now() where user_id = who and revoked_at is null
$$
"""
FUNCTIONS = {"sole_ownerships(int)": SOLE_OWNERSHIPS, "end_keys_of(int)": END_KEYS_OF}


def upgrade() -> None:
    _add_table("users_otp", "consumed_at")
    _add_table("users_verified", "verified_at")
    op.execute("grant delete on users_tokens to redten_app")
    op.create_index(op.f("ix_users_tokens_expires_at"), "users_tokens", ["expires_at"])
    # It runs as the owner of the tables, to whom the walls do not apply.
    for call, function in FUNCTIONS.items():
        op.execute(function)
        op.execute(f"revoke execute on function {call} from public")
        op.execute(f"grant execute on function {call} to redten_app")


def _add_table(name: str, used_at: str) -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        name,
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.Column(used_at, moment, nullable=True),
        sa.Column("created_at", moment, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", moment, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f(f"fk_{name}_user_id"), ondelete="CASCADE"
        ),
        sa.UniqueConstraint("token_sha256", name=op.f(f"uq_{name}_token_sha256")),
    )
    op.create_index(op.f(f"ix_{name}_user_id"), name, ["user_id"])
    op.execute(f"grant select, insert, update, delete on {name} to redten_app")


def downgrade() -> None:
    for call in FUNCTIONS:
        op.execute(f"drop function {call}")
    op.drop_index(op.f("ix_users_tokens_expires_at"), "users_tokens")
    op.execute("revoke delete on users_tokens from redten_app")
    op.drop_table("users_verified")
    op.drop_table("users_otp")
