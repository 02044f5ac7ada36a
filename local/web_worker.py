"""gunicorn's threads: their refusals look as all others do, and nobody holds one in silence."""

import json
import ssl
from http import HTTPStatus
from typing import Any

from gunicorn import util
from gunicorn.http import errors
from gunicorn.workers.gthread import ThreadWorker

from settings import settings

STATUS = {
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
}


class WebWorker(ThreadWorker):
    """The worker that serves the API."""

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answers a request that is none, with which the application has nothing to do."""
        if not isinstance(exc, errors.ParseException):
            super().handle_error(req, client, addr, exc)
            return
        self.log.warning("refused a request of %s: %s", addr and addr[0], exc)
        status = STATUS.get(type(exc), HTTPStatus.BAD_REQUEST)
        try:
            util.write_nonblock(client, _refusal(status, str(exc)))
        except OSError as error:
            self.log.debug("nobody heard of it: %s", error)


def _refusal(status: HTTPStatus, message: str) -> bytes:
    code = status.phrase.lower().replace(" ", "_").replace("-", "_")
    body = json.dumps({"code": code, "message": message, "msg": message}).encode()
    head = (
        f"HTTP/1.1 {status:d} {status.phrase}",
        "Connection: close",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*head, "", "")).encode() + body


class ImpatientSocket(ssl.SSLSocket):
    """A client's connection. One that neither sends nor takes anything for long is given up.

    gunicorn waits for as long as it takes, and each waits in a thread.
    """

    def settimeout(self, value: float | None) -> None:
        """As for any socket, but to wait without an end is not to be had."""
        super().settimeout(settings.client_silence_s if value is None else value)

    def setblocking(self, flag: bool) -> None:
        """As for any socket, with the same exception."""
        self.settimeout(None if flag else 0.0)
