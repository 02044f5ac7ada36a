"""What a file gives when it is loaded, for tests of the formats."""

from pathlib import Path

import pytest

from ingest.load import Attachment, Facts, LoadError, Page, load


def saved(folder: Path, content: bytes | str) -> Path:
    """The content as a file, under a name that tells nothing."""
    path = folder / "blob"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def pages(path: Path, name: str) -> list[Page]:
    found = [item for item in load(path, name) if isinstance(item, Page)]
    assert [page.number for page in found] == list(range(1, len(found) + 1))
    return found


def texts(path: Path, name: str) -> list[str]:
    return [page.text for page in pages(path, name)]


def facts(path: Path, name: str) -> Facts:
    first = next(iter(load(path, name)))
    assert isinstance(first, Facts)
    return first


def attachments(path: Path, name: str) -> list[Attachment]:
    return [item for item in load(path, name) if isinstance(item, Attachment)]


def titles(page: Page) -> list[tuple[int, str, str]]:
    """Level and title of each heading, and the line of the text that it stands on."""
    return [
        (heading.level, heading.title, page.text[heading.start :].split("\n", 1)[0])
        for heading in page.headings
    ]


def refusal(path: Path, name: str) -> LoadError:
    with pytest.raises(LoadError) as caught:
        list(load(path, name))
    return caught.value
