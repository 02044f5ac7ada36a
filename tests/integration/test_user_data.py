"""Files that users upload: what is taken, where it lies, who may see it."""

import hashlib
from typing import Any

import pytest
from werkzeug.test import TestResponse

from settings import settings
from tests.conftest import LAYOUT
from tests.integration.door import send, sign_up
from tests.integration.processes import session_value
from tests.integration.uploading import CONTENT, TOLD, files, search, upload

CONTRACT = {
    "user_id",
    "data_id",
    "filename",
    "data_type",
    "size_in_bytes",
    "comments",
    "encoding",
    "sloc",
    "msg",
}


def test_an_upload_is_answered_with_all_that_is_known_of_it(http, headers):
    reply = upload(http, headers, user_id="1")

    assert reply.status_code == 200
    assert reply.json.keys() >= CONTRACT
    assert {name: reply.json[name] for name in TOLD} == TOLD
    assert (reply.json["size_in_bytes"], reply.json["msg"]) == (len(CONTENT), "success")
    assert reply.json["content_sha256"] == hashlib.sha256(CONTENT).hexdigest()
    [file] = files()
    assert file == LAYOUT.blobs / reply.json["sloc"]
    assert file.read_bytes() == CONTENT


def test_what_is_not_told_has_the_defaults_of_the_contract(http, headers):
    reply = http.post("/user/data", data=b"x", headers=headers | {"filename": "a"})

    assert [reply.json[name] for name in ("comments", "data_type", "encoding")] == [
        "file",
        "file",
        "na",
    ]


def test_headers_may_be_spelt_with_hyphens(http, headers):
    told = {"filename": "a", "data-type": "note", "user-id": "7", "s3-enable": "1"}

    reply = http.post("/user/data", data=b"x", headers=headers | told)

    assert (reply.status_code, reply.json["data_type"]) == (200, "note")


def test_the_token_decides_whose_it_is_and_no_header(http, headers):
    mine = upload(http, headers).json["user_id"]

    assert upload(http, headers, user_id="1").json["user_id"] == mine != 1


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"user_id": "0"}, "user_id must be a postive number"),
        ({"user_id": "me"}, "user_id must be a postive number"),
        ({"user_id": "1,1"}, "user_id must be a postive number"),
        ({"filename": ""}, "The header value for 'filename' must be between 1 and 511 characters"),
        ({"filename": "x" * 512}, "must be between 1 and 511 characters"),
        ({"filename": "a\tb"}, "has control characters"),
        ({"comments": "x" * 513}, "'comments' must be between 0 and 512 characters"),
        ({"data_type": "x" * 65}, "'data_type' must be between 0 and 64 characters"),
    ],
)
def test_headers_that_do_not_fit_are_refused_and_nothing_is_kept(http, headers, told, said):
    reply = upload(http, headers, **told)

    assert reply.status_code == 400
    assert said in reply.json["msg"]
    assert (reply.json["user_id"], reply.json["data_id"], reply.json["sloc"]) == (-1, -1, "")
    assert files() == []


def test_a_file_needs_a_name_and_a_content(http, headers):
    nameless = http.post("/user/data", data=b"x", headers=headers)
    empty = upload(http, headers, b"")

    assert (nameless.status_code, empty.status_code) == (400, 400)
    assert nameless.json["msg"].startswith("Missing required header 'filename' key")
    assert empty.json["msg"] == "No data uploaded in the body"
    assert (files(), search(http, headers)["data"]) == ([], [])


def test_a_file_that_is_too_large_is_refused_and_nothing_is_kept(http, headers, monkeypatch):
    small = settings.model_copy(update={"max_upload_bytes": 10})
    monkeypatch.setattr("api.file_body.settings", small)

    assert upload(http, headers, b"x" * 10).status_code == 200
    assert upload(http, headers, b"x" * 11).status_code == 413
    assert len(files()) == len(search(http, headers)["data"]) == 1


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("POST", "/user/data", "User data upload failed due to invalid token"),
        ("POST", "/user/data/search", "User search data failed due to invalid token"),
        ("PUT", "/user/data", "User update data failed due to invalid token"),
        ("GET", "/user/data/1", "due to invalid token"),
        ("DELETE", "/user/data/1", "due to invalid token"),
    ],
)
def test_a_bad_token_is_refused_in_the_words_of_the_contract(http, method, path, said):
    reply = send(http, method, path, {"data_id": 1}, TOLD | {"Bearer": "nonsense"})

    assert reply.status_code == 400
    assert said in reply.json["msg"]


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "..", ".bashrc", "C:\\a\\b.txt", "hafen straße.txt"]
)
def test_a_name_is_kept_as_it_is_and_leads_nowhere(http, headers, name):
    raw = name.encode().decode("latin-1")  # as it comes over the wire

    reply = upload(http, headers, filename=raw)

    assert reply.json["filename"] == name
    [file] = files()
    assert file.resolve().is_relative_to(LAYOUT.blobs.resolve() / "data" / "1")
    assert file.name.isascii()


