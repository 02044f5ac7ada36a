"""Files that users upload for themselves: send, search, describe, fetch, remove."""

import re
from contextlib import ExitStack
from pathlib import PurePosixPath
from typing import Any

from apiflask import APIBlueprint
from apiflask.schemas import FileSchema
from flask import Response, redirect, request, send_file
from flask.typing import ResponseReturnValue

from api.auth import caller, signed_in
from api.file_body import FileBody
from api.replies import GoneOut
from api.schemas import DataChangeIn, DataSearchIn
from api.user_data_replies import (
    NO_USER_DATA,
    UserDataChangedOut,
    UserDataFoundOut,
    UserDataOut,
)
from models.errors import RedtenError
from models.loose_blob import adopt, reserve
from models.quota import check_storage
from models.session import session_scope
from models.user_data import (
    SEARCHED,
    UserData,
    add_data,
    change_data,
    check_free,
    data_lost,
    find_data,
    remove_data,
    search_data,
)
from settings import settings
from tasks.blobs import Blobs
from tasks.loose import coming, remove_loose, renewing
from tasks.uploads import computed_place, place, requested_place

blueprint = APIBlueprint("user_data", __name__, tag="Data")

LONGEST_FILENAME, LONGEST_SLOC = 511, 1024
# Optional headers: how long they may be, and what stands for them.
DESCRIBING = {"comments": (512, "file"), "data_type": (64, "file"), "encoding": (64, "na")}
HEADERS = {
    "filename": "What the file is called, 1 to 511 characters.",
    "user_id": "Ignored if it is a positive number, and refused otherwise.",
    "comments": "What you want to remember of it.",
    "data_type": "What kind of file it is, in your own words.",
    "encoding": "How it is encoded, in your own words.",
    "sloc": "Where in S3 to keep it: s3://bucket/key, below a location that the server allows.",
    "s3_enable": "Present: keep it in S3 even if the server keeps files in a folder.",
}


def _shown(data: UserData) -> dict[str, Any]:
    names = UserDataOut.model_fields.keys() - {"data_id", "updated_at", "msg"}
    shown = {name: getattr(data, name) for name in names}
    return shown | {"data_id": data.id, "updated_at": data.updated_at or ""}


@blueprint.post("/user/data")
@blueprint.output(UserDataOut)
@signed_in(blueprint)
def upload_data() -> dict[str, Any]:
    """Send a file as the body, with headers that describe it."""
    with FileBody("No data uploaded in the body") as body:
        told = _told()
        store, key = _chosen_place(told["filename"], body.announced)
        return _shown(_received(body, store, key, told))


def _received(body: FileBody, store: Blobs, key: str, told: dict[str, Any]) -> UserData:
    """Stores the body, then its row: without it nobody would ever find the file."""
    tenant_id, sloc = caller().tenant_id, store.location(key)
    with coming(tenant_id, sloc):
        store.put_stream(key, renewing(tenant_id, [sloc], body.pieces()))
        told |= {"size_in_bytes": body.size, "content_sha256": body.sha256}
        with session_scope(tenant_id) as session:
            check_storage(session, tenant_id, body.size)
            adopt(session, tenant_id, sloc)
            return add_data(session, caller(), **told, sloc=sloc)


def _told() -> dict[str, Any]:
    """What the headers say of the file. They name a user too, but the token decides who calls."""
    named = request.headers.get("user_id")
    if named is not None and not re.fullmatch(r"0*[1-9]\d*", named, re.ASCII):
        # Misspelt as in the contract, which somebody may match on.
        raise RedtenError("bad_user_id", "user_id must be a postive number, or left out")
    if "filename" not in request.headers:
        missing = "Missing required header 'filename' key: it says what the file is called"
        raise RedtenError("missing_header", missing)
    described = {name: _header(name, most) or own for name, (most, own) in DESCRIBING.items()}
    return described | {"filename": _header("filename", LONGEST_FILENAME, least=1)}


