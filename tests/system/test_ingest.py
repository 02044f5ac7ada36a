"""`redten ingest`: what becomes of good files, bad files, and files that change."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader, PdfWriter
from reportlab.pdfgen.canvas import Canvas

from tests.system.commands import redten, redten_json
from tests.system.jobs import answered, ask
from tests.system.people import Person, stranger
from tests.system.stack import Stack

GOOD = ["boats.pdf", "notes/winds.md", "pilots.csv"]
BAD = {
    "blob.bin": "binary_document",
    "broken.pdf": "broken_document",
    "empty.txt": "empty_document",
    "locked.pdf": "encrypted_document",
}
COLLECTION = "harbour"


@dataclass(frozen=True)
class Ingested:
    """A mixed folder that was ingested once, and what the command said."""

    owner: Person
    folder: Path
    exit_code: int
    said: dict[str, Any]


def ingest(owner: Person, folder: Path, collection: str = COLLECTION) -> tuple[int, dict[str, Any]]:
    ended = redten(owner, "ingest", folder, "-c", collection, "--json")
    return ended.returncode, json.loads(ended.stdout)


def write_pdf(path: Path, *pages: str) -> None:
    canvas = Canvas(str(path))
    for text in pages:
        canvas.drawString(72, 720, text)
        canvas.showPage()
    canvas.save()


def lock(source: Path, target: Path) -> None:
    writer = PdfWriter(clone_from=PdfReader(source))
    writer.encrypt("a secret", algorithm="AES-256")
    with target.open("wb") as file:
        writer.write(file)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three files that can be read, one of them in a folder, and four that cannot."""
    folder = tmp_path_factory.mktemp("harbour")
    pages = "The harbour has a slipway.", "The ferry Marigold was built in 1932."
    write_pdf(folder / "boats.pdf", *pages)
    (folder / "pilots.csv").write_text("pilot,boat\nAbner Crowe,Swift\nIda Finch,Petrel\n")
    (folder / "notes").mkdir()
    (folder / "notes" / "winds.md").write_text("# Winds\n\nThe north wind is called the Grinder.\n")
    (folder / "empty.txt").touch()
    (folder / "broken.pdf").write_bytes((folder / "boats.pdf").read_bytes()[:200])
    lock(folder / "boats.pdf", folder / "locked.pdf")
    (folder / "blob.bin").write_bytes(bytes(range(256)) * 64)
    return folder


