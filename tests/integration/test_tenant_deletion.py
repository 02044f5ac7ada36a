"""A tenant that is deleted: shut at once, and then nothing is left of it."""

from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from models.partitions import drop_partitions
from models.session import session_scope
from tasks import closing
from tasks.blobs import FolderBlobs
from tasks.loose import remove_for_good, remove_old_work
from tests.conftest import LAYOUT
from tests.integration.door import ask, log_in, send
from tests.integration.processes import FAKE, asked, session_value, until, workers
from tests.integration.shelf import move
from tests.integration.tenancy import accepted, founded, invited, joined
from tests.integration.tenant_rows import counts, filled

TENANT = "X-Redten-Tenant"


@pytest.fixture
def acme(http):
    """The headers of the owner of a tenant of their own."""
    return founded(http, "ACME", "ann@example.org")


def deleted(http, who, name="ACME"):
    return send(http, "DELETE", f"/tenant?name={name}", headers=who)


def files():
    return sorted(path for path in LAYOUT.blobs.rglob("*") if path.is_file())


def let_the_clock_come():
    """What is noted as loose is old enough to be removed by the clock."""
    noted = "select coalesce(array_agg(array[tenant_id::text, place]), '{}') from loose_blobs"
    for tenant_id, place in session_value(noted):
        remove_for_good(int(tenant_id), place)


def left(tenant: Any) -> dict[str, int]:
    """Tables that still have rows of it."""
    return {table: count for table, count in counts(int(tenant)).items() if count}


def test_nothing_is_left_in_any_table_nor_in_the_file_store(http, acme):
    other = founded(http, "Other", "bob@example.org")
    filled(http, other)
    kept, theirs = files(), counts(int(other[TENANT]))
    filled(http, acme)
    move(session_value(f"select id from collections where tenant_id = {acme[TENANT]}"))
    assert all(n > 0 for table, n in counts(int(acme[TENANT])).items() if table != "loose_blobs")

    assert deleted(http, acme).status_code == 202
    closing.remove_closed_tenants()

    assert set(left(acme[TENANT])) <= {"loose_blobs"}
    assert files() == kept
    let_the_clock_come()
    assert left(acme[TENANT]) == {}
    assert session_value(f"select count(*) from tenants where id = {acme[TENANT]}") == 0
    with session_scope() as session:
        assert drop_partitions(session) == 1
    assert counts(int(other[TENANT])) == theirs
    assert files() == kept


def test_nobody_gets_in_from_the_request_on(http, acme):
    bob = joined(http, acme, "bob@example.org")
    key = {"Bearer": send(http, "POST", "/keys", {"name": "k"}, bob).json["key"]}
    token = invited(http, acme, "eve@example.org")["token"]
    send(http, "PUT", "/tenants/default", {"tenant": "ACME"}, bob)
    deleted(http, acme)
    for who in (acme, bob):
        assert http.get("/collections", headers=who).json["code"] == "tenant_not_found"
    assert http.get("/collections", headers=key).status_code == 401
    eve = founded(http, "Eve's", "eve@example.org")
    assert accepted(http, eve, token).json["code"] == "invitation_not_found"
    at_home = {"Bearer": log_in(http, "bob@example.org").json["token"]}
    assert http.get("/collections", headers=at_home).status_code == 200
    names = [one["name"] for one in http.get("/tenants", headers=at_home).json["tenants"]]
    assert names == ["default"]


def test_accounts_stay_and_may_make_a_tenant_of_that_name_again(http, acme):
    deleted(http, acme)
    closing.remove_closed_tenants()
    assert log_in(http, "ann@example.org").status_code == 201
    assert send(http, "POST", "/tenants", {"name": "ACME"}, acme).status_code == 201


def test_unfinished_work_is_cancelled(http, acme):
    job = ask(http, acme, "?")
    deleted(http, acme)
    assert session_value(f"select code from jobs where id = {job}") == "cancelled"


def test_its_name_must_be_repeated_by_an_owner(http, acme, owner):
    expert = joined(http, acme, "bob@example.org", "expert")
    assert deleted(http, expert).status_code == 403
    wrong = deleted(http, acme, "acme")
    assert (wrong.status_code, wrong.json["code"]) == (400, "wrong_name")
    stays = deleted(http, owner, "default")
    assert (stays.status_code, stays.json["code"]) == (409, "default_tenant")
    closing.remove_closed_tenants()
    assert session_value("select count(*) from tenants") == 2