def _header(name: str, most: int, least: int = 0) -> str:
    """Its text, "" without it; WSGI knows `data_type` and `data-type` by one name."""
    # WSGI gives headers as Latin-1; clients send UTF-8.
    value = request.headers.get(name, "").encode("latin-1").decode("utf-8", "replace")
    if not least <= len(value) <= most:
        limits = f"between {least} and {most} characters"
        raise RedtenError("bad_header", f"The header value for '{name}' must be {limits}")
    if re.search(r"[\x00-\x1f\x7f]", value):
        raise RedtenError("bad_header", f"The header value for '{name}' has control characters")
    return value


def _chosen_place(filename: str, announced: int) -> tuple[Blobs, str]:
    who, in_s3 = caller(), "s3_enable" in request.headers
    if sloc := _header("sloc", LONGEST_SLOC):
        store, key = requested_place(sloc, who.tenant_id)
    else:
        store, key = computed_place(who.tenant_id, who.user_id, filename, in_s3)
    with session_scope(who.tenant_id) as session:
        check_storage(session, who.tenant_id, announced)
        # Before all the bytes have come; where two come at once, the second is refused.
        check_free(session, store.location(key))
        reserve(session, who.tenant_id, store.location(key))
    return store, key


@blueprint.post("/user/data/search")
@blueprint.input(DataSearchIn)
@blueprint.output(UserDataFoundOut)
@signed_in(blueprint)
def search_user_data(json_data: DataSearchIn) -> dict[str, Any]:
    """Search your own files; all conditions hold at once, and at most 100 come back."""
    containing = json_data.model_dump(include=set(SEARCHED), exclude_none=True)
    with session_scope(caller().tenant_id) as session:
        found = search_data(
            session,
            caller(),
            containing,
            json_data.data_id,
            json_data.above_bytes,
            json_data.below_bytes,
        )
    msg = "success" if found else "no search data found"
    return {"data": [_shown(data) for data in found], "msg": msg}


@blueprint.put("/user/data")
@blueprint.input(DataChangeIn)
@blueprint.output(UserDataChangedOut)
@signed_in(blueprint)
def change_user_data(json_data: DataChangeIn) -> dict[str, Any]:
    """Describe a file of your own anew; what is left out or null stays."""
    changes = json_data.model_dump(exclude={"data_id"}, exclude_none=True)
    with session_scope(caller().tenant_id) as session:
        data = change_data(session, caller(), json_data.data_id, changes)
    if data is None:
        return {"data": NO_USER_DATA, "msg": "no update data found"}
    return {"data": _shown(data)}


@blueprint.get("/user/data/<number:id>")
@blueprint.output(
    FileSchema(type="string", format="binary"),
    content_type="application/octet-stream",
    description="The file; 302 leads to it in S3.",
)
@signed_in(blueprint)
def download_data(id: int) -> ResponseReturnValue:
    """Fetch a file of your own: from here, or from S3 by the link that this redirects to."""
    with session_scope(caller().tenant_id) as session:
        data = find_data(session, caller(), id)
    store, key = place(data.sloc)
    own_name = PurePosixPath(data.filename.replace("\\", "/")).name or "file"
    if link := store.url(key, own_name, settings.download_link_s):
        return redirect(link)
    return _sent(data, store, key, own_name)


def _sent(data: UserData, store: Blobs, key: str, name: str) -> Response:
    """The file itself, or the range of it that was asked for; never to be shown by a browser."""
    with ExitStack() as undo:
        try:
            file = undo.enter_context(store.open(key))
        except KeyError as error:
            raise data_lost(data) from error
        reply = send_file(
            file,
            mimetype="application/octet-stream",
            as_attachment=True,
            download_name=name,
            etag=data.content_sha256,
            conditional=False,  # it cannot tell the size of an open file
        )
        reply.content_length = data.size_in_bytes
        reply.headers["X-Content-Type-Options"] = "nosniff"
        reply.make_conditional(
            request.environ, accept_ranges=True, complete_length=data.size_in_bytes
        )
        reply.call_on_close(undo.pop_all().close)
    return reply


@blueprint.delete("/user/data/<number:id>")
@blueprint.output(GoneOut)
@signed_in(blueprint)
def delete_data(id: int) -> dict[str, Any]:
    """Remove a file of your own; documents that were made of it stay."""
    with session_scope(caller().tenant_id) as session:
        sloc = remove_data(session, caller(), id)
    remove_loose(caller().tenant_id, [sloc])
    return {"id": id}
