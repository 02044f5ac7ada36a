"""A source, compared with what its collection has of it: each thing in it by itself."""

import logging
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from celery.exceptions import Ignore
from sqlalchemy import func

from ingest.sources.folder import Folder
from ingest.sources.item import Item, Remote, Sink, SourceError
from models.addresses import bucket_and_prefix, checked_address, folders_for, web_refusal
from models.document import Document, lock_uploads
from models.errors import RedtenError
from models.loose_blob import adopt, loosen
from models.quota import check_storage
from models.session import session_scope
from models.source import Source, SourceRun, open_run
from models.source_item import SourceItem, items_of, note_version, put_item, remove_items
from settings import settings
from tasks import chains
from tasks.app import app
from tasks.blobs import new_document_key, put_patiently
from tasks.flow import Flow
from tasks.lease import claimed
from tasks.loose import coming, remove_loose, remove_work

log = logging.getLogger(__name__)

LONGEST_NAME = 512
MOST_MESSAGES = 100
CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


@dataclass(slots=True)
class Comparison:
    """A run under way: what the source has, by name, what it had before, and what went wrong.

    Nothing larger than `most_bytes` is taken.
    """

    source: Source
    run_id: int
    remote: Remote
    most_bytes: int
    before: Mapping[str, SourceItem]
    found: dict[str, Item] = field(default_factory=dict)
    failures: list[dict[str, str]] = field(default_factory=list)
    not_brought: int = 0
    complete: bool = True

    def fail(self, name: str, code: str, message: str) -> None:
        """One thing that is left as it was."""
        # Both come from outside.
        name, message = (UNSTORABLE.sub("\ufffd", one) for one in (name[:LONGEST_NAME], message))
        self.failures.append({"name": name, "code": code, "message": message})

    def known(self, name: str) -> str:
        """The version that its document was made of; empty if there is none."""
        item = self.before.get(name)
        return item.version if item is not None and item.document_id is not None else ""


@app.task
def sync_source(tenant_id: int, id: int, attempt: int) -> None:
    """Brings what is new or has changed, removes what has vanished, and reports the run.

    An attempt that dies leaves its run open, and what it has brought; the next one goes on there.
    """
    flow = Flow(kind="source", tenant_id=tenant_id, id=id, attempt=attempt, seconds={})
    with claimed(flow, "sync_source") as held:
        log.info("source %d attempt %d: started", id, attempt)
        comparison = _begin(held.record)
        _list(comparison)
        for item in comparison.found.values():
            if not held.ours():
                raise Ignore
            _bring_or_fail(comparison, item)
        _end(comparison)


def _begin(source: Source) -> Comparison:
    with session_scope(source.tenant_id) as session:
        run, before = open_run(session, source), items_of(session, source.id)
    remote, most_bytes = _remote(source)
    return Comparison(source, run.id, remote, most_bytes, before)


def _remote(source: Source) -> tuple[Remote, int]:
    """The place behind the address, and the size of the largest thing to be read there.

    boto3 and feedparser are heavy, and most workers never need them.
    """
    address = checked_address(source.address, source.tenant_id)
    try:
        if address.startswith("/"):
            folders = folders_for(source.tenant_id)
            return Folder(Path(address), folders), settings.max_upload_bytes
        if address.startswith("s3://"):
            from ingest.sources.bucket import Bucket

            bucket = Bucket(*bucket_and_prefix(address), settings.s3_endpoint)
            return bucket, settings.max_upload_bytes
        from ingest.sources.fetch import Guard
        from ingest.sources.web import Web

        guard = Guard(web_refusal, settings.web_networks, settings.web_limit_s)
        return Web(address, guard, settings.web_bytes), settings.web_bytes
    except SourceError as error:
        raise RedtenError(error.code, str(error)) from error


def _list(comparison: Comparison) -> None:
    """Raises RedtenError if there is no list that could be trusted."""
    known = {name: comparison.known(name) for name in comparison.before}
    try:
        for item in comparison.remote.items(known):
            _take(comparison, item)
    except SourceError as error:
        if error.code != "incomplete" or not comparison.found:
            raise RedtenError(error.code, str(error)) from error
        comparison.complete = False
        comparison.fail(comparison.source.address, error.code, str(error))
    if comparison.before and not comparison.found:
        # A disk that is not mounted looks just so.
        raise RedtenError(
            "empty_source",
            f"{comparison.source.address} has come back empty, and nothing was removed:"
            " if it is meant to be empty, remove the source with its documents",
        )


