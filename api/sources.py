"""Sources: places outside that collections are kept up to date with."""

from typing import Any

from apiflask import APIBlueprint

from api.auth import caller, signed_in
from api.replies import GoneOut, Out, Stamp
from api.schemas import SourceGoneIn, SourceIn
from models.addresses import checked_address
from models.collection import writable_collection
from models.errors import RedtenError
from models.quota import check_documents
from models.session import session_scope
from models.source import (
    Kept,
    Source,
    SourceRun,
    add_source,
    find_source,
    runs_of,
    sources,
)
from models.source_item import remove_source
from tasks import chains
from tasks.loose import remove_loose, remove_work

blueprint = APIBlueprint("sources", __name__, tag="Sources")


class FailureOut(Out):
    """A thing in a source that could not be brought; its older document stays."""

    name: str
    code: str
    message: str


class RunOut(Out):
    """What one run did; `code` says why it ended early. Of the failures the first 100 are told."""

    id: int
    started_at: Stamp
    ended_at: Stamp | None
    added: int
    changed: int
    unchanged: int
    removed: int
    failed: int
    messages: list[FailureOut]
    code: str | None
    msg: str | None


class SourceOut(Out):
    """A source, how far its work is, and its last run; one without `every_s` runs when asked."""

    id: int
    collection: str
    collection_id: int
    address: str
    prefix: str
    every_s: int | None
    next_run_at: Stamp | None
    state: int
    status: str
    code: str | None
    msg: str | None
    created_at: Stamp
    updated_at: Stamp | None
    run: RunOut | None


class SourcesOut(Out):
    """The sources of all collections that the caller may fill."""

    sources: list[SourceOut]
    msg: str = "success"


class SourceRunsOut(SourceOut):
    """A source with its last runs, newest first."""

    runs: list[RunOut]


def _source(kept: Kept) -> dict[str, Any]:
    names = SourceOut.model_fields.keys() - {"collection", "run"}
    shown = {name: getattr(kept.source, name) for name in names}
    return shown | {"collection": kept.collection.name, "run": kept.run}


@blueprint.get("/sources")
@blueprint.output(SourcesOut)
@signed_in(blueprint)
def list_sources() -> dict[str, Any]:
    """List the sources of the collections that you may fill."""
    with session_scope(caller().tenant_id) as session:
        return {"sources": [_source(kept) for kept in sources(session, caller())]}


@blueprint.post("/sources")
@blueprint.input(SourceIn)
@blueprint.output(SourceOut, status_code=201)
@signed_in(blueprint)
def create_source(json_data: SourceIn) -> dict[str, Any]:
    """Keep a collection up to date with a folder of the worker, S3, a page or a feed."""
    address = checked_address(json_data.address, caller().tenant_id)
    with session_scope(caller().tenant_id) as session:
        check_documents(session, caller().tenant_id)
        collection = writable_collection(session, caller(), str(json_data.collection))
        made = add_source(
            session,
            caller(),
            collection,
            address,
            prefix=json_data.prefix,
            every_s=json_data.every_s,
        )
    if made is None:
        raise RedtenError("source_exists", f"{collection.name} is kept up with {address} already")
    _send(made)
    return _source(Kept(made, collection, None))


@blueprint.get("/sources/<number:id>")
@blueprint.output(SourceRunsOut)
@signed_in(blueprint)
def get_source(id: int) -> dict[str, Any]:
    """See how the last runs of a source went."""
    with session_scope(caller().tenant_id) as session:
        kept = find_source(session, caller(), id)
        runs: list[SourceRun] = runs_of(session, id)
    return _source(kept) | {"runs": runs}


@blueprint.post("/sources/<number:id>/run")
@blueprint.output(SourceOut, status_code=202)
@signed_in(blueprint)
def run_source(id: int) -> dict[str, Any]:
    """Read a source now; one that is being read already just goes on."""
    with session_scope(caller().tenant_id) as session:
        kept = find_source(session, caller(), id)
        check_documents(session, caller().tenant_id)
        begun = Source.begin(session, Source.id == id)
    for source in begun:
        _send(source)
    return _source(kept)


@blueprint.delete("/sources/<number:id>")
@blueprint.input(SourceGoneIn, location="query")
@blueprint.output(GoneOut)
@signed_in(blueprint)
def delete_source(id: int, query_data: SourceGoneIn) -> dict[str, Any]:
    """Forget a source; what it has brought stays, unless `documents` is true."""
    tenant_id = caller().tenant_id
    with session_scope(tenant_id, long=True) as session:
        source = find_source(session, caller(), id).source
        removed = remove_source(session, source, query_data.documents)
    for document_id, blobs in removed.items():
        remove_loose(tenant_id, blobs)
        remove_work(tenant_id, document_id)
    return {"id": id}


def _send(source: Source) -> None:
    chains.send("source", source.tenant_id, source.id, source.attempt)
