"""Tenants as an organisation's tool: made, named, chosen, and who belongs to them."""

import threading

import pytest

from tests.integration.door import ask, log_in, send, sign_up
from tests.integration.processes import session_value
from tests.integration.tenancy import founded, joined, roles

TENANT = "X-Redten-Tenant"


@pytest.fixture
def acme(http):
    """The headers of the owner of a tenant of their own."""
    return founded(http, "ACME", "ann@example.org")


def removed(http, who, email):
    return http.delete(f"/members/{email}", headers=who)


def test_who_makes_a_tenant_owns_it_and_it_begins_empty(http, acme):
    assert roles(http, acme) == {"ann@example.org": "owner"}
    made = send(http, "POST", "/collections", {"name": "plans", "visibility": "tenant"}, acme)
    assert made.status_code == 201
    elsewhere = {"Bearer": acme["Bearer"]}
    names = [c["name"] for c in http.get("/collections", headers=elsewhere).json["collections"]]
    assert "plans" not in names


def test_tenants_are_listed_with_the_role_in_each(http, acme):
    listed = http.get("/tenants", headers=acme).json["tenants"]
    assert [(one["name"], one["role"], one["default"]) for one in listed] == [
        ("default", "member", True),
        ("ACME", "owner", False),
    ]


def test_one_may_own_so_many_tenants_and_each_name_once(http, acme):
    again = send(http, "POST", "/tenants", {"name": "ACME"}, acme)
    assert (again.status_code, again.json["code"]) == (409, "tenant_exists")
    made = [send(http, "POST", "/tenants", {"name": f"t{n}"}, acme).status_code for n in range(5)]
    assert made == [201, 201, 201, 201, 409]