def _take(comparison: Comparison, item: Item) -> None:
    name = comparison.source.prefix + item.name
    if CONTROL.search(name) or not item.name or len(name) > LONGEST_NAME:
        said = f"a document's name has 1 to {LONGEST_NAME} characters, all printable"
        comparison.fail(item.name, "bad_name", said)
    elif item.name in comparison.found:
        comparison.fail(item.name, "same_name", "another one goes by the same name")
    elif len(comparison.found) == settings.source_items:
        said = f"more than {settings.source_items} documents (REDTEN_SOURCE_ITEMS)"
        raise RedtenError("too_many_items", said)
    else:
        comparison.found[item.name] = item


def _bring_or_fail(comparison: Comparison, item: Item) -> None:
    try:
        _bring(comparison, item)
    except (SourceError, RedtenError) as error:
        if error.code == "no_space":
            raise  # for the others there is none either
        comparison.fail(item.name, error.code, str(error))
        comparison.not_brought += 1


def _bring(comparison: Comparison, item: Item) -> None:
    known = comparison.known(item.name)
    if known and item.version == known:
        return
    with tempfile.NamedTemporaryFile(prefix="redten-") as file:
        sink = Sink(cast("BinaryIO", file), comparison.most_bytes)
        version: str | None = item.version
        if item.content is not None:
            sink.write(item.content)
        else:
            version = comparison.remote.read(item, known, sink)
        file.flush()
        if version is not None:
            _keep(comparison, item.name, version, sink, Path(file.name))


def _keep(comparison: Comparison, name: str, version: str, sink: Sink, path: Path) -> None:
    source, before = comparison.source, comparison.before.get(name)
    if not sink.size:
        raise SourceError("empty_document", "it is empty")
    if before and before.document_id is not None and before.content_sha256 == sink.sha256:
        with session_scope(source.tenant_id) as session:
            return note_version(session, source.id, name, version)
    wanted = Document(
        tenant_id=source.tenant_id,
        collection_id=source.collection_id,
        name=source.prefix + name,
        content_sha256=sink.sha256,
        size_in_bytes=sink.size,
        blob=new_document_key(source.collection_id),
        synced=True,
        step=Document.FIRST_STEP,
    )
    with session_scope(source.tenant_id) as session:
        check_storage(session, source.tenant_id, sink.size)
        loosen(session, source.tenant_id, wanted.blob)
    with coming(source.tenant_id, wanted.blob):
        # Before its row: whoever sees the row finds the file.
        put_patiently(wanted.blob, path)
        _put(comparison, name, version, wanted)


def _put(comparison: Comparison, name: str, version: str, wanted: Document) -> None:
    source = comparison.source
    counted = SourceRun.changed if name in comparison.before else SourceRun.added
    with session_scope(source.tenant_id) as session:
        lock_uploads(session, source.collection_id)
        # An attempt that has been taken over must not bring what the newer one brings.
        if not Source.extend(session, source.id, source.attempt, Source.FIRST_STEP):
            raise Ignore
        document, unused = put_item(session, source, name, version, wanted)
        if document is wanted:
            adopt(session, source.tenant_id, wanted.blob)
        run = session.get_one(SourceRun, comparison.run_id)
        setattr(run, counted.key, counted + 1)
    remove_loose(source.tenant_id, unused)
    if document is wanted:
        chains.send("document", document.tenant_id, document.id, document.attempt)


def _moved(run: SourceRun) -> int:
    """What has been brought, by earlier attempts too."""
    return run.added + run.changed


def _end(comparison: Comparison) -> None:
    source = comparison.source
    missing = [name for name in comparison.before if name not in comparison.found]
    vanished = missing if comparison.complete else []
    with session_scope(source.tenant_id, long=True) as session:
        removed = remove_items(session, source, vanished)
        run = session.get_one(SourceRun, comparison.run_id)
        run.removed, run.failed = len(vanished), len(comparison.failures)
        run.unchanged = max(0, len(comparison.found) - _moved(run) - comparison.not_brought)
        run.messages, run.ended_at = comparison.failures[:MOST_MESSAGES], func.now()
        if not Source.finish(session, source.id, source.attempt, Source.FIRST_STEP):
            raise Ignore
    for id, blobs in removed.items():
        remove_work(source.tenant_id, id)
        remove_loose(source.tenant_id, blobs)
    log.info("source %d attempt %d: done", source.id, source.attempt)
