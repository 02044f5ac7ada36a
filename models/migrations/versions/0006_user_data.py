"""Files that users upload, behind the wall."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

CURRENT = "nullif(current_setting('app.tenant_id', true), '')::int"


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "users_data",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("filename", sa.String(length=512), nullable=False),
        sa.Column("size_in_bytes", sa.BigInteger(), nullable=False),
        sa.Column("content_sha256", sa.String(length=64), nullable=False),
        sa.Column("comments", sa.String(length=512), nullable=False),
        sa.Column("data_type", sa.String(length=64), nullable=False),
        sa.Column("encoding", sa.String(length=64), nullable=False),
        sa.Column("sloc", sa.String(length=1024), nullable=False),
        sa.Column("created_at", moment, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", moment, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users_data")),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_users_data_tenant_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_users_data_user_id"), ondelete="CASCADE"
        ),
        sa.UniqueConstraint("sloc", name=op.f("uq_users_data_sloc")),
    )
    op.create_index(op.f("ix_users_data_user_id"), "users_data", ["user_id"])
    op.execute("grant select, insert, update, delete on users_data to redten_app")
    op.execute("alter table users_data enable row level security")
    op.execute(
        "create policy own_tenant on users_data"
        f" using (tenant_id = {CURRENT}) with check (tenant_id = {CURRENT})"
    )


def downgrade() -> None:
    op.drop_table("users_data")
