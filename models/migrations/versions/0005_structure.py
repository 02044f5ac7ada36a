"""Structure of documents, chunks in partitions, words beside vectors, collections with versions."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

FUNCTIONS = Path(__file__).parents[1] / "partitions.sql"
CURRENT = "nullif(current_setting('app.tenant_id', true), '')::int"
PUBLIC = "(select id from collections where visibility = 'public')"

# `part` is 0 for chunks_small, or the collection's id for its own partition.
PARTITIONED = """
create table chunks (
    part int not null default 0,
    id bigint not null default nextval('chunk_ids'),
    collection_id int not null,
    document_id int not null,
    position int not null,
    page int not null,
    text text not null,
    embedding halfvec not null,
    tenant_id int not null,
    version int not null default 1,
    heading text not null default '',
    locator jsonb not null default '{}',
    meta jsonb not null default '{}',
    lexemes tsvector not null default '',
    constraint pk_chunks primary key (part, id),
    constraint fk_chunks_collection_id foreign key (collection_id)
        references collections (id) on delete cascade,
    constraint fk_chunks_document_id foreign key (document_id)
        references documents (id) on delete cascade,
    constraint fk_chunks_tenant_id foreign key (tenant_id)
        references tenants (id) on delete cascade
) partition by list (part)
"""

MOVE = """
insert into chunks (id, collection_id, document_id, position, page, text, embedding, tenant_id,
                    locator, lexemes)
select c.id, c.collection_id, c.document_id, c.position, c.page, c.text, c.embedding::halfvec,
       c.tenant_id, jsonb_build_object('page', c.page),
       chunk_lexemes('english', d.name, '', c.text)
from chunks_before c join documents d on d.id = c.document_id
"""

# As models/naming.py has it for new ones: without it, these would be named by no question.
NAME = """
update documents d set naming =
    setweight(to_tsvector('english', named.words), 'A')
    || setweight(to_tsvector('simple', named.words), 'A')
    || setweight(to_tsvector('english', coalesce(named.beginning, '')), 'D')
from (
    select d.id, words || ' ' || plain_words(words) as words, (
        select array_to_string((regexp_split_to_array(btrim(c.text), '\\s+'))[1:100], ' ')
        from chunks c where c.document_id = d.id order by c.position limit 1
    ) as beginning
    from documents d, regexp_replace(d.name, '[\\W_]+', ' ', 'g') words
) named
where named.id = d.id
"""

# The collections that are being made anew, of all tenants.
REBUILDING = """
create function rebuilding() returns table (collection_id int, tenant_id int)
language sql stable security definer set search_path = public, pg_temp as $$
    select id, tenant_id from collections where rebuild is not null and not rebuild ? 'given_up'
