"""What the API says of itself beyond its schemas: refusals, streams, bodies of plain bytes."""

from typing import Any

from api.user_data import HEADERS

# Routes that take a file as the body, and whether they need one.
BODIES = {"/collections/{ref}/documents": False, "/user/data": True, "/embed/files": True}
# What else may come back where all is well: the status, and what it means.
BESIDE = {
    ("/collections/{ref}/documents", "post"): ("200", "The collection has this very content."),
    ("/embed/files/{id}/vectors", "get"): ("302", "Leads to it in S3."),
    ("/job/{id}/events", "get"): ("204", "There is no more to come."),
    ("/user/data/{id}", "get"): ("302", "Leads to it in S3."),
}
STREAMED = ("/v1/chat/completions", "/v1/completions")
PLAIN = {"/metrics": "text/plain"}
REFUSED = (
    "A refusal, whose code says what is wrong: 401 without a valid token (400 on routes of the"
    " published contract, 403 by Dify's), 403, 404 for what one may not see as for what is not"
    " there, 408, 409, 413, 429, 503, 507."
)
TEXT: dict[str, Any] = {"type": "string"}
REFUSALS: dict[str, dict[str, Any]] = {
    "Refusal": {
        "description": "`fields` says of each field what does not fit.",
        "type": "object",
        "properties": {
            "code": TEXT,
            "message": TEXT,
            "msg": TEXT,
            "fields": {"type": "object", "additionalProperties": {"type": "array", "items": TEXT}},
        },
        "required": ["code", "message", "msg"],
    },
    "OpenAIRefusal": {
        "type": "object",
        "properties": {
            "error": {
                "type": "object",
                "properties": {
                    "message": TEXT,
                    "type": TEXT,
                    "param": {"type": ["string", "null"]},
                    "code": TEXT,
                },
                "required": ["message", "type", "param", "code"],
            }
        },
        "required": ["error"],
    },
    "DifyRefusal": {
        "type": "object",
        "properties": {"error_code": {"type": "integer"}, "error_msg": TEXT},
        "required": ["error_code", "error_msg"],
    },
}
# What APIFlask supposes of refusals; they look otherwise here, and carry other statuses.
SUPPOSED, SUPPOSED_SCHEMAS = ("400", "401", "404"), ("HTTPError", "ValidationError")


def describe(spec: Any) -> Any:
    """The description that was read from the schemas, completed."""
    paths, schemas = spec["paths"], spec["components"]["schemas"]
    for path, item in paths.items():
        for operation in item.values():
            _describe_refusals(operation["responses"], _refusal_of(path))
    for name in SUPPOSED_SCHEMAS:
        schemas.pop(name, None)
    schemas.update(REFUSALS)
    _describe_bodies(paths)
    _describe_replies(paths)
    return spec


def _refusal_of(path: str) -> str:
    if path.startswith("/v1/"):
        return "OpenAIRefusal"
    return "DifyRefusal" if path == "/retrieval" else "Refusal"


def _describe_refusals(responses: dict[str, Any], name: str) -> None:
    for status in SUPPOSED:
        responses.pop(status, None)
    schema = {"$ref": f"#/components/schemas/{name}"}
    content = {"application/json": {"schema": schema}}
    responses["default"] = {"description": REFUSED, "content": content}


def _describe_bodies(paths: dict[str, Any]) -> None:
    """Plain bytes, and headers, for which there is no schema to read them from."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    for path, needed in BODIES.items():
        content = {"application/octet-stream": binary}
        paths[path]["post"]["requestBody"] = {"required": needed, "content": content}
    paths["/user/data"]["post"]["parameters"] = [
        {
            "name": name,
            "in": "header",
            "description": said,
            "required": name == "filename",
            "schema": TEXT,
        }
        for name, said in HEADERS.items()
    ]


def _describe_replies(paths: dict[str, Any]) -> None:
    for (path, method), (status, said) in BESIDE.items():
        responses = paths[path][method]["responses"]
        # The same document as for a new one.
        content = responses["202"]["content"] if status == "200" else None
        responses[status] = {"description": said} | ({"content": content} if content else {})
    for path in STREAMED:
        paths[path]["post"]["responses"]["200"]["content"]["text/event-stream"] = {"schema": TEXT}
    for path, kind in PLAIN.items():
        paths[path]["get"]["responses"]["200"]["content"] = {kind: {"schema": TEXT}}