def test_files_are_found_by_every_condition_at_once_newest_first(http, headers):
    for name, size in (("a_b.txt", 1), ("A_B.pdf", 20), ("axb.txt", 300)):
        upload(http, headers, b"x" * size, filename=name)

    def names(**wanted: Any) -> list[str]:
        return [one["filename"] for one in search(http, headers, user_id=1, **wanted)["data"]]

    assert names() == ["axb.txt", "A_B.pdf", "a_b.txt"]
    assert names(filename="a_b") == ["A_B.pdf", "a_b.txt"]
    assert names(filename="a_b", above_bytes=1) == ["A_B.pdf"]
    assert names(above_bytes=1, below_bytes=300, comments="KEEPER") == ["A_B.pdf"]
    assert names(data_id=1, sloc="data/1/") == ["a_b.txt"]
    assert names(filename="' or 1=1 --") == names(filename="%") == []
    assert search(http, headers, filename="none")["msg"] == "no search data found"


def test_a_file_is_described_anew_and_null_leaves_things_as_they_are(http, headers):
    data = upload(http, headers).json
    wanted = {"data_id": data["data_id"], "filename": "new.txt", "comments": None, "sloc": "x"}

    reply = send(http, "PUT", "/user/data", wanted, headers)

    assert reply.status_code == 200
    changed = reply.json["data"]
    assert (changed["filename"], changed["comments"]) == ("new.txt", TOLD["comments"])
    assert (changed["sloc"], changed["data_id"]) == (data["sloc"], data["data_id"])
    assert data["updated_at"] == "" != changed["updated_at"]


def test_what_is_not_ones_own_is_not_there(http, headers, owner):
    id = upload(http, headers).json["data_id"]
    stranger = sign_up(http, "stranger@example.org")
    for who in (stranger, owner):
        assert search(http, who)["data"] == []
        reply = send(http, "PUT", "/user/data", {"data_id": id, "filename": "mine"}, who)
        assert (reply.status_code, reply.json["msg"]) == (200, "no update data found")
        assert reply.json["data"]["data_id"] == -1
        assert http.get(f"/user/data/{id}", headers=who).status_code == 404
        assert http.delete(f"/user/data/{id}", headers=who).status_code == 404
        document = f"/collections/embed-security/documents?data_id={id}"
        assert http.post(document, headers=who).status_code in (403, 404)
    assert search(http, headers)["data"][0]["filename"] == TOLD["filename"]


def test_a_file_comes_back_whole_or_in_ranges_and_is_never_shown(http, headers):
    id = upload(http, headers, filename='ein "b\xc3\xb6ser".html').json["data_id"]

    def fetch(**more: str) -> TestResponse:
        return http.get(f"/user/data/{id}", headers=headers | more, buffered=True)

    whole, part = fetch(), fetch(Range="bytes=4-8")

    assert (whole.status_code, whole.data, whole.content_length) == (200, CONTENT, len(CONTENT))
    assert (part.status_code, part.data) == (206, CONTENT[4:9])
    assert fetch(Range="bytes=100-").status_code == 416
    assert fetch(**{"If-None-Match": whole.headers["ETag"]}).status_code == 304
    assert whole.headers["Content-Type"] == "application/octet-stream"
    assert whole.headers["Content-Disposition"].startswith("attachment; filename=")
    assert "filename*=UTF-8''ein%20%22b%C3%B6ser%22.html" in whole.headers["Content-Disposition"]
    assert whole.headers["X-Content-Type-Options"] == "nosniff"


def test_a_removed_file_is_gone_with_its_bytes(http, headers):
    id = upload(http, headers).json["data_id"]

    assert http.delete(f"/user/data/{id}", headers=headers).json["id"] == id

    assert files() == []
    assert http.get(f"/user/data/{id}", headers=headers).status_code == 404


def test_bytes_that_somebody_took_away_are_said_to_be_lost(http, headers):
    data = upload(http, headers).json
    files()[0].unlink()

    reply = http.get(f"/user/data/{data['data_id']}", headers=headers)

    assert (reply.status_code, reply.json["code"]) == (404, "data_lost")


def test_no_file_is_left_when_its_row_cannot_be_written(http, headers, monkeypatch):
    def failing(*_: object, **__: object) -> None:
        raise RuntimeError("the database is full")

    monkeypatch.setattr("api.user_data.add_data", failing)

    assert upload(http, headers).status_code == 500
    assert files() == []


def test_a_document_is_made_of_uploaded_data(http, owner):
    id = upload(http, owner).json["data_id"]
    path = f"/collections/embed-security/documents?data_id={id}"

    made = http.post(path, headers=owner)
    again = http.post(path + "&name=other.txt", headers=owner)
    both = http.post(path, data=b"more", headers=owner)
    http.delete(f"/user/data/{id}", headers=owner)

    assert (made.status_code, made.json["name"]) == (202, "tower.txt")
    assert made.json["content_sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert (again.status_code, again.json["unchanged"]) == (200, True)
    assert (both.status_code, both.json["code"]) == (400, "two_contents")
    [kept] = files()
    assert kept.read_bytes() == CONTENT
    assert str(kept).endswith(session_value("select blob from documents"))