$$
"""


def upgrade() -> None:
    column: sa.Column[Any]
    for column in (
        sa.Column("language", sa.String(32), nullable=False, server_default="english"),
        sa.Column("chunk_tokens", sa.SmallInteger(), nullable=False, server_default="200"),
        sa.Column("chunk_overlap", sa.SmallInteger(), nullable=False, server_default="30"),
        sa.Column("version", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("rebuild", postgresql.JSONB(), nullable=True),
    ):
        op.add_column("collections", column)
    for column in (
        sa.Column("version", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("parent_id", sa.Integer(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False, server_default=""),
        sa.Column("kind", sa.String(16), nullable=False, server_default=""),
        sa.Column("dated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), nullable=False, server_default="{}"),
        sa.Column("facts", postgresql.JSONB(), nullable=False, server_default="{}"),
        sa.Column("naming", postgresql.TSVECTOR(), nullable=False, server_default=""),
    ):
        op.add_column("documents", column)
    op.create_foreign_key(
        op.f("fk_documents_parent_id"),
        "documents",
        "documents",
        ["parent_id"],
        ["id"],
        ondelete="CASCADE",
    )
    op.create_index(op.f("ix_documents_parent_id"), "documents", ["parent_id"])
    # The same file in two messages is one document each, which goes with its message.
    op.drop_index("uq_documents_content", table_name="documents")
    op.create_index(
        "uq_documents_content",
        "documents",
        ["collection_id", "content_sha256", "parent_id"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("state <> 4"),
    )
    op.execute(REBUILDING)
    op.execute("revoke execute on function rebuilding() from public")
    op.execute("grant execute on function rebuilding() to redten_app")
    _partition()


def _partition() -> None:
    op.execute("alter table chunks rename to chunks_before")
    for name in ("pk_chunks", "fk_chunks_collection_id", "fk_chunks_document_id"):
        op.execute(f"alter table chunks_before drop constraint {name}")
    op.execute("alter table chunks_before drop constraint fk_chunks_tenant_id")
    op.execute("create sequence chunk_ids")
    op.execute("select setval('chunk_ids', coalesce((select max(id) from chunks_before), 0) + 1)")
    op.execute(PARTITIONED)
    op.execute("create table chunks_small partition of chunks for values in (0)")
    # As it is: neither `:` nor `%` is a parameter.
    op.get_bind().exec_driver_sql(FUNCTIONS.read_text(), execution_options={"no_parameters": True})
    op.execute(MOVE)
    op.execute("drop table chunks_before")
    op.create_index(op.f("ix_chunks_collection_id"), "chunks", ["collection_id"])
    op.create_index(op.f("ix_chunks_document_id"), "chunks", ["document_id", "position"])
    op.execute(NAME)
    op.execute("create index ix_chunks_small_version on chunks_small (collection_id, version)")
    op.execute("grant select, insert, update, delete on chunks to redten_app")
    op.execute("grant usage on sequence chunk_ids to redten_app")
    op.execute("alter table chunks enable row level security")
    op.execute(
        f"create policy own_tenant on chunks"
        f" using (tenant_id = {CURRENT}) with check (tenant_id = {CURRENT})"
    )
    op.execute(f"create policy public_read on chunks for select using (collection_id in {PUBLIC})")


def downgrade() -> None:
    op.execute("alter table chunks rename to chunks_after")
    op.execute("alter table chunks_after drop constraint pk_chunks")
    op.execute(
        "create table chunks (id bigint generated by default as identity constraint pk_chunks"
        " primary key, collection_id int not null, document_id int not null,"
        " position int not null, page int not null, text text not null,"
        " embedding vector not null, tenant_id int not null)"
    )
    op.execute(
        "insert into chunks select c.id, c.collection_id, c.document_id, c.position, c.page,"
        " c.text, c.embedding::vector, c.tenant_id from chunks_after c"
        " join collections s on s.id = c.collection_id and s.version = c.version"
    )
    op.execute(
        "select setval(pg_get_serial_sequence('chunks', 'id'),"
        " coalesce((select max(id) from chunks), 0) + 1)"
    )
    op.execute("drop table chunks_after")
    op.execute("drop sequence chunk_ids")
    for function in (
        "drop_partitions",
        "fill_partition",
        "build_partition",
        "crowded_collections",
        "matching_chunks",
        "word_chunks",
        "may_see",
        "chunk_lexemes",
        "plain_words",
        "identifiers",
        "word_query",
    ):
        op.execute(f"drop function {function}")
    for table in ("collections", "documents", "tenants"):
        column = f"{table.removesuffix('s')}_id"
        op.create_foreign_key(
            op.f(f"fk_chunks_{column}"), "chunks", table, [column], ["id"], ondelete="CASCADE"
        )
    op.create_index(op.f("ix_chunks_collection_id"), "chunks", ["collection_id"])
    op.create_index(op.f("ix_chunks_document_id"), "chunks", ["document_id"])
    op.execute("grant select, insert, update, delete on chunks to redten_app")
    op.execute("alter table chunks enable row level security")
    op.execute(
        f"create policy own_tenant on chunks"
        f" using (tenant_id = {CURRENT}) with check (tenant_id = {CURRENT})"
    )
    op.execute(f"create policy public_read on chunks for select using (collection_id in {PUBLIC})")
    op.execute("drop function rebuilding()")
    op.drop_index("uq_documents_content", table_name="documents")
    op.execute("delete from documents where parent_id is not null")
    op.create_index(
        "uq_documents_content",
        "documents",
        ["collection_id", "content_sha256"],
        unique=True,
        postgresql_where=sa.text("state <> 4"),
    )
    op.drop_index(op.f("ix_documents_parent_id"), table_name="documents")
    op.drop_constraint(op.f("fk_documents_parent_id"), "documents")
    for column in ("version", "parent_id", "title", "kind", "dated_at", "tags", "facts", "naming"):
        op.drop_column("documents", column)
    for column in ("language", "chunk_tokens", "chunk_overlap", "version", "rebuild"):
        op.drop_column("collections", column)
