"""What Word, PowerPoint and Excel files share: how they break, and what they say of themselves."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from lxml import etree

from ingest.load.page import Facts, LoadError

CORE = "docProps/core.xml"
TITLE = "{http://purl.org/dc/elements/1.1/}title"
AUTHOR = "{http://purl.org/dc/elements/1.1/}creator"
CREATED = "{http://purl.org/dc/terms/}created"
# The readers check little, so damage surfaces as whatever their code happens to trip over.
DAMAGE = (
    *(ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, SyntaxError),
    *(TypeError, ValueError, EOFError, BadZipFile, zlib.error, etree.LxmlError),
)


@contextmanager
def reading(what: str, *more: type[Exception]) -> Iterator[None]:
    """Tells of a file that its reader cannot read by a LoadError; `more` are its own errors."""
    try:
        yield
    except (*DAMAGE, *more) as exc:
        message = f"the {what} is damaged or incomplete"
        raise LoadError("broken_document", message) from exc


def facts(path: Path) -> Facts:
    """What the document's properties say, where there are any.

    Read here since each of the readers makes up properties of its own where they are missing.
    """
    with ZipFile(path) as archive:
        if CORE not in archive.namelist():
            return Facts()
        parser = etree.XMLParser(resolve_entities=False)
        root = etree.fromstring(archive.read(CORE), parser)
    title, author, created = ((root.findtext(tag) or "") for tag in (TITLE, AUTHOR, CREATED))
    return Facts(title.strip(), author.strip(), _moment(created.strip()))


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
