"""The commands about tenants, and the archive of one."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli import main
from client.archive import check
from client.errors import ClientError
from tests.unit.client_stub import EMAIL, NO_SUCH_USER, USER, Stub

ACME = {"id": 4, "name": "ACME", "role": "owner", "default": True}
INVITATION = {"id": 2, "email": "bob@example.org", "role": "expert", "status": "pending"}


@pytest.fixture
def stub() -> Stub:
    stub = Stub()
    stub.on("GET", "/tenants", (200, {"tenants": [ACME]}))
    stub.on("POST", "/tenants", (201, ACME))
    stub.on("PATCH", "/tenant", (200, ACME | {"name": "Lamps"}))
    stub.on("PUT", "/tenants/default", (200, ACME))
    stub.on("DELETE", "/tenant", (202, ACME))
    stub.on("GET", "/invitations", (200, {"invitations": [INVITATION]}))
    stub.on("POST", "/invitations", (201, INVITATION | {"token": "s3cret", "mailed": False}))
    stub.on("DELETE", "/invitations/2", (200, INVITATION | {"status": "withdrawn"}))
    stub.on("POST", "/invitations/accept", (200, ACME))
    member = {"user_id": 9, "email": "bob@example.org", "role": "owner"}
    stub.on("POST", "/tenant/hand-over", (200, member))
    stub.on("DELETE", "/members/bob%40example.org", (200, member))
    stub.on("DELETE", f"/members/{EMAIL.replace('@', '%40')}", (200, member))
    return stub


def run(stub: Stub, *args: str, group: str = "tenants", **options: Any) -> Result:
    return CliRunner().invoke(main, (group, *args), obj=stub.client(), **options)


def test_tenants_are_listed(stub: Stub) -> None:
    header, row = run(stub, "list").stdout.splitlines()
    assert header.split() == ["ID", "NAME", "ROLE", "DEFAULT"]
    assert row.split() == ["4", "ACME", "owner", "yes"]


def test_a_tenant_is_made_chosen_and_renamed(stub: Stub) -> None:
    assert "REDTEN_TENANT" in run(stub, "create", "ACME").stdout
    assert run(stub, "use", "4").stdout == "you act in ACME from now on\n"
    assert run(stub, "rename", "Lamps").stdout == "tenant 4 is now Lamps\n"
    assert stub.asked("POST", "/tenants") == [{"name": "ACME"}]
    assert stub.asked("PUT", "/tenants/default") == [{"tenant": "4"}]
    assert stub.asked("PATCH", "/tenant") == [{"name": "Lamps"}]


def test_the_token_of_an_invitation_is_printed_once_for_who_passes_it_on(stub: Stub) -> None:
    told = run(stub, "invite", "bob@example.org", "--role", "expert").stdout.splitlines()
    assert told[0] == "s3cret"
    assert "no mail is sent" in told[1]
    assert json.loads(run(stub, "invite", "b@c.d", "--json").stdout)["token"] == "s3cret"
    assert "s3cret" not in run(stub, "invitations").stdout


def test_an_invitation_is_withdrawn_and_accepted(stub: Stub) -> None:
    assert "withdrew" in run(stub, "invitations", "--withdraw", "2").stdout
    assert run(stub, "accept", "s3cret").stdout == "you belong to ACME as owner\n"
    assert stub.asked("POST", "/invitations/accept") == [{"token": "s3cret"}]


def test_who_has_no_account_yet_makes_one_by_the_invitation(stub: Stub) -> None:
    stub.on("POST", "/login", NO_SUCH_USER, (201, USER))
    stub.on("POST", "/user", (201, USER))
    assert run(stub, "accept", "s3cret").exit_code == 0
    [made] = stub.asked("POST", "/user")
    assert made["invitation"] == "s3cret"


def test_a_member_is_removed_and_takes_over(stub: Stub) -> None:
    assert run(stub, "remove", "bob@example.org", group="users").exit_code == 0
    assert "is now an owner" in run(stub, "hand-over", "bob@example.org").stdout


def test_who_leaves_is_asked_first(stub: Stub) -> None:
    assert run(stub, "leave", input="n\n").exit_code == 1
    assert not [route for route in stub.routes if route.startswith("DELETE")]
    assert run(stub, "leave", input="y\n").exit_code == 0
    assert stub.routes[-1].startswith("DELETE /members/")


def test_a_tenant_is_deleted_by_its_name_and_only_after_a_yes(stub: Stub) -> None:
    assert run(stub, "delete", "ACME", input="n\n").exit_code == 1
    assert "DELETE /tenant" not in stub.routes
    assert run(stub, "delete", "ACME", "--yes").exit_code == 0
    assert str(stub.requests[-1].url).endswith("/tenant?name=ACME")


def archive(files: dict[str, bytes], told: dict[str, bytes] | None = None) -> bytes:
    """A tar.gz of these files, with a manifest of those, and without one if they are None."""
    contents = {
        name: {"bytes": len(held), "sha256": hashlib.sha256(held).hexdigest()}
        for name, held in (told or {}).items()
    }
    about = {"format": 1, "tenant": {"name": "ACME"}, "rows": {"jobs": 1}, "files": contents}
    last = {} if told is None else {"manifest.json": json.dumps(about).encode()}
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, held in (files | last).items():
            info = tarfile.TarInfo(name)
            info.size = len(held)
            tar.addfile(info, io.BytesIO(held))
    return made.getvalue()


JOBS = {"tables/jobs.jsonl": b'{"id": 1}\n'}
WHOLE = archive(JOBS, JOBS)


def test_an_export_that_is_whole_takes_its_name(stub: Stub, tmp_path: Path) -> None:
    stub.on("GET", "/tenant/export", (200, WHOLE))
    target = tmp_path / "acme.tar.gz"
    result = run(stub, "export", str(target))
    assert (result.exit_code, target.read_bytes()) == (0, WHOLE)
    assert "ACME, 1 rows, 1 files" in result.stderr


@pytest.mark.parametrize(
    "broken",
    [
        WHOLE[: len(WHOLE) // 2],
        WHOLE[:-9],
        archive(JOBS),
        archive({}, JOBS),
        archive(JOBS | {"tables/more.jsonl": b""}, JOBS),
        archive({"tables/jobs.jsonl": b'{"id": 2}\n'}, JOBS),
        b"",
        b"no archive",
    ],
    ids=["half", "no end", "no manifest", "too little", "too much", "changed", "empty", "other"],
)
def test_an_export_that_was_cut_off_or_has_changed_leaves_no_file(
    stub: Stub, tmp_path: Path, broken: bytes
) -> None:
    stub.on("GET", "/tenant/export", (200, broken))
    result = run(stub, "export", str(tmp_path / "acme.tar.gz"))
    assert result.exit_code == 1
    assert "not whole" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_export_stays_when_a_later_one_breaks_off(stub: Stub, tmp_path: Path) -> None:
    target = tmp_path / "acme.tar.gz"
    target.write_bytes(WHOLE)
    stub.on("GET", "/tenant/export", (200, WHOLE[:40]))
    assert run(stub, "export", str(target)).exit_code == 1
    assert check(target).rows == {"jobs": 1}


def test_what_is_no_archive_is_said_to_be_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"\x1f\x8b")
    with pytest.raises(ClientError) as refused:
        check(path)
    assert refused.value.code == "damaged"
