"""Vectors of texts, at once: nothing of it is kept."""

import base64
import uuid
from typing import Any

from apiflask import APIBlueprint
from celery import Signature

from api.auth import signed_in
from api.events import thread_held
from api.openai.replies import EmbeddingsOut
from api.openai.requests import EmbeddingsIn
from models.errors import RedtenError
from settings import settings
from tasks import broker, chains, mailbox
from tasks.flow import unpack

blueprint = APIBlueprint("embeddings", __name__, tag="OpenAI")


@blueprint.post("/v1/embeddings")
@blueprint.input(EmbeddingsIn)
@blueprint.output(EmbeddingsOut)
@signed_in(blueprint)
def embed(json_data: EmbeddingsIn) -> dict[str, Any]:
    """Embed texts by the deployment's embedding model, whatever model is named."""
    reply = _embedded(json_data.input, json_data.dimensions)
    if "code" in reply:
        raise RedtenError(reply["code"], reply["message"])
    vectors = unpack(reply["vectors"], len(json_data.input))
    as_text = json_data.encoding_format == "base64"
    return {
        "data": [
            {
                "index": number,
                "embedding": base64.b64encode(row.tobytes()).decode() if as_text else row.tolist(),
            }
            for number, row in enumerate(vectors)
        ],
        "model": settings.embed_model,
        "usage": {"prompt_tokens": reply["tokens"], "total_tokens": reply["tokens"]},
    }


def _embedded(texts: list[str], dimensions: int | None) -> dict[str, Any]:
    """What a worker made of them. Raises RedtenError `unavailable` if none does in time."""
    address, wait_s = uuid.uuid4().hex, settings.embeddings_wait_s
    try:
        with thread_held():
            if not chains.send_once(_work(texts, dimensions, address), wait_s):
                raise _broker_away()
            reply = mailbox.collect(address, wait_s)
    except broker.BrokerError as error:
        raise _broker_away() from error
    if reply is None:
        raise RedtenError("unavailable", "not embedded in time; try again, or with fewer texts")
    return reply


def _broker_away() -> RedtenError:
    return RedtenError("unavailable", "the broker does not answer; try again in a moment")


def _work(texts: list[str], dimensions: int | None, address: str) -> Signature:
    return chains.step("embed.embed_texts", texts, dimensions, address)
