"""Collections and the documents in them."""

from typing import Any

from apiflask import APIBlueprint
from flask import Response, request

from api.auth import caller, signed_in
from api.collection_replies import CollectionOut, CollectionsOut, DocumentOut, DocumentsOut
from api.file_body import FileBody
from api.replies import GoneOut
from api.schemas import CollectionIn, DocumentsIn, RecipeIn, UploadIn
from models import rebuild
from models.collection import (
    Shelf,
    add_collection,
    collections,
    find_collection,
    find_document,
    writable_collection,
)
from models.document import (
    Document,
    add_document,
    documents,
    lock_uploads,
    remove_document,
)
from models.errors import RedtenError
from models.loose_blob import adopt, loosen
from models.quota import check_documents, check_storage
from models.removal import removable_collection, remove_collection
from models.session import session_scope
from models.user_data import data_lost, find_data
from tasks import chains
from tasks.blobs import get_blobs, new_document_key
from tasks.loose import coming, remove_collection_blobs, remove_loose, remove_work, renewing
from tasks.uploads import place

blueprint = APIBlueprint("collections", __name__, tag="Collections")


def _shelf(shelf: Shelf) -> dict[str, Any]:
    names = CollectionOut.model_fields.keys() - {"mine", "documents", "chunks", "rebuild"}
    return {name: getattr(shelf.collection, name) for name in names} | {
        "mine": shelf.collection.owner_id == caller().user_id,
        "documents": shelf.documents,
        "chunks": shelf.chunks,
        "rebuild": _rebuild(shelf),
    }


def _rebuild(shelf: Shelf) -> dict[str, Any] | None:
    """How far it is; nothing once its version is in service."""
    made = shelf.collection.rebuild
    if made is None or "switched_at" in made:
        return None
    counts = {"documents": shelf.documents, "done": shelf.rebuilt}
    return {**made, **counts, "given_up": made.get("given_up")}


def _document(document: Document, collection: str, unchanged: bool = False) -> dict[str, Any]:
    names = DocumentOut.model_fields.keys() - {"collection", "unchanged"}
    shown = {name: getattr(document, name) for name in names}
    return shown | {"collection": collection, "unchanged": unchanged}


@blueprint.get("/collections")
@blueprint.output(CollectionsOut)
@signed_in(blueprint)
def list_collections() -> dict[str, Any]:
    """List all collections that you can read."""
    with session_scope(caller().tenant_id) as session:
        return {"collections": [_shelf(shelf) for shelf in collections(session, caller())]}


@blueprint.post("/collections")
@blueprint.input(CollectionIn)
@blueprint.output(CollectionOut, status_code=201)
@signed_in(blueprint)
def create_collection(json_data: CollectionIn) -> dict[str, Any]:
    """Make a collection of your own."""
    with session_scope(caller().tenant_id) as session:
        made = add_collection(
            session,
            caller(),
            json_data.name,
            json_data.visibility,
            json_data.notes,
            **json_data.recipe(),
        )
        rebuild.check(session, made.recipe())
    return _shelf(Shelf(made, 0, 0))


@blueprint.patch("/collections/<ref>")
@blueprint.input(RecipeIn)
@blueprint.output(CollectionOut, status_code=202)
@signed_in(blueprint)
def change_collection(ref: str, json_data: RecipeIn) -> dict[str, Any]:
    """Change how the collection's documents are cut, indexed or embedded.

    All are read again in the background; until they are, the collection serves as it was.
    """
    # Who goes back on a change has the chunks of the other version removed.
    with session_scope(caller().tenant_id, long=True) as session:
        collection = writable_collection(session, caller(), ref)
        rebuild.begin(session, collection, json_data.recipe())
        moved = rebuild.advance(session, collection.id)
        [shelf] = [one for one in collections(session, caller()) if one.collection is collection]
    for document in moved:
        chains.send("document", document.tenant_id, document.id, document.attempt)
    return _shelf(shelf)


@blueprint.delete("/collections/<ref>")
@blueprint.output(GoneOut)
@signed_in(blueprint)
def delete_collection(ref: str) -> dict[str, Any]:
    """Remove a collection with all its documents and sources; answers drawn from it stay."""
    with session_scope(caller().tenant_id, long=True) as session:
        collection = removable_collection(session, caller(), ref)
        removed = remove_collection(session, collection)
    remove_collection_blobs(removed)
    return {"id": removed.collection_id}


