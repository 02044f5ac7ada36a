"""Service keys, behind the wall, and the one function that finds a key's holder over it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

CURRENT = "nullif(current_setting('app.tenant_id', true), '')::int"
HOLDER = """
create function service_key_holder(hash text)
returns table (user_id int, tenant_id int)
language sql stable security definer set search_path = public, pg_temp as $$
    select k.user_id, k.tenant_id
    from service_keys k join users u on u.id = k.user_id
    where k.secret_sha256 = hash and k.revoked_at is null and u.state = 0
      and (k.expires_at is null or k.expires_at > now())
$$
"""
CALL = "service_key_holder(text)"


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "service_keys",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("hint", sa.String(length=16), nullable=False),
        sa.Column("expires_at", moment, nullable=True),
        sa.Column("revoked_at", moment, nullable=True),
        sa.Column("created_at", moment, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", moment, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_keys")),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenants.id"],
            name=op.f("fk_service_keys_tenant_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_service_keys_user_id"), ondelete="CASCADE"
        ),
        sa.UniqueConstraint("secret_sha256", name=op.f("uq_service_keys_secret_sha256")),
    )
    op.create_index(op.f("ix_service_keys_user_id"), "service_keys", ["user_id"])
    op.execute("grant select, insert, update, delete on service_keys to redten_app")
    op.execute("alter table service_keys enable row level security")
    op.execute(
        "create policy own_tenant on service_keys"
        f" using (tenant_id = {CURRENT}) with check (tenant_id = {CURRENT})"
    )
    # It runs as the owner of the table, to whom the wall does not apply.
    op.execute(HOLDER)
    op.execute(f"revoke execute on function {CALL} from public")
    op.execute(f"grant execute on function {CALL} to redten_app")


def downgrade() -> None:
    op.execute(f"drop function {CALL}")
    op.drop_table("service_keys")
