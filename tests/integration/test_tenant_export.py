"""A tenant taken along whole: what is in the archive, and what is not."""

import json
import tarfile
import threading

import pytest

from api import events, tenant_archive
from client.archive import check
from models.tenant_export import SECRETS, owned_tables
from tasks.blobs import get_blobs
from tests.integration.processes import session_value
from tests.integration.tenancy import founded, joined
from tests.integration.tenant_rows import CONTENT, as_file, counts, filled
from tests.integration.tenant_rows import owned_tables as tables_of_database

EXPORT = "/tenant/export"


@pytest.fixture
def acme(http):
    """The headers of the owner of a tenant with a row in every table."""
    who = founded(http, "ACME", "ann@example.org")
    filled(http, who)
    return who


def sent(http, who):
    """The archive as it comes."""
    with http.get(EXPORT, headers=who) as reply:
        assert reply.status_code == 200, reply.json
        return reply.data


def exported(http, who):
    """The members of the archive, in order."""
    with tarfile.open(fileobj=as_file(sent(http, who)), mode="r:gz") as archive:
        return {one.name: archive.extractfile(one).read() for one in archive}


def rows(archive, table):
    return [json.loads(line) for line in archive[f"tables/{table}.jsonl"].splitlines()]


def test_every_row_of_every_table_is_in_it_and_no_others(http, acme, owner):
    held = counts(int(acme["X-Redten-Tenant"]))
    assert all(count > 0 for table, count in held.items() if table != "loose_blobs")
    archive = exported(http, acme)
    for table, count in held.items():
        found = rows(archive, table)
        assert len(found) == count, table
        assert {str(row["tenant_id"]) for row in found} <= {acme["X-Redten-Tenant"]}
    assert {table.name for table in owned_tables()} == tables_of_database()


def test_private_collections_files_and_the_people_are_in_it(http, acme):
    joined(http, acme, "bob@example.org")
    archive = exported(http, acme)
    assert [row["name"] for row in rows(archive, "collections")] == ["diary"]
    assert [row["text"] for row in rows(archive, "chunks")] == ["oil", "wick"]
    files = {name: held for name, held in archive.items() if name.startswith("files/")}
    assert {name.split("/")[1] for name in files} == {"documents", "users_data", "embeddings"}
    assert set(files.values()) == {CONTENT}
    people = {row["email"]: row["role"] for row in rows(archive, "members")}
    assert people == {"ann@example.org": "owner", "bob@example.org": "member"}


def test_neither_secrets_nor_what_is_computed_from_the_rest_are_in_it(http, acme):
    hashes = session_value(
        "select array_agg(h) from (select secret_sha256 h from service_keys"
        " union select token_sha256 from invitations union select password from users) s"
    )
    whole = b"".join(exported(http, acme).values()).decode()
    assert not any(one in whole for one in hashes)
    assert {"embedding", "lexemes"}.isdisjoint(rows(exported(http, acme), "chunks")[0])


def test_a_column_that_looks_like_a_secret_is_known_as_one():
    """Whoever adds a hash of something has to say whether it may leave the house."""
    named = {column.name for table in owned_tables() for column in table.columns}
    looks = {name for name in named if name.endswith("_sha256") or "password" in name}
    assert looks - {"content_sha256"} <= SECRETS


def test_the_manifest_comes_last_and_tells_of_all_others(http, acme, tmp_path):
    path = tmp_path / "acme.tar.gz"
    path.write_bytes(sent(http, acme))
    manifest = check(path)
    archive = exported(http, acme)
    assert list(archive)[-1] == "manifest.json"
    assert set(manifest.files) == set(archive) - {"manifest.json"}
    assert manifest.tenant == {"id": int(acme["X-Redten-Tenant"]), "name": "ACME"}
    assert manifest.rows["chunks"] == 2
    assert manifest.missing == []


def test_all_rows_are_of_one_moment(http, acme, monkeypatch):
    read = tenant_archive.rows
    late = threading.Event()

    def reading(session, table, tenant_id):
        if not late.is_set():
            late.set()
            session_value(
                "insert into answers (tenant_id, user_id, origin, answer)"
                f" select {tenant_id}, user_id, 'remote', 'too late' from memberships"
                f" where tenant_id = {tenant_id} returning 1"
            )
        return read(session, table, tenant_id)

    monkeypatch.setattr(tenant_archive, "rows", reading)
    assert [row["answer"] for row in rows(exported(http, acme), "answers")] == ["oil"]
    assert late.is_set()


def test_a_file_that_is_gone_is_told_of(http, acme):
    where = session_value("select blob from documents where tenant_id <> 1")
    get_blobs().remove_one(where)
    archive = exported(http, acme)
    id = session_value("select id from documents where tenant_id <> 1")
    assert json.loads(archive["manifest.json"])["missing"] == [f"files/documents/{id}"]


def test_only_owners_export(http, acme):
    for role in ("expert", "member", "agent"):
        who = joined(http, acme, f"{role}@example.org", role)
        assert http.get(EXPORT, headers=who).status_code == 403


def test_an_export_takes_a_stream_and_gives_it_back(http, acme, monkeypatch):
    one = threading.BoundedSemaphore(1)
    monkeypatch.setattr(events, "_free", one)
    for _ in range(2):
        exported(http, acme)
    one.acquire()
    refused = http.get(EXPORT, headers=acme)
    assert (refused.status_code, refused.json["code"]) == (503, "too_many_streams")


def test_an_export_that_the_end_of_the_process_cuts_off_is_not_whole(
    http, acme, monkeypatch, tmp_path
):
    from client.errors import ClientError

    looks = iter([False] * 5)
    monkeypatch.setattr(tenant_archive, "is_stopping", lambda: next(looks, True))
    path = tmp_path / "acme.tar.gz"
    path.write_bytes(sent(http, acme))
    with pytest.raises(ClientError, match="not whole"):
        check(path)
