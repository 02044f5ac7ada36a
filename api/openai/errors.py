"""Refusals as OpenAI's clients expect them: {"error": {"message", "type", "param", "code"}}."""

from typing import Any

# Blueprints whose errors have this form.
BLUEPRINTS = ("completions", "embeddings", "served_models")
# What a check of all fields together is reported under.
WHOLE_BODY = "_schema"
# Where OpenAI has a name of its own, which clients look for.
NAMES = {
    "invalid_token": "invalid_api_key",
    "question_too_long": "context_length_exceeded",
    "too_long": "context_length_exceeded",
    "unknown_model": "model_not_found",
}


# The client sends such a request again by itself; elsewhere that would ask the same twice.
WORTH_A_RETRY = ("quota_exceeded", "too_many_streams", "unavailable")


def error_body(
    code: str, message: str, status: int, fields: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The body; of the `fields` that do not fit the first one is named as `param`."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    named = next((name for name in fields or {} if name != WHOLE_BODY), None)
    error = {"message": message, "type": kind, "param": named, "code": NAMES.get(code, code)}
    return {"error": error}


def retry_header(code: str) -> dict[str, str]:
    """Tells the `openai` package whether the same request might go well a little later."""
    return {"x-should-retry": "true" if code in WORTH_A_RETRY else "false"}