def test_who_was_let_in_before_it_closed_keeps_nothing(http, acme):
    deleted(http, acme)
    user = session_value(f"select user_id from memberships where tenant_id = {acme[TENANT]}")
    session_value(
        "insert into jobs (tenant_id, user_id, worker_id, job_type, question, session_id, state,"
        " derived_session_id, step, attempt, losses)"
        f" values ({acme[TENANT]}, {user}, 1, 1, '?', 's', 1, 'd', 'start_job', 1, 0) returning 1"
    )
    closing.remove_closed_tenants()
    let_the_clock_come()
    assert left(acme[TENANT]) == {}


def test_an_upload_that_outlives_the_tenant_is_told_so_and_leaves_nothing(http, acme, monkeypatch):
    put = FolderBlobs.put_stream

    def removing(store, key, pieces):
        deleted(http.application.test_client(), acme)
        closing.remove_closed_tenants()
        put(store, key, pieces)

    monkeypatch.setattr(FolderBlobs, "put_stream", removing)
    late = http.post("/user/data", data=b"late", headers=acme | {"filename": "a.txt"})
    assert late.status_code in (404, 408), late.json
    let_the_clock_come()
    assert files() == []
    assert left(acme[TENANT]) == {}


def test_a_question_that_comes_too_late_is_told_that_the_tenant_is_gone(http, acme, monkeypatch):
    from api import jobs

    reach = jobs.reach

    def removing(*asked):
        deleted(http.application.test_client(), acme)
        closing.remove_closed_tenants()
        return reach(*asked)

    monkeypatch.setattr(jobs, "reach", removing)
    late = send(http, "POST", "/job", {"ask": {"msg": "?"}}, acme)
    assert (late.status_code, late.json["code"]) == (404, "tenant_not_found")


@pytest.mark.parametrize("point", ["remove_collection_blobs", "remove_tenant", "remove_loose"])
def test_a_removal_that_dies_half_way_goes_on_next_time(http, acme, monkeypatch, point):
    filled(http, acme)
    deleted(http, acme)

    def dying(*_):
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(closing, point, dying)
        with pytest.raises(SystemExit):
            closing.remove_closed_tenants()
    closing.remove_closed_tenants()
    let_the_clock_come()
    assert left(acme[TENANT]) == {}
    assert files() == []


def test_a_tenant_that_cannot_go_yet_holds_up_no_other(http, acme, monkeypatch):
    other = founded(http, "Other", "bob@example.org")
    deleted(http, acme)
    deleted(http, other, "Other")
    remove = closing.remove_tenant

    def failing(session, tenant_id):
        if tenant_id == int(acme[TENANT]):
            raise OperationalError("delete", {}, Exception("deadlock"))
        return remove(session, tenant_id)

    monkeypatch.setattr(closing, "remove_tenant", failing)
    closing.remove_closed_tenants()
    assert session_value("select array_agg(name::text order by id) from tenants") == [
        "default",
        "ACME",
    ]


def test_a_tenant_goes_while_questions_and_documents_are_on_their_way(http, acme):
    collection = {"name": "diary", "visibility": "tenant"}
    send(http, "POST", "/collections", collection, acme)
    with workers(2, inference=FAKE):
        ask(http, acme, "slowest", collection_id="diary")
        until(lambda: any("slowest" in question for question in asked()))
        for number in range(6):
            text = f"The lamp {number} burns oil. ".encode() * 200
            sent = http.post(
                f"/collections/diary/documents?name={number}.txt", data=text, headers=acme
            )
            assert sent.status_code == 202
        assert deleted(http, acme).status_code == 202
        gone = f"select count(*) = 0 from tenants where id = {acme[TENANT]}"
        until(lambda: session_value(gone), 120)  # by the clock, if not at once
        until(lambda: not set(left(acme[TENANT])) - {"loose_blobs"})
    let_the_clock_come()
    remove_old_work()
    assert left(acme[TENANT]) == {}
    assert files() == []
