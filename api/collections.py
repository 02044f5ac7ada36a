"""Collections and the documents in them."""

import hashlib
import sys
import tempfile
from pathlib import Path
from typing import Any, cast

from apiflask import APIBlueprint
from flask import Response, request

from api.auth import caller, signed_in
from api.replies import CollectionOut, CollectionsOut, DocumentOut, DocumentsOut, GoneOut
from api.schemas import CollectionIn, UploadIn
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
    remove_document,
)
from models.errors import RedtenError
from models.session import session_scope
from settings import settings
from tasks import chains
from tasks.blobs import get_blobs, new_document_key, work_key

blueprint = APIBlueprint("collections", __name__, tag="Collections")

PIECE_BYTES = 1 << 20


def _shelf(shelf: Shelf) -> dict[str, Any]:
    names = CollectionOut.model_fields.keys() - {"mine", "documents", "chunks"}
    return {name: getattr(shelf.collection, name) for name in names} | {
        "mine": shelf.collection.owner_id == caller().user_id,
        "documents": shelf.documents,
        "chunks": shelf.chunks,
    }


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
            session, caller(), json_data.name, json_data.visibility, json_data.notes
        )
    return _shelf(Shelf(made, 0, 0))


@blueprint.get("/collections/<ref>/documents")
@blueprint.output(DocumentsOut)
@signed_in(blueprint)
def list_documents(ref: str) -> dict[str, Any]:
    """List the documents of a collection, failed and unfinished ones too."""
    with session_scope(caller().tenant_id) as session:
        collection = find_collection(session, caller(), ref)
        found = documents(session, collection.id)
    return {"documents": [_document(one, collection.name) for one in found]}


@blueprint.post("/collections/<ref>/documents")
@blueprint.input(UploadIn, location="query")
@blueprint.output(DocumentOut, status_code=202)
@signed_in(blueprint)
def upload_document(ref: str, query_data: UploadIn) -> Response | tuple[dict[str, Any], int]:
    """Send a file, as the body; it is read and indexed afterwards.

    202 with the document; 200 with `unchanged` if the collection has this very content already.
    """
    with session_scope(caller().tenant_id) as session:
        collection = writable_collection(session, caller(), ref)
    with tempfile.NamedTemporaryFile(prefix="redten-") as file:
        sha256, size = _receive(cast(Any, file))
        wanted = Document(
            tenant_id=collection.tenant_id,
            collection_id=collection.id,
            name=query_data.name,
            content_sha256=sha256,
            size_in_bytes=size,
            blob=new_document_key(collection.id),
            step=Document.FIRST_STEP,
        )
        # Before its row: whoever sees the row finds the file.
        get_blobs().put(wanted.blob, Path(file.name))
    with session_scope(caller().tenant_id) as session:
        document, unused = add_document(session, wanted)
    for blob in unused:
        get_blobs().remove(blob)
    if document is wanted:
        chains.send("document", document.tenant_id, document.id, document.attempt)
        return _document(document, collection.name), 202
    return _document(document, collection.name, unchanged=True), 200


def _receive(file: Any) -> tuple[str, int]:
    """The body into the file, piece by piece; gives its SHA-256 and size in bytes.

    One that is too large is read on for a while: a client that is still sending would see a broken
    connection instead of the refusal.
    """
    most = settings.max_upload_bytes
    request.max_content_length = sys.maxsize  # the limit of JSON bodies does not hold here
    sha256, size = hashlib.sha256(), 0
    while size <= 2 * most and (piece := request.stream.read(PIECE_BYTES)):
        size += len(piece)
        if size <= most:
            sha256.update(piece)
            file.write(piece)
    file.flush()
    _check_size(size, most)
    return sha256.hexdigest(), size


def _check_size(size: int, most: int) -> None:
    announced = request.content_length
    if size > most:
        raise RedtenError("too_large", f"the document is larger than {most} bytes")
    if announced is not None and announced != size:
        raise RedtenError("incomplete_document", f"{size} of {announced} bytes came: send it again")
    if not size:
        raise RedtenError("empty_document", "the document is empty: send the file as the body")


@blueprint.delete("/collections/<ref>/documents/<number:id>")
@blueprint.output(GoneOut)
@signed_in(blueprint)
def delete_document(ref: str, id: int) -> dict[str, Any]:
    """Remove a document and everything that was made of it."""
    with session_scope(caller().tenant_id) as session:
        collection = writable_collection(session, caller(), ref)
        blob = remove_document(session, collection.id, id)
    for key in (blob, work_key(collection.tenant_id, id)):
        get_blobs().remove(key)
    return {"id": id}


@blueprint.get("/documents/<number:id>")
@blueprint.output(DocumentOut)
@signed_in(blueprint)
def get_document(id: int) -> dict[str, Any]:
    """See how far a document has come."""
    with session_scope(caller().tenant_id) as session:
        document, collection = find_document(session, caller(), id)
    return _document(document, collection)
