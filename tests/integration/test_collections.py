"""Collections and what is sent into them."""

import pytest

from settings import settings
from tests.integration.door import send, sign_up


@pytest.mark.parametrize(
    "path",
    [
        "/collections/a%00b/documents",
        "/collections/%ff/documents",
        "/collections/99999999999999999999/documents",
        "/documents/2147483648",
        "/job/0",
    ],
)
def test_a_path_that_names_nothing_is_not_found(http, headers, path):
    assert http.get(path, headers=headers).status_code == 404


@pytest.mark.parametrize("name", ["", "a%00b", "a%0ab", "x" * 513])
def test_a_document_needs_a_name_that_can_be_shown(http, name, owner):
    path = f"/collections/embed-security/documents?name={name}"
    assert http.post(path, data=b"x", headers=owner).status_code == 400


def test_a_private_collection_is_not_there_for_others(http, headers, owner):
    send(http, "POST", "/collections", {"name": "diary"}, headers)
    http.post("/collections/diary/documents?name=a.md", data=b"dear diary", headers=headers)
    for who in (sign_up(http, "stranger@example.org"), owner):
        names = [one["name"] for one in http.get("/collections", headers=who).json["collections"]]
        assert "diary" not in names
        assert http.get("/documents/1", headers=who).status_code == 404
        assert http.get("/collections/diary/documents", headers=who).status_code == 404
        assert (
            send(
                http, "POST", "/job", {"ask": {"msg": "?", "collection_id": "diary"}}, who
            ).status_code
            == 404
        )


def test_a_public_collection_is_read_only_for_members(http, headers):
    reply = http.post("/collections/embed-security/documents?name=a.md", data=b"x", headers=headers)
    assert (reply.status_code, reply.json["code"]) == (403, "read_only")


def test_the_same_content_is_taken_once(http, owner):
    who = owner
    path = "/collections/embed-security/documents?name="
    first = http.post(path + "a.md", data=b"some text", headers=who)
    again = http.post(path + "b.md", data=b"some text", headers=who)
    other = http.post(path + "a.md", data=b"other text", headers=who)
    assert (first.status_code, again.status_code, other.status_code) == (202, 200, 202)
    assert again.json["unchanged"] is True
    assert again.json["name"] == "b.md"
    assert again.json["id"] == first.json["id"] != other.json["id"]


def test_an_upload_that_is_too_large_or_empty_is_refused(http, monkeypatch, owner):
    small = settings.model_copy(update={"max_upload_bytes": 10})
    monkeypatch.setattr("api.file_body.settings", small)
    path = "/collections/embed-security/documents?name=a.md"
    assert http.post(path, data=b"x" * 11, headers=owner).status_code == 413
    assert http.post(path, data=b"", headers=owner).json["code"] == "empty_document"


@pytest.mark.parametrize("name", ["2", "..", "a/b", "a\nb", "\x1b[31m", " ", "x" * 129])
def test_a_collection_needs_a_name_that_is_no_id_and_can_be_shown(http, headers, name):
    reply = send(http, "POST", "/collections", {"name": name}, headers)
    assert reply.status_code == 400, reply.json


def test_a_mistyped_language_is_refused_with_those_there_are(http, headers):
    wrong = {"language": "germann"}
    send(http, "POST", "/collections", {"name": "diary"}, headers)
    for method, path, body in (
        ("PATCH", "/collections/diary", wrong),
        ("POST", "/collections", {"name": "letters"} | wrong),
    ):
        reply = send(http, method, path, body, headers)
        assert (reply.status_code, reply.json["code"]) == (400, "unknown_language")
        assert "german, greek" in reply.json["message"]
    listed = http.get("/collections", headers=headers).json["collections"]
    assert [one["name"] for one in listed] == ["diary", "embed-security"]