@blueprint.get("/collections/<ref>/documents")
@blueprint.input(DocumentsIn, location="query")
@blueprint.output(DocumentsOut)
@signed_in(blueprint)
def list_documents(ref: str, query_data: DocumentsIn) -> dict[str, Any]:
    """List the documents of a collection, failed and unfinished ones too."""
    with session_scope(caller().tenant_id) as session:
        collection = find_collection(session, caller(), ref)
        found = documents(session, collection.id, query_data.parent_id)
    return {"documents": [_document(one, collection.name) for one in found]}


@blueprint.post("/collections/<ref>/documents")
@blueprint.input(UploadIn, location="query")
@blueprint.output(DocumentOut, status_code=202)
@signed_in(blueprint)
def upload_document(ref: str, query_data: UploadIn) -> Response | tuple[dict[str, Any], int]:
    """Send a file as the body, or name one of your own data; it is read and indexed afterwards.

    202 with the document; 200 with `unchanged` if the collection has this very content already.
    """
    with session_scope(caller().tenant_id) as session:
        collection = writable_collection(session, caller(), ref)
        wanted = Document(
            tenant_id=collection.tenant_id,
            collection_id=collection.id,
            blob=new_document_key(collection.id),
            step=Document.FIRST_STEP,
        )
        loosen(session, wanted.tenant_id, wanted.blob)
    with coming(wanted.tenant_id, wanted.blob):
        # Before its row: whoever sees the row finds the file.
        if query_data.data_id is None:
            _receive(wanted, query_data.name)
        else:
            _copy(wanted, query_data.name, query_data.data_id)
        document, unused = _enter(wanted)
    remove_loose(wanted.tenant_id, unused)
    if document is wanted:
        chains.send("document", document.tenant_id, document.id, document.attempt)
        return _document(document, collection.name), 202
    return _document(document, collection.name, unchanged=True), 200


def _receive(wanted: Document, name: str | None) -> None:
    """Stores the body as the document's content."""
    with FileBody() as body:
        if name is None:
            raise RedtenError("no_name", "name: a document needs one")
        _check_quotas(wanted.tenant_id, body.announced)
        pieces = renewing(wanted.tenant_id, [wanted.blob], body.pieces())
        get_blobs().put_stream(wanted.blob, pieces)
    wanted.name, wanted.content_sha256, wanted.size_in_bytes = name, body.sha256, body.size


def _copy(wanted: Document, name: str | None, data_id: int) -> None:
    """Stores a copy of one of the caller's own data as the document's content."""
    if request.stream.read(1):
        raise RedtenError("two_contents", "send a file or name one by data_id, not both")
    with session_scope(caller().tenant_id) as session:
        data = find_data(session, caller(), data_id)
    _check_quotas(wanted.tenant_id, data.size_in_bytes)
    source, key = place(data.sloc)
    try:
        get_blobs().copy_from(source, key, wanted.blob)
    except KeyError as error:
        raise data_lost(data) from error
    wanted.name = name or data.filename
    wanted.content_sha256, wanted.size_in_bytes = data.content_sha256, data.size_in_bytes


def _check_quotas(tenant_id: int, more_bytes: int) -> None:
    with session_scope(tenant_id) as session:
        check_documents(session, tenant_id)
        check_storage(session, tenant_id, more_bytes)


def _enter(wanted: Document) -> tuple[Document, list[str]]:
    """As `add_document`; the collection may have been removed while the content came."""
    with session_scope(caller().tenant_id) as session:
        lock_uploads(session, wanted.collection_id)
        find_collection(session, caller(), str(wanted.collection_id))
        check_storage(session, wanted.tenant_id, wanted.size_in_bytes)
        document, unused = add_document(session, wanted)
        if document is wanted:
            adopt(session, wanted.tenant_id, wanted.blob)
    return document, unused


@blueprint.delete("/collections/<ref>/documents/<number:id>")
@blueprint.output(GoneOut)
@signed_in(blueprint)
def delete_document(ref: str, id: int) -> dict[str, Any]:
    """Remove a document and everything that was made of it."""
    with session_scope(caller().tenant_id) as session:
        collection = writable_collection(session, caller(), ref)
        blobs = remove_document(session, collection.id, id)
    remove_loose(collection.tenant_id, blobs)
    remove_work(collection.tenant_id, id)
    return {"id": id}


@blueprint.get("/documents/<number:id>")
@blueprint.output(DocumentOut)
@signed_in(blueprint)
def get_document(id: int) -> dict[str, Any]:
    """See how far a document has come."""
    with session_scope(caller().tenant_id) as session:
        document, collection = find_document(session, caller(), id)
    return _document(document, collection)
