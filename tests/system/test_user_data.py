"""Files that people keep on a server: sent as curl sends them, and with our own command."""

from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.system.commands import redten, redten_json
from tests.system.jobs import answered, ask
from tests.system.people import Door, Person
from tests.system.waiting import eventually

TEXT = b"The tower of Gull Rock is 31 metres high.\n" * 3
PARTLY = {"user_id", "data_id", "filename", "data_type", "size_in_bytes", "sloc", "msg"}


def upload(person: Person, **told: str) -> Any:
    """As the published contract has it: bytes in the body, everything else in headers."""
    headers = {"filename": "tower.txt", "Content-Type": "application/x-www-form-urlencoded", **told}
    return person.door.send("POST", "/user/data", data=TEXT, headers=headers)


def uploads_counted(door: Door) -> float:
    """How many uploads the API has counted."""
    families = text_string_to_metric_families(door.send("GET", "/metrics").text)
    wanted = {"resource": "data", "method": "upload"}
    samples = (sample for family in families for sample in family.samples)
    return sum(s.value for s in samples if s.name == "http_requests_total" and s.labels == wanted)


def test_an_upload_with_the_headers_of_the_contract_is_taken(person: Person) -> None:
    before = uploads_counted(person.door)
    told = {"user_id": "1", "data_type": "note", "comments": "of the keeper", "s3_enable": "1"}

    reply = upload(person, **told)

    assert reply.status_code == 200
    assert reply.json().keys() >= PARTLY
    assert (reply.json()["data_type"], reply.json()["size_in_bytes"]) == ("note", len(TEXT))
    assert upload(person, user_id="0").status_code == 400
    assert uploads_counted(person.door) == before + 2


def test_an_upload_is_the_holders_of_the_token_alone(person: Person, another: Person) -> None:
    id = upload(person).json()["data_id"]

    assert another.door.send("GET", f"/user/data/{id}").status_code == 404
    mine = person.door.send("GET", f"/user/data/{id}", headers={"Range": "bytes=0-8"})
    assert (mine.status_code, mine.content) == (206, b"The tower")


def test_our_command_keeps_describes_and_gives_back_a_file(person: Person, tmp_path: Path) -> None:
    (tmp_path / "straße.txt").write_bytes(TEXT)

    sent = redten_json(person, "data", "put", tmp_path / "straße.txt", "--type", "note")
    redten_json(person, "data", "edit", str(sent["id"]), "--comments", "of the keeper")
    [listed] = redten_json(person, "data", "list", "--name", "STRA")
    got = redten(person, "data", "get", str(sent["id"]), "-o", tmp_path / "back.txt")

    assert got.returncode == 0, got.stderr
    assert (tmp_path / "back.txt").read_bytes() == TEXT
    assert (listed["filename"], listed["comments"]) == ("straße.txt", "of the keeper")
    assert redten(person, "data", "rm", str(sent["id"])).returncode == 0
    assert redten_json(person, "data", "list") == []


def test_a_question_is_answered_from_uploaded_data(person: Person) -> None:
    person.door.call("POST", "/collections", {"name": "mine"})
    id = upload(person).json()["data_id"]

    made = redten_json(person, "data", "ingest", str(id), "-c", "mine")

    eventually(
        lambda: person.door.call("GET", f"/documents/{made['id']}")["state"] == 3, "stored document"
    )
    asked = ask(person.door, "How high is the tower of Gull Rock?", "mine", match_docs=1)
    assert answered(person.door, asked)["match_source"] == "tower.txt"
