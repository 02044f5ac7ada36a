"""Which refusal has which status, and how it looks on the wire."""

import logging
from typing import Any

from apiflask import APIFlask, HTTPError
from flask import Flask, request
from flask.typing import ResponseReturnValue
from gunicorn.http.errors import ParseException
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from api import contract, dify_errors
from api.openai.errors import BLUEPRINTS as OPENAI
from api.openai.errors import error_body, retry_header
from models.errors import RedtenError
from models.session import is_tenant_gone
from tasks.blobs import BlobsAway, BlobsFull, no_space

log = logging.getLogger(__name__)

STATUS = {
    "address_not_allowed": 403,
    "already_member": 409,
    "ambiguous_tenant": 409,
    "answer_not_found": 404,
    "broken_weights": 500,
    "cancelled": 409,
    "collection_exists": 409,
    "collection_not_found": 404,
    "data_lost": 404,
    "data_not_found": 404,
    "deadline": 504,
    "decode_failed": 500,
    "default_collection": 409,
    "default_tenant": 409,
    "document_exists": 409,
    "document_not_found": 404,
    "embedding_failed": 409,
    "embedding_not_found": 404,
    "embedding_not_over": 409,
    "forbidden": 403,
    "input_gone": 409,
    "internal_error": 500,
    "invalid_token": 401,
    "invitation_not_found": 404,
    "job_failed": 500,
    "job_not_found": 404,
    "job_not_over": 404,
    "job_over": 409,
    "key_not_found": 404,
    "last_owner": 409,
    "location_not_allowed": 403,
    "location_taken": 409,
    "lost": 500,
    "member_not_found": 404,
    "no_blobs": 503,
    "no_memory": 503,
    "no_model": 503,
    "no_space": 507,
    "not_failed": 409,
    "not_verified": 401,
    "not_yet_answered": 504,
    "quota_exceeded": 429,
    "read_only": 403,
    "review_not_found": 404,
    "signup_disabled": 403,
    "source_exists": 409,
    "source_not_found": 404,
    "stopping": 503,
    "storage_full": 507,
    "stream_broken": 500,
    "tenant_exists": 409,
    "tenant_not_found": 404,
    "too_large": 413,
    "too_many_invitations": 429,
    "too_many_streams": 503,
    "too_many_tenants": 409,
    "too_many_tries": 429,
    "unavailable": 503,
    "unknown_model": 404,
    "upload_expired": 408,
    "user_not_found": 404,
}
DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeoutError)
RETRY_AFTER_S = {"quota_exceeded": "5", "too_many_streams": "2", "unavailable": "2"}


def status_of(code: str) -> int:
    """What is not listed is the request's own fault."""
    if code == "invalid_token" and request.blueprint in contract.BLUEPRINTS:
        return 400
    if code == "invalid_token" and request.blueprint in dify_errors.BLUEPRINTS:
        return 403  # by which Dify tells a wrong key from a wrong address
    return STATUS.get(code, 400)


def body_of(code: str, message: str, **more: Any) -> dict[str, Any]:
    """The uniform error body, with what published clients look for, or else OpenAI's."""
    if request.blueprint in OPENAI:
        return error_body(code, message, status_of(code), more.get("fields"))
    if request.blueprint in dify_errors.BLUEPRINTS:
        return dify_errors.error_body(code, message, status_of(code))
    empty = contract.nothing(request.blueprint, request.endpoint)
    return {**empty, "code": code, "message": message, "msg": message, **more}


def _refused(error: RedtenError) -> ResponseReturnValue:
    message = error.message
    if error.code == "bad_json":
        message = contract.worded(request.endpoint, message)
    elif error.code == "invalid_token":
        message = contract.invalid_token(request.endpoint, message)
    wait_s = RETRY_AFTER_S.get(error.code)
    headers = {"Retry-After": wait_s} if wait_s else {}
    if request.blueprint in OPENAI:
        headers |= retry_header(error.code)
    return body_of(error.code, message), status_of(error.code), headers


def _http_error(error: HTTPError) -> Any:
    """Flask's and APIFlask's own: bad JSON, fields that do not fit, unknown routes."""
    message = error.message or "error"
    code, more = message.lower().replace(" ", "_").replace("'", ""), {}
    fields = error.detail.get("json") or error.detail.get("query")
    if fields:
        code, message, more = "invalid_request", _fields(fields), {"fields": fields}
    elif error.status_code == 404:
        message = f"there is nothing at {request.method} {request.path}"
    return (
        body_of(code, contract.worded(request.endpoint, message), **more),
        error.status_code,
        error.headers,
    )


def _fields(fields: dict[str, list[str]]) -> str:
    """One sentence for all fields that do not fit."""
    plain = {
        name: ", ".join(text.removeprefix("Value error, ") for text in texts)
        for name, texts in fields.items()
    }
    return "; ".join(f"{name}: {text}" for name, text in plain.items())


def _database_away(error: Exception) -> ResponseReturnValue:
    log.error("the database does not answer: %s", error)
    return body_of("unavailable", "the database does not answer; try again in a moment"), 503


def _blobs_away(error: BlobsAway) -> ResponseReturnValue:
    log.error("the file store fails: %s", error)
    return body_of("unavailable", "the file store does not answer; try again in a moment"), 503


def _blobs_full(error: BlobsFull) -> ResponseReturnValue:
    log.error("the file store is full: %s", error)
    return _refused(no_space())


def _unsound(error: IntegrityError) -> ResponseReturnValue:
    """A row for a tenant that was removed while the request went on; else a fault of ours."""
    if is_tenant_gone(error):
        return _refused(RedtenError("tenant_not_found", "the tenant has just been deleted"))
    return _broken(error)


def _torn(error: ParseException) -> ResponseReturnValue:
    return body_of("bad_request", f"the body cannot be read: {error}"), 400


def _broken(error: Exception) -> ResponseReturnValue:
    log.exception("%s %s failed", request.method, request.path, exc_info=error)
    return body_of("internal_error", "something broke on the server; its log says what"), 500


def register(app: APIFlask) -> None:
    """Puts all of it into effect."""
    app.config["VALIDATION_ERROR_STATUS_CODE"] = 400
    app.error_processor(_http_error)
    _on(app, RedtenError, _refused)
    for away in DATABASE_AWAY:
        _on(app, away, _database_away)
    _on(app, ParseException, _torn)
    _on(app, BlobsAway, _blobs_away)
    _on(app, BlobsFull, _blobs_full)
    _on(app, IntegrityError, _unsound)
    _on(app, Exception, _broken)


def _on(app: Flask, kind: type[Exception], handler: Any) -> None:
    app.register_error_handler(kind, handler)
