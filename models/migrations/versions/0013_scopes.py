"""Scopes of service keys and when they were used, and the quotas of tenants."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

CURRENT = "nullif(current_setting('app.tenant_id', true), '')::int"
# What a key could do before it had scopes.
ALL = "{ask,read,ingest,review,deliver,manage}"
IN_FLIGHT = {"jobs": "state in (1, 2)", "documents": "state in (1, 2) and chunks is null"}

# Beside service_key_holder, by which code that is already running finds a key.
BEARER = """
create function service_key_bearer(hash text)
returns table (id int, user_id int, tenant_id int, scopes text[], noted boolean)
language sql stable security definer set search_path = public, pg_temp as $$
    select k.id, h.user_id, h.tenant_id, k.scopes,
           coalesce(k.last_used_at > now() - interval '1 minute', false)
    from service_key_holder(hash) h join service_keys k on k.secret_sha256 = hash
$$
"""
CALL = "service_key_bearer(text)"


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.add_column(
        "service_keys", sa.Column("scopes", ARRAY(sa.Text()), nullable=False, server_default=ALL)
    )
    op.add_column("service_keys", sa.Column("last_used_at", moment, nullable=True))
    # It runs as the owner of the tables, to whom the walls do not apply.
    op.execute(BEARER)
    op.execute(f"revoke execute on function {CALL} from public")
    op.execute(f"grant execute on function {CALL} to redten_app")
    _create_quotas()
    for table, where in IN_FLIGHT.items():
        op.create_index(
            f"ix_{table}_in_flight", table, ["tenant_id"], postgresql_where=sa.text(where)
        )
    op.create_index(
        "ix_documents_size", "documents", ["tenant_id"], postgresql_include=["size_in_bytes"]
    )


def _create_quotas() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "quotas",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("jobs", sa.Integer(), nullable=True),
        sa.Column("documents", sa.Integer(), nullable=True),
        sa.Column("storage_bytes", sa.BigInteger(), nullable=True),
        sa.Column("created_at", moment, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", moment, nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_quotas")),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_quotas_tenant_id"), ondelete="CASCADE"
        ),
    )
    op.execute("grant select, insert, update, delete on quotas to redten_app")
    op.execute("alter table quotas enable row level security")
    # To be read only: a tenant must not raise its own quota, whatever the application does.
    op.execute(f"create policy own_tenant on quotas for select using (tenant_id = {CURRENT})")


def downgrade() -> None:
    op.drop_index("ix_documents_size", "documents")
    for table in IN_FLIGHT:
        op.drop_index(f"ix_{table}_in_flight", table)
    op.drop_table("quotas")
    op.execute(f"drop function {CALL}")
    op.drop_column("service_keys", "last_used_at")
    op.drop_column("service_keys", "scopes")
