"""What a tenant may have at once and store, and what it hears when that is used up."""

import json
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from local.quotas_cli import quotas
from models import addresses, quota
from models.quota import set_quota, usage
from models.session import session_scope
from tests.conftest import CLUSTER
from tests.integration.door import send
from tests.integration.processes import session_value
from tests.integration.uploading import files, upload


@pytest.fixture
def operator(db: None, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """The one who runs the deployment; its database is the tests' own."""
    monkeypatch.setattr("local.deployment.owner_url", lambda _: CLUSTER.admin_url)
    return CliRunner()


def allow(operator: CliRunner, *limits: object) -> Any:
    """`redten quotas set` for the default tenant; what it prints."""
    words = ["set", "default", *map(str, limits), "--json"]
    result = operator.invoke(quotas, words)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def ask(http: FlaskClient, headers: dict[str, str]) -> Any:
    return http.post("/job", json={"ask": {"msg": "how high?"}}, headers=headers)


def document(http: FlaskClient, owner: dict[str, str], name: str, content: bytes) -> Any:
    path = f"/collections/embed-security/documents?name={name}"
    return http.post(path, data=content, headers=owner)


def test_so_many_questions_may_be_in_flight(http, headers, operator):
    allow(operator, "--jobs", 2)
    first = ask(http, headers)
    assert (first.status_code, ask(http, headers).status_code) == (201, 201)

    refused = ask(http, headers)

    assert (refused.status_code, refused.json["code"]) == (429, "quota_exceeded")
    assert "2 questions and files of texts in flight, of 2" in refused.json["msg"]
    assert int(refused.headers["Retry-After"]) > 0
    assert session_value("select count(*) from jobs") == 2
    assert http.delete(f"/job/{first.json['id']}", headers=headers).status_code == 200
    assert ask(http, headers).status_code == 201


def test_the_openai_client_is_told_to_try_again(http, headers, operator):
    allow(operator, "--jobs", 1)
    ask(http, headers)
    chat = {"model": "any", "messages": [{"role": "user", "content": "how high?"}]}

    refused = http.post("/v1/chat/completions", json=chat, headers=headers)

    assert (refused.status_code, refused.json["error"]["code"]) == (429, "quota_exceeded")
    assert refused.headers["x-should-retry"] == "true"


def test_files_of_texts_count_with_the_questions(http, headers, operator):
    allow(operator, "--jobs", 1)
    path = "/embed/files?name=a.csv&column=said"
    assert http.post(path, data=b"said\na\n", headers=headers).status_code == 202
    assert http.post(path, data=b"said\na\n", headers=headers).status_code == 429
    assert ask(http, headers).status_code == 429
    assert len(files()) == 1


def test_so_many_documents_may_be_on_their_way(http, owner, operator, monkeypatch):
    allow(operator, "--documents", 1)
    assert document(http, owner, "a.txt", b"first").status_code == 202

    refused = document(http, owner, "b.txt", b"second")

    assert (refused.status_code, refused.json["code"]) == (429, "quota_exceeded")
    assert len(files()) == 1
    source = {"collection": "embed-security", "address": "/srv/docs"}
    allowed = addresses.settings.model_copy(update={"source_dirs": ("/srv",)})
    monkeypatch.setattr(addresses, "settings", allowed)
    assert http.post("/sources", json=source, headers=owner).json["code"] == "quota_exceeded"
    session_value("update documents set state = 4 returning id")
    assert document(http, owner, "b.txt", b"second").status_code == 202


def test_what_is_read_again_keeps_no_new_document_out(http, owner, operator):
    allow(operator, "--documents", 1)
    document(http, owner, "a.txt", b"first")
    session_value("update documents set chunks = 3 returning id")
    assert document(http, owner, "b.txt", b"second").status_code == 202


def test_a_full_tenant_stores_no_more_of_any_kind(http, owner, operator):
    allow(operator, "--storage-bytes", 10)
    assert document(http, owner, "a.txt", b"12345").status_code == 202
    assert upload(http, owner, b"12345").status_code == 200

    refusals = [
        document(http, owner, "b.txt", b"6"),
        upload(http, owner, b"6"),
        http.post("/embed/files?name=a.csv&column=said", data=b"6", headers=owner),
        http.post("/collections/embed-security/documents?data_id=1", headers=owner),
    ]

    assert [refused.status_code for refused in refusals] == [507] * 4
    assert {refused.json["code"] for refused in refusals} == {"storage_full"}
    assert "stores 10 of 10 bytes, and 1 more do not fit" in refusals[0].json["message"]
    assert len(files()) == 2
    assert http.delete("/user/data/1", headers=owner).status_code == 200
    assert document(http, owner, "b.txt", b"6").status_code == 202


def test_while_much_is_free_sizes_are_not_added_up_each_time(http, headers, admin, operator):
    with session_scope(1) as session:
        quota.check_storage(session, 1, 1)
    assert quota._ample_until[1] > 0
    quota._ample_until.clear()
    allow(operator, "--storage-bytes", 1000)
    with session_scope(1) as session:
        quota.check_storage(session, 1, 1)
    assert 1 not in quota._ample_until


@pytest.fixture(autouse=True)
def _measured_anew() -> None:
    """As if the last test had been long ago."""
    quota._ample_until.clear()


def test_members_see_what_is_used(http, headers, owner, operator):
    allow(operator, "--jobs", 5, "--documents", 0)
    ask(http, headers)
    upload(http, owner, b"12345")

    seen = http.get("/quota", headers=headers).json

    assert seen["jobs"] == {"used": 1, "most": 5}
    assert seen["documents"] == {"used": 0, "most": 0}
    assert seen["storage_bytes"]["used"] == 5
    assert http.get("/quota").status_code == 401


def test_the_operator_changes_and_takes_back_what_a_tenant_may_have(operator):
    assert allow(operator, "--jobs", 5)["jobs"]["most"] == 5
    assert allow(operator, "--documents", 7)["jobs"]["most"] == 5
    back = allow(operator, "--documents", 8, "--default")
    assert (back["jobs"]["most"], back["documents"]["most"]) == (1000, 8)
    shown = operator.invoke(quotas, ["show", "1"])
    assert shown.output.splitlines()[2].split() == ["documents", "0", "8"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["set", "default"], "redten: nothing to change: name a limit"),
        (["set", "nobody", "--jobs", "1"], "redten: there is no tenant nobody"),
        (["show", "99"], "redten: there is no tenant 99"),
    ],
)
def test_the_operator_hears_what_is_wrong(operator, words, said):
    ended = operator.invoke(quotas, words)
    assert (ended.exit_code, ended.output.startswith(said)) == (1, True)


