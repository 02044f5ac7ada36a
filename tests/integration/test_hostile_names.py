"""What a file is called is never where it lies, nor where anybody's browser puts it."""

from email.message import EmailMessage

import pytest

from ingest.load import Attachment, load
from tests.conftest import LAYOUT
from tests.integration.uploading import files

NAMES = [
    "../../x",
    "/etc/cron.d/x",
    "..\\..\\x.bat",
    "C:\\Windows\\x",
    "..",
    ".ssh",
    "NUL",
    "con.txt",
    "gpj.\u202eexe",
    "x" * 500,
    "a\u2028b",
    "$(id).txt",
    "-rf",
    "%2e%2e%2fx",
    'a"; filename="b.txt',
]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_any_name_lies_in_the_store_and_comes_back_as_a_name_alone(http, headers, name):
    told = {"filename": name.encode().decode("latin-1")}
    sent = http.post("/user/data", data=b"x", headers=headers | told)
    assert sent.status_code == 200, sent.json

    [file] = files()
    assert file.resolve().is_relative_to(LAYOUT.blobs)
    assert len(file.name.encode()) < 255
    with http.get(f"/user/data/{sent.json['data_id']}", headers=headers) as reply:
        disposition = reply.headers["Content-Disposition"]
    assert disposition.startswith("attachment; filename")
    assert disposition.isascii()
    assert not any(mark in disposition for mark in ("/", "\n", "\\\\", "%2F", "%5C"))


@pytest.mark.parametrize("name", NAMES)
def test_a_document_of_any_name_lies_under_a_name_of_the_stores_own(http, owner, name):
    query = {"name": name}
    path = "/collections/embed-security/documents"
    reply = http.post(path, query_string=query, data=b"text", headers=owner)

    assert reply.status_code == 202, reply.json
    [file] = files()
    assert file.resolve().is_relative_to(LAYOUT.blobs)
    assert file.name.isalnum()
    assert len(file.name) == 32


@pytest.mark.parametrize("name", ["a\0b", "a\nb", "a\x7fb", ""])
def test_a_name_with_control_characters_is_refused(http, owner, name):
    path = "/collections/embed-security/documents"
    reply = http.post(path, query_string={"name": name}, data=b"text", headers=owner)

    assert reply.status_code == 400
    assert files() == []


@pytest.mark.parametrize("name", NAMES)
def test_an_attachment_of_any_name_has_one_without_folders(tmp_path, name):
    message = EmailMessage()
    message.set_content("text")
    message.add_attachment(b"x", maintype="application", subtype="octet-stream", filename=name)
    path = tmp_path / "mail"
    path.write_bytes(message.as_bytes())

    [attachment] = [one for one in load(path, "a.eml") if isinstance(one, Attachment)]

    assert not set("/\\\0\n") & set(attachment.name)
    assert attachment.name.strip(".")
    assert len(attachment.name) < 200
