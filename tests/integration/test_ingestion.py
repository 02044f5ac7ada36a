"""Many documents at once, documents within documents, and files that cannot be read."""

import io
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from tests.conftest import LAYOUT
from tests.integration.door import upload
from tests.integration.processes import halted, kill, session_value, until, workers

PATH = "/collections/embed-security/documents"


@pytest.fixture(scope="module", autouse=True)
def alive(services: None) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """The workers of this module; a test that kills one puts another in its place."""
    with workers(3, inference="", pipeline="") as made:
        yield made


def pdf(*pages: str) -> bytes:
    file = io.BytesIO()
    canvas = Canvas(file)
    for text in pages:
        canvas.drawString(72, 700, text)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def mail(subject: str, **attached: bytes) -> bytes:
    """An e-mail with attachments, `a_txt` being called a.txt."""
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "a@example.org", "b@example.org", subject
    made["Date"], made["Message-ID"] = "Tue, 02 Mar 2021 10:00:00 +0000", "<1@example.org>"
    made.set_content("Please find the files attached.")
    for name, content in attached.items():
        made.add_attachment(
            content,
            maintype="application",
            subtype="octet-stream",
            filename=".".join(name.rsplit("_", 1)),
        )
    return bytes(made)


def one_of_each(number: int) -> tuple[str, bytes]:
    """A small file; its format depends on the number."""
    words = f"Station {number} keeps a lantern of {1000 + number} candles."
    return (
        (f"{number}.txt", words.encode()),
        (f"{number}.md", f"# Station {number}\n\n{words}\n\n## Keeper\n\nNobody.".encode()),
        (f"{number}.csv", f"station,lantern\n{number},{words}\n".encode()),
        (f"{number}.html", f"<h1>Station {number}</h1><p>{words}</p>".encode()),
        (f"{number}.jsonl", json.dumps({"station": number, "text": words}).encode()),
    )[number % 5]


def documents(http, owner) -> list[dict]:
    return http.get(PATH, headers=owner).json["documents"]


def blobs() -> list[Path]:
    return [path for path in (LAYOUT.blobs / "documents").rglob("*") if path.is_file()]


def over() -> int:
    return session_value("select count(*) from documents where state in (3, 4)")


def caught_at_work(process: subprocess.Popen[bytes]) -> bool:
    """Halts a worker that is in the middle of several documents, as it comes sooner or later."""
    os.killpg(process.pid, signal.SIGSTOP)
    if session_value(
        "select count(*) > 1 from documents where state = 2 and step <> 'load_document'"
    ):
        return True
    os.killpg(process.pid, signal.SIGCONT)
    return False


@pytest.mark.long
def test_of_two_hundred_files_each_is_whole_and_there_once_though_the_worker_was_killed(
    http, owner, alive
):
    with halted(alive["ingest"]):
        for number in range(200):
            name, content = one_of_each(number)
            assert http.post(f"{PATH}?name={name}", data=content, headers=owner).status_code == 202
    until(lambda: caught_at_work(alive["ingest"]), 60)
    kill(alive["ingest"])
    with workers(3, inference="", pipeline="", sweep=""):
        until(lambda: over() == 200, 120)
    assert session_value("select count(*) from documents where state = 3") == 200
    assert session_value("select max(losses) from documents") >= 1
    wrong = """
        select count(*) from documents d where d.chunks is null or d.chunks < 1 or not (
            select array_agg(c.position order by c.position) = array(
                select generate_series(0, d.chunks - 1)) from chunks c where c.document_id = d.id)
    """
    assert session_value(wrong) == 0
    assert session_value("select count(*) from chunks") == session_value(
        "select sum(chunks) from documents"
    )
    for number in (0, 57, 199):
        find = f"select count(*) from chunks where text like '%{1000 + number} candles%'"
        assert session_value(find) == 1


@pytest.fixture
def working(alive) -> Iterator[None]:
    """An ingest worker, whether or not a test has killed the first one."""
    if alive["ingest"].poll() is None:
        yield
    else:
        with workers(3, inference="", pipeline="", sweep=""):
            yield


@pytest.mark.usefixtures("working")
class TestAttachments:
    """They are documents of their own, which come and go with what they are attached to."""

    def attached(self, http, owner) -> list[tuple[str, int | None, str]]:
        until(lambda: session_value("select bool_and(state > 2) from documents"))
        found = documents(http, owner)
        return [(one["name"], one["parent_id"], one["status"]) for one in found]

    def test_an_email_with_two_attachments_is_three_documents(self, http, owner):
        table = b"station,lantern\nGull Rock,1200\n"
        sent = upload(http, owner, "m.eml", mail("Lanterns", a_txt=b"some text", b_csv=table))
        assert self.attached(http, owner) == [
            ("m.eml", None, "done"),
            ("m.eml/a.txt", sent["id"], "done"),
            ("m.eml/b.csv", sent["id"], "done"),
        ]
        message, _, csv = documents(http, owner)
        assert (message["title"], message["kind"], csv["kind"]) == ("Lanterns", "mail", "table")
        assert message["dated_at"] == "2021-03-02T10:00:00Z"
        assert message["facts"]["attachments"] == 2
        attached = http.get(f"{PATH}?parent_id={sent['id']}", headers=owner).json["documents"]
        assert [one["name"] for one in attached] == ["m.eml/a.txt", "m.eml/b.csv"]

    def test_attachments_of_one_name_are_told_apart(self, http, owner):
        message = EmailMessage()
        message["Subject"] = "Twice"
        message.set_content("Two of them.")
        for text in (b"the first", b"the second"):
            message.add_attachment(text, maintype="text", subtype="plain", filename="a.txt")
        upload(http, owner, "m.eml", bytes(message))
        names = [name for name, _, _ in self.attached(http, owner)]
        assert names == ["m.eml", "m.eml/a (2).txt", "m.eml/a.txt"]

    def test_the_same_file_in_two_messages_goes_with_each_by_itself(self, http, owner):
        first = upload(http, owner, "1.eml", mail("One", a_txt=b"the same"))
        upload(http, owner, "2.eml", mail("Two", a_txt=b"the same"))
        self.attached(http, owner)
        http.delete(f"{PATH}/{first['id']}", headers=owner)
        names = [name for name, _, _ in self.attached(http, owner)]
        assert names == ["2.eml", "2.eml/a.txt"]
        assert len(blobs()) == 2

    def test_a_newer_message_takes_the_older_ones_attachments_with_it(self, http, owner):
        upload(http, owner, "m.eml", mail("Old", a_txt=b"old file", b_txt=b"gone"))
        self.attached(http, owner)
        upload(http, owner, "m.eml", mail("New", a_txt=b"new file"))
        names = [name for name, _, _ in self.attached(http, owner)]
        assert names == ["m.eml", "m.eml/a.txt"]
        assert session_value("select count(*) from chunks where text like '%old file%'") == 0
        until(lambda: len(blobs()) == 2)


@pytest.mark.usefixtures("working")
def test_pages_without_text_among_others_are_counted_and_a_chunk_knows_its_place(http, owner):
    document = upload(http, owner, "scan.pdf", pdf("the first page", "", "the third page", ""))
    assert document["facts"]["scanned_pages"] == 2
    assert session_value("select locator->>'page' from chunks where text like '%third%'") == "3"
    found = "select count(*) from chunks where lexemes @@ to_tsquery('english', 'scan & pages')"
    assert session_value(found) == 2