@pytest.fixture(scope="module")
def ingested(stack: Stack, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Ingested:
    home = tmp_path_factory.mktemp("owner")
    owner = stranger(stack.door, stack.client, home).known()
    return Ingested(owner, folder, *ingest(owner, folder))


def by_status(said: dict[str, Any], status: str) -> list[str]:
    return [one["name"] for one in said["documents"] if one["status"] == status]


def nearest(owner: Person, question: str, collection: str = COLLECTION) -> dict[str, Any]:
    """The passage nearest to the question."""
    [passage] = passages(owner, question, collection, 1)
    return passage


def passages(owner: Person, question: str, collection: str, most: int) -> list[dict[str, Any]]:
    """The passages nearest to the question, near or not."""
    asked = ask(owner.door, question, collection, max_tokens=1, match_docs=most, min_q_score=-1)
    return list(answered(owner.door, asked)["data"]["passages"])


def test_bad_files_are_reported_with_their_reasons(ingested: Ingested) -> None:
    failed = {one["name"]: one for one in ingested.said["documents"] if one["status"] == "failed"}

    assert ingested.exit_code == 1
    assert {name: one["code"] for name, one in failed.items()} == BAD
    assert all(one["reason"] for one in failed.values())


def test_the_summary_counts_what_was_done(ingested: Ingested) -> None:
    counts = {name: ingested.said[name] for name in ("files", "pages", "unchanged", "failed")}

    assert counts == {"files": 7, "pages": 4, "unchanged": 0, "failed": 4}
    assert by_status(ingested.said, "stored") == GOOD


def test_people_are_told_too(ingested: Ingested) -> None:
    ended = redten(ingested.owner, "ingest", ingested.folder / "empty.txt", "-c", COLLECTION)

    assert ended.returncode == 1
    assert "failed  empty.txt: " in ended.stdout


@pytest.mark.parametrize(
    ("question", "source", "page", "fact"),
    [
        ("When was the ferry Marigold built?", "boats.pdf", 2, "1932"),
        ("Which boat does Ida Finch have?", "pilots.csv", 1, "Petrel"),
        ("What is the north wind called?", "notes/winds.md", 1, "Grinder"),
    ],
)
def test_the_good_files_are_searchable(
    ingested: Ingested, question: str, source: str, page: int, fact: str
) -> None:
    passage = nearest(ingested.owner, question)

    assert (passage["source"], passage["page"]) == (source, page)
    assert fact in passage["text"]


def test_a_second_time_nothing_is_stored_again(ingested: Ingested) -> None:
    before = redten_json(ingested.owner, "collections")

    exit_code, said = ingest(ingested.owner, ingested.folder)

    assert exit_code == 1
    assert by_status(said, "unchanged") == GOOD
    assert by_status(said, "failed") == sorted(BAD)
    after = redten_json(ingested.owner, "collections")
    assert [one["chunks"] for one in after] == [one["chunks"] for one in before]


def test_a_changed_file_replaces_its_older_version(person: Person, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "keeper.md").write_text("The keeper of the harbour is Abner Crowe.")
    ingest(person, folder, "mine")
    (folder / "keeper.md").write_text("The keeper of the harbour is Ida Finch.")

    exit_code, said = ingest(person, folder, "mine")

    assert (exit_code, by_status(said, "stored")) == (0, ["keeper.md"])
    [document] = redten_json(person, "documents", "-c", "mine")
    assert (document["name"], document["status"]) == ("keeper.md", "done")
    [collection] = [one for one in redten_json(person, "collections") if one["name"] == "mine"]
    assert (collection["documents"], collection["chunks"]) == (1, 1)
    assert "Ida Finch" in nearest(person, "Who keeps the harbour?", "mine")["text"]


def test_a_file_that_becomes_a_copy_of_another_replaces_its_older_version(
    person: Person, tmp_path: Path
) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.md").write_text("Alpha is the red buoy.")
    (folder / "b.md").write_text("Beta is the green buoy.")
    ingest(person, folder, "mine")
    (folder / "a.md").write_text("Beta is the green buoy.")

    exit_code, _ = ingest(person, folder, "mine")

    assert exit_code == 0
    # The same content is kept once, under the name that it came by last.
    assert [one["name"] for one in redten_json(person, "documents", "-c", "mine")] == ["b.md"]
    found = passages(person, "Which buoy is Alpha?", "mine", 3)
    assert {one["text"] for one in found} == {"Beta is the green buoy."}


def test_a_document_of_some_megabytes_is_taken(person: Person, tmp_path: Path) -> None:
    large = tmp_path / "bell.txt"
    # Blanks make it large, but no chunks that would have to be embedded.
    large.write_text("\n" * (3 << 20) + "The bell of Yarrow was cast in 1788.")

    exit_code, said = ingest(person, large, "mine")

    assert (exit_code, by_status(said, "stored")) == (0, ["bell.txt"])
    assert "1788" in nearest(person, "When was the bell cast?", "mine")["text"]


def test_a_path_that_is_not_there_fails_and_the_others_go_on(
    person: Person, tmp_path: Path
) -> None:
    (tmp_path / "here.md").write_text("The quay is long.")

    ended = redten(person, "ingest", tmp_path / "gone.md", tmp_path / "here.md", "-c", "mine")

    assert ended.returncode == 1
    assert "gone.md" in ended.stdout
    assert [one["name"] for one in redten_json(person, "documents", "-c", "mine")] == ["here.md"]
