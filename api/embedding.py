"""Embedding as a service: texts at once, or a file of them as work whose result is Parquet."""

import uuid
from contextlib import ExitStack
from pathlib import PurePosixPath
from typing import Any

from apiflask import APIBlueprint
from apiflask.schemas import FileSchema
from flask import redirect, send_file
from flask.typing import ResponseReturnValue

from api.auth import caller, signed_in
from api.file_body import FileBody
from api.replies import GoneOut
from api.retrieval_replies import EmbeddingOut, VectorsOut
from api.retrieval_schemas import EmbedFileIn, EmbedIn
from api.worker_reply import embedded
from models.embedding import Embedding, add_embedding, find_embedding, remove_embedding
from models.errors import RedtenError
from models.loose_blob import adopt, loosen
from models.quota import check_jobs, check_storage
from models.session import session_scope
from models.work import State
from settings import settings
from tasks import chains
from tasks.blobs import get_blobs
from tasks.flow import unpack
from tasks.loose import coming, remove_loose, renewing

blueprint = APIBlueprint("embedding", __name__, tag="Embedding")

PARQUET = "application/vnd.apache.parquet"


def _shown(made: Embedding) -> dict[str, Any]:
    names = EmbeddingOut.model_fields.keys() - {"model"}
    return {name: getattr(made, name) for name in names} | {"model": made.embed_model_name}


@blueprint.post("/embed")
@blueprint.input(EmbedIn)
@blueprint.output(VectorsOut)
@signed_in(blueprint)
def embed_texts(json_data: EmbedIn) -> dict[str, Any]:
    """Embed texts by the model that is named, or by the deployment's."""
    model = json_data.model or settings.embed_model
    reply = embedded(json_data.texts, model, json_data.kind)
    return reply | {"vectors": unpack(reply["vectors"], len(json_data.texts)).tolist()}


@blueprint.post("/embed/files")
@blueprint.input(EmbedFileIn, location="query")
@blueprint.output(EmbeddingOut, status_code=202)
@signed_in(blueprint)
def send_file_of_texts(query_data: EmbedFileIn) -> dict[str, Any]:
    """Send a file of texts as the body; its vectors are fetched when it is done."""
    wanted = Embedding(
        tenant_id=caller().tenant_id,
        user_id=caller().user_id,
        name=query_data.name,
        text_column=query_data.column,
        kind=query_data.kind,
        embed_model_name=query_data.model or settings.embed_model,
        folder=f"embeddings/{caller().tenant_id}/{uuid.uuid4().hex}",
        step=Embedding.FIRST_STEP,
    )
    made = _received(wanted, f"{wanted.folder}/")
    chains.send("embedding", made.tenant_id, made.id, made.attempt)
    return _shown(made)


def _received(wanted: Embedding, folder: str) -> Embedding:
    """Stores the body, then its row: whoever sees the row finds the file."""
    with session_scope(wanted.tenant_id) as session:
        loosen(session, wanted.tenant_id, folder)
    with coming(wanted.tenant_id, folder):
        with FileBody("the file is empty: send texts as the body") as body:
            with session_scope(wanted.tenant_id) as session:
                check_jobs(session, wanted.tenant_id)
                check_storage(session, wanted.tenant_id, body.announced)
            pieces = renewing(wanted.tenant_id, [folder], body.pieces())
            get_blobs().put_stream(wanted.texts_blob, pieces)
        wanted.size_in_bytes = body.size
        with session_scope(wanted.tenant_id) as session:
            check_storage(session, wanted.tenant_id, body.size)
            adopt(session, wanted.tenant_id, folder)
            return add_embedding(session, wanted)


@blueprint.get("/embed/files/<number:id>")
@blueprint.output(EmbeddingOut)
@signed_in(blueprint)
def get_embedding(id: int) -> dict[str, Any]:
    """See how far a file is."""
    with session_scope(caller().tenant_id) as session:
        return _shown(find_embedding(session, caller(), id))


@blueprint.get("/embed/files/<number:id>/vectors")
@blueprint.output(
    FileSchema(type="string", format="binary"),
    content_type=PARQUET,
    description="Parquet with row, text and vector; 302 leads to it in S3.",
)
@signed_in(blueprint)
def get_vectors(id: int) -> ResponseReturnValue:
    """Fetch the vectors of a file that is done, as Parquet."""
    with session_scope(caller().tenant_id) as session:
        made = find_embedding(session, caller(), id)
    if made.state == State.FAILED:
        raise RedtenError("embedding_failed", f"file {id} failed: {made.msg}")
    if not made.over:
        raise RedtenError("embedding_not_over", f"file {id} is not done yet: ask again later")
    name = f"{PurePosixPath(made.name).stem or 'vectors'}.parquet"
    if link := get_blobs().url(made.vectors_blob, name, settings.download_link_s):
        return redirect(link)
    return _sent(made, name)


def _sent(made: Embedding, name: str) -> ResponseReturnValue:
    with ExitStack() as undo:
        try:
            file = undo.enter_context(get_blobs().open(made.vectors_blob))
        except KeyError as error:
            raise RedtenError("data_lost", "the vectors are gone: send the file again") from error
        reply = send_file(
            file, mimetype=PARQUET, as_attachment=True, download_name=name, conditional=False
        )
        reply.call_on_close(undo.pop_all().close)
    return reply


@blueprint.delete("/embed/files/<number:id>")
@blueprint.output(GoneOut)
@signed_in(blueprint)
def delete_embedding(id: int) -> dict[str, Any]:
    """Remove a file and its vectors; one that is not done is not worked on any more."""
    with session_scope(caller().tenant_id) as session:
        folder = remove_embedding(session, caller(), id)
    remove_loose(caller().tenant_id, [f"{folder}/"])
    return {"id": id}