def test_many_tenants_made_at_once_are_no_more_than_allowed(http, acme):
    def create(name):
        send(http.application.test_client(), "POST", "/tenants", {"name": name}, acme)

    threads = [threading.Thread(target=create, args=(f"t{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert session_value("select count(*) from tenants where id <> 1") == 5


def test_a_name_that_strangers_use_is_free_and_told_apart_by_id(http, acme):
    theirs = founded(http, "ACME", "bob@example.org")
    mine, other = int(acme[TENANT]), int(theirs[TENANT])
    assert mine != other
    by_name = {"Bearer": theirs["Bearer"], TENANT: "ACME"}
    assert list(roles(http, by_name)) == ["bob@example.org"]

    joined(http, acme, "eve@example.org", "owner")
    eve = {"Bearer": log_in(http, "eve@example.org").json["token"]}
    send(http, "POST", "/tenants", {"name": "Eve's"}, eve)
    renamed = send(http, "PATCH", "/tenant", {"name": "ACME"}, eve | {TENANT: "Eve's"})
    assert renamed.status_code == 200
    refused = http.get("/collections", headers=eve | {TENANT: "ACME"})
    assert (refused.status_code, refused.json["code"]) == (409, "ambiguous_tenant")
    assert str(mine) in refused.json["message"]
    assert http.get("/collections", headers=eve | {TENANT: str(mine)}).status_code == 200


def test_only_owners_rename_a_tenant(http, acme):
    member = joined(http, acme, "bob@example.org")
    assert send(http, "PATCH", "/tenant", {"name": "B"}, member).status_code == 403
    assert send(http, "PATCH", "/tenant", {"name": "A"}, acme).json["name"] == "A"
    assert session_value("select count(*) from tenants where name = 'A'") == 1
    assert session_value("select name from tenants where id = 1") == "default"


def test_a_default_tenant_is_chosen_among_ones_own(http, acme):
    bare = {"Bearer": acme["Bearer"]}
    assert http.get("/members", headers=bare).status_code == 403
    chosen = send(http, "PUT", "/tenants/default", {"tenant": "ACME"}, bare)
    assert chosen.json["default"] is True
    assert http.get("/members", headers=bare).status_code == 200
    stranger = sign_up(http, "bob@example.org")
    for tenant in (acme[TENANT], 9_999, "ACME"):
        refused = send(http, "PUT", "/tenants/default", {"tenant": tenant}, stranger)
        assert (refused.status_code, refused.json["code"]) == (404, "tenant_not_found")


def test_who_may_make_tenants_is_the_operators_choice(http, owner, headers, monkeypatch):
    from api import tenants

    closed = tenants.settings.model_copy(update={"tenant_creation": "admin"})
    monkeypatch.setattr(tenants, "settings", closed)
    assert send(http, "POST", "/tenants", {"name": "a"}, headers).status_code == 403
    assert send(http, "POST", "/tenants", {"name": "a"}, owner).status_code == 201


def test_an_email_that_was_never_verified_makes_no_tenant(http, headers):
    session_value("update users set verified = 0 where email = 'member@example.org' returning 1")
    assert send(http, "POST", "/tenants", {"name": "a"}, headers).status_code == 403


def test_a_removed_member_is_out_at_once_and_so_are_their_keys(http, acme):
    bob = joined(http, acme, "bob@example.org")
    key = send(http, "POST", "/keys", {"name": "nightly"}, bob).json["key"]
    home = send(http, "POST", "/keys", {"name": "home"}, {"Bearer": bob["Bearer"]}).json["key"]
    assert removed(http, acme, "BOB@example.org").json["role"] == "member"
    assert http.get("/collections", headers=bob).status_code == 404
    assert http.get("/collections", headers={"Bearer": key}).status_code == 401
    assert http.get("/collections", headers={"Bearer": home}).status_code == 200
    assert roles(http, acme) == {"ann@example.org": "owner"}
    assert removed(http, acme, "bob@example.org").json["code"] == "member_not_found"


def test_what_a_removed_member_had_passes_to_who_removes_them(http, acme):
    bob = joined(http, acme, "bob@example.org")
    for who in (acme, bob):
        assert send(http, "POST", "/collections", {"name": "diary"}, who).status_code == 201
    kept = http.post("/user/data", data=b"x", headers=bob | {"filename": "a.txt"}).json
    removed(http, acme, "bob@example.org")
    found = http.get("/collections", headers=acme).json["collections"]
    mine = [(c["name"], c["visibility"]) for c in found if c["mine"]]
    assert [visibility for _, visibility in mine] == ["private", "private"]
    assert mine[0][0] == "diary"
    assert mine[1][0].startswith("diary ")
    with http.get(f"/user/data/{kept['data_id']}", headers=acme) as fetched:
        assert fetched.data == b"x"


def test_names_that_a_member_has_chosen_do_not_keep_them_in(http, acme):
    bob = joined(http, acme, "bob@example.org")
    send(http, "POST", "/collections", {"name": "handbook"}, acme)
    theirs = send(http, "POST", "/collections", {"name": "handbook"}, bob).json["id"]
    for who in (acme, bob):
        send(http, "POST", "/collections", {"name": f"handbook {theirs}"}, who)
    assert removed(http, acme, "bob@example.org").status_code == 200


def test_a_closed_account_does_not_become_an_owner(http, acme):
    joined(http, acme, "bob@example.org")
    session_value("update users set state = 1 where email = 'bob@example.org' returning 1")
    body = {"role": "owner"}
    refused = send(http, "PUT", "/members/bob@example.org", body, acme)
    assert (refused.status_code, refused.json["code"]) == (404, "member_not_found")


def test_questions_of_a_removed_member_go_on(http, acme):
    bob = joined(http, acme, "bob@example.org")
    job = ask(http, bob, "?")
    removed(http, acme, "bob@example.org")
    assert session_value(f"select state in (1, 2) from jobs where id = {job}")


def test_a_member_leaves_and_the_last_owner_does_not(http, acme):
    bob = joined(http, acme, "bob@example.org")
    assert removed(http, bob, "ann@example.org").status_code == 403
    assert removed(http, bob, "bob@example.org").status_code == 200
    refused = removed(http, acme, "ann@example.org")
    assert (refused.status_code, refused.json["code"]) == (409, "last_owner")


def test_an_owner_whose_account_is_closed_does_not_count(http, acme):
    joined(http, acme, "bob@example.org", "owner")
    session_value("update users set state = 1 where email = 'bob@example.org' returning 1")
    assert removed(http, acme, "ann@example.org").json["code"] == "last_owner"
    assert removed(http, acme, "bob@example.org").status_code == 200


def test_two_owners_cannot_remove_or_demote_each_other_at_once(http, acme):
    bob = joined(http, acme, "bob@example.org", "owner")
    ann = "ann@example.org"

    def demote():
        send(http.application.test_client(), "PUT", f"/members/{ann}", {"role": "member"}, bob)

    def remove():
        removed(http.application.test_client(), acme, "bob@example.org")

    for _ in range(5):
        threads = [threading.Thread(target=act) for act in (demote, remove)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        here = f"from memberships where tenant_id = {acme[TENANT]}"
        assert session_value(f"select count(*) {here} and role = 'owner'") == 1
        session_value(
            "insert into memberships (tenant_id, user_id, role)"
            f" select {acme[TENANT]}, id, 'owner' from users where email like '%example.org'"
            " on conflict (tenant_id, user_id) do update set role = 'owner' returning 1"
        )


def test_a_tenant_is_handed_over_to_a_member(http, acme):
    joined(http, acme, "bob@example.org")
    handed = send(http, "POST", "/tenant/hand-over", {"email": "Bob@example.org"}, acme)
    assert (handed.status_code, handed.json["role"]) == (200, "owner")
    bob = {"Bearer": log_in(http, "bob@example.org").json["token"], TENANT: acme[TENANT]}
    assert roles(http, bob) == {"ann@example.org": "expert", "bob@example.org": "owner"}
    again = send(http, "POST", "/tenant/hand-over", {"email": "bob@example.org"}, acme)
    assert again.status_code == 403


def test_a_tenant_is_not_handed_to_strangers_or_closed_accounts(http, acme, headers):
    joined(http, acme, "bob@example.org")
    session_value("update users set state = 1 where email = 'bob@example.org' returning 1")
    for email in ("member@example.org", "bob@example.org", "nobody@example.org"):
        refused = send(http, "POST", "/tenant/hand-over", {"email": email}, acme)
        assert (refused.status_code, refused.json["code"]) == (404, "member_not_found")
    to_oneself = send(http, "POST", "/tenant/hand-over", {"email": "ann@example.org"}, acme)
    assert to_oneself.status_code == 200
    assert roles(http, acme)["ann@example.org"] == "owner"


def test_who_is_removed_from_their_default_tenant_acts_in_another(http, acme):
    bob = joined(http, acme, "bob@example.org")
    send(http, "PUT", "/tenants/default", {"tenant": acme[TENANT]}, bob)
    removed(http, acme, "bob@example.org")
    listed = http.get("/tenants", headers=bob).json["tenants"]
    assert [(one["name"], one["default"]) for one in listed] == [("default", True)]


def test_who_belongs_to_no_tenant_can_still_make_one(http, owner):
    lost = sign_up(http, "lost@example.org")
    removed(http, owner, "lost@example.org")
    assert http.get("/collections", headers=lost).json["code"] == "tenant_not_found"
    assert http.get("/tenants", headers=lost).json["tenants"] == []
    assert send(http, "POST", "/tenants", {"name": "mine"}, lost).status_code == 201


def test_a_service_key_changes_nothing_about_tenants(http, acme):
    key = {"Bearer": send(http, "POST", "/keys", {"name": "k"}, acme).json["key"]}
    email = {"email": "bob@example.org"}
    for method, path, body in (
        ("POST", "/tenants", {"name": "n"}),
        ("PATCH", "/tenant", {"name": "n"}),
        ("PUT", "/tenants/default", {"tenant": acme[TENANT]}),
        ("DELETE", "/tenant?name=ACME", None),
        ("GET", "/tenant/export", None),
        ("POST", "/tenant/hand-over", email),
        ("DELETE", "/members/bob@example.org", None),
        ("POST", "/invitations", email | {"role": "owner"}),
        ("DELETE", "/invitations/1", None),
        ("POST", "/invitations/accept", {"token": "t"}),
    ):
        assert send(http, method, path, body, key).status_code == 403, path
    listed = http.get("/tenants", headers=key).json["tenants"]
    assert [one["name"] for one in listed] == ["ACME"]
