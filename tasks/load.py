"""An uploaded file, read into pages; what is attached to it becomes documents of their own."""

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from sqlalchemy.orm import Session

from ingest.load.page import Attachment, Facts, LoadError, Page
from models.collection import Collection
from models.document import Document, add_document, lock_uploads, nesting
from models.errors import RedtenError
from models.loose_blob import adopt, loosen
from models.session import session_scope
from tasks import artifacts, chains
from tasks.app import app
from tasks.blobs import fetched, new_document_key, put_patiently
from tasks.flow import Flow
from tasks.lease import Held, running
from tasks.loose import coming, remove_loose, renewing
from tasks.parser import LIMITS, Reading
from tasks.parsing import get_parsers
from tasks.progress import Progress

log = logging.getLogger(__name__)

LONGEST_TITLE, LONGEST_NAME = 500, 512


@dataclass(slots=True)
class Found:
    """What a file holds beside the text of its pages; attachments are name and place."""

    kind: str
    facts: Facts = field(default_factory=Facts)
    blank: int = 0
    attachments: list[tuple[str, Path]] = field(default_factory=list)


@app.task
def load_document(tenant_id: int, id: int, attempt: int) -> Flow:
    """Reads the file page by page and keeps the pages for the next step."""
    flow = Flow(kind="document", tenant_id=tenant_id, id=id, attempt=attempt, seconds={})
    with running(flow, "load_document", then="chunk_document") as held:
        log.info("document %d attempt %d: started", id, attempt)
        _take_recipe(flow, held)
        try:
            with fetched(held.record.blob) as path:
                _load(flow, held, path)
        except KeyError as error:
            raise RedtenError("blob_missing", "the uploaded file is gone: send it again") from error
    return flow


def _take_recipe(flow: Flow, held: Held) -> None:
    """Decides for which version of the collection this is."""
    with session_scope(flow["tenant_id"]) as session:
        collection = session.get_one(Collection, held.record.collection_id)
        flow["recipe"] = collection.recipe(held.record.version)
        version = flow["recipe"]["version"]
        Document.describe(session, flow["id"], flow["attempt"], version=version)


def _load(flow: Flow, held: Held, path: Path) -> None:
    document = held.record
    with get_parsers().reading(path, document.name, held.insist, document.tenant_id) as reading:
        found = Found(reading.kind)
        pages = _pages(flow, reading, found, path.parent)
        flow["pages"] = artifacts.write_pages(flow, pages)
    children = _enter(flow, document, found)
    for child in children:
        chains.send("document", child.tenant_id, child.id, child.attempt)


def _pages(flow: Flow, reading: Reading, found: Found, folder: Path) -> Iterator[Page]:
    """The pages as they come; all else is put down in `found`, attachments in the folder."""
    count = 0
    with Progress(flow, "load", reading.pages) as progress:
        for item in reading.items:
            match item:
                case Page():
                    count += 1
                    found.blank += not item.text.strip()
                    yield item
                    progress.reached(count)
                case Attachment():
                    place = folder / f"attachment-{len(found.attachments)}"
                    place.write_bytes(item.content)
                    found.attachments.append((item.name, place))
                case Facts():
                    found.facts = item


def _enter(flow: Flow, document: Document, found: Found) -> list[Document]:
    """Writes down what the file says of itself; gives its new attachments."""
    tenant_id, named = flow["tenant_id"], list(_named_apart(found.attachments))
    wanted = [_child(document, name, path) for name, path in named]
    places = [one.blob for one in wanted]
    with session_scope(tenant_id) as session:
        if wanted and nesting(session, document) >= LIMITS.nesting:
            raise LoadError("nested_too_deep", "files within files within files: too many of them")
        loosen(session, tenant_id, *places)
    with coming(tenant_id, *places):
        for child, (_, path) in renewing(tenant_id, places, zip(wanted, named, strict=True)):
            put_patiently(child.blob, path)
        with session_scope(tenant_id) as session:
            lock_uploads(session, document.collection_id)
            ours = Document.describe(session, flow["id"], flow["attempt"], **_described(found))
            entered = [_entered(session, one) for one in wanted] if ours else []
    new = [one for one, _ in entered if one in wanted]
    unused = {*places, *(blob for _, blobs in entered for blob in blobs)}
    remove_loose(tenant_id, unused - {one.blob for one in new})
    return new


def _entered(session: Session, wanted: Document) -> tuple[Document, list[str]]:
    document, unused = add_document(session, wanted)
    if document is wanted:
        adopt(session, wanted.tenant_id, wanted.blob)
    return document, unused


def _described(found: Found) -> dict[str, object]:
    facts = found.facts
    told: dict[str, object] = {"author": facts.author} if facts.author else {}
    if found.attachments:
        told["attachments"] = len(found.attachments)
    if found.kind == "pdf" and found.blank:
        told["scanned_pages"] = found.blank
    title = " ".join(facts.title.split())[:LONGEST_TITLE]
    return {"kind": found.kind, "title": title, "dated_at": facts.dated, "facts": told}


def _named_apart(attachments: list[tuple[str, Path]]) -> Iterator[tuple[str, Path]]:
    """Each under a name of its own: `image.png`, `image (2).png`."""
    times: dict[str, int] = {}
    for name, path in attachments:
        times[name] = times.get(name, 0) + 1
        inner = PurePosixPath(name)
        again = inner.parent / f"{inner.stem} ({times[name]}){inner.suffix}"
        yield name if times[name] == 1 else str(again), path


def _child(parent: Document, name: str, path: Path) -> Document:
    """A document of an attachment, whose content is not in the store yet."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Document(
        tenant_id=parent.tenant_id,
        collection_id=parent.collection_id,
        parent_id=parent.id,
        name=f"{parent.name}/{name}"[:LONGEST_NAME],
        content_sha256=sha256,
        size_in_bytes=path.stat().st_size,
        blob=new_document_key(parent.collection_id),
        tags=parent.tags,
        step=Document.FIRST_STEP,
    )
