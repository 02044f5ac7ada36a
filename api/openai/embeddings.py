"""Vectors of texts, at once: nothing of it is kept."""

import base64
from typing import Any

from apiflask import APIBlueprint

from api.auth import signed_in
from api.openai.replies import EmbeddingsOut
from api.openai.requests import EmbeddingsIn
from api.worker_reply import embedded
from settings import settings
from tasks.flow import unpack

blueprint = APIBlueprint("embeddings", __name__, tag="OpenAI")


@blueprint.post("/v1/embeddings")
@blueprint.input(EmbeddingsIn)
@blueprint.output(EmbeddingsOut)
@signed_in(blueprint)
def embed(json_data: EmbeddingsIn) -> dict[str, Any]:
    """Embed texts by the model that is named, or by the deployment's if that is not installed."""
    reply = embedded(
        json_data.input,
        json_data.model or settings.embed_model,
        dimensions=json_data.dimensions,
        any_model=True,
    )
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
        "model": reply["model"],
        "usage": {"prompt_tokens": reply["tokens"], "total_tokens": reply["tokens"]},
    }