def test_one_tenants_use_is_no_other_tenants_business(http, headers, admin, operator):
    session_value(
        "insert into tenants (id, name) overriding system value values (2, 'other') returning id"
    )
    operator.invoke(quotas, ["set", "other", "--jobs", "1"])
    ask(http, headers)
    with session_scope(2) as session:
        assert (usage(session, 2)["jobs"].used, usage(session, 2)["jobs"].most) == (0, 1)
        # Not even by asking for it.
        assert usage(session, 1)["jobs"].used == 0
    assert ask(http, headers).status_code == 201


def test_a_tenant_cannot_raise_its_own_quota(http, headers, admin, operator):
    allow(operator, "--jobs", 1)
    ask(http, headers)
    with pytest.raises(Exception, match="row-level security"), session_scope(1) as session:
        set_quota(session, 1, jobs=100)
    assert send(http, "PUT", "/quota", {"jobs": 100}, headers).status_code == 405
    assert ask(http, headers).status_code == 429


def test_what_is_tried_again_counts_like_what_is_new(http, headers, operator):
    allow(operator, "--jobs", 1)
    failed = ask(http, headers).json["id"]
    as_lost = "update jobs set state = 4, code = 'lost', msg = '-' where id = {} returning 1"
    session_value(as_lost.format(failed))
    assert ask(http, headers).status_code == 201

    refused = http.post(f"/job/{failed}/retry", headers=headers)

    assert (refused.status_code, refused.json["code"]) == (429, "quota_exceeded")
