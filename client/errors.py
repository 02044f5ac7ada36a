"""What goes wrong between here and the server, in sentences that say what to do about it."""

import ssl

import requests
from urllib3.exceptions import NameResolutionError, NewConnectionError

PASSING_CODES = frozenset({"unreachable", "dropped", "timeout"})
BROKEN = (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError)
PASSING_STATUSES = frozenset({429, 502, 503, 504})


class ClientError(Exception):
    """A request that failed; `status` is None when the server was never heard."""

    def __init__(self, message: str, *, code: str, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status

    @property
    def passing(self) -> bool:
        """Whether the same request may well succeed a moment later."""
        return self.code in PASSING_CODES or self.status in PASSING_STATUSES


class JobFailed(ClientError):
    """A job that is over without an answer; code and message are the job's own."""


def refused(response: requests.Response) -> ClientError:
    """What the server says about an answer outside 200..299."""
    body = json_object(response)
    said = body.get("message") or body.get("msg") or body.get("reason")
    request = response.request
    return ClientError(
        str(said or f"{request.method} {request.url} was answered with {response.status_code}"),
        code=str(body.get("code") or f"http_{response.status_code}"),
        status=response.status_code,
    )


def json_object(response: requests.Response) -> dict[str, object]:
    """The JSON object in the body; an empty one when the body is anything else."""
    try:
        body = response.json()
    except requests.exceptions.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def unheard(exc: requests.RequestException, origin: str, ca: str | None) -> ClientError:
    """Why no answer came from `origin`; `ca` is the file with the authority that was trusted."""
    root = _root(exc)
    # A connection that breaks in mid-request is an SSLError too.
    if isinstance(exc, requests.exceptions.SSLError) and not isinstance(root, ssl.SSLEOFError):
        return _tls_failed(exc, origin, ca)
    if isinstance(exc, requests.exceptions.Timeout):
        return ClientError(
            f"{origin} did not answer in time: it may be busy, or AI_API may name another machine",
            code="timeout",
        )
    if isinstance(exc, requests.exceptions.ProxyError):
        return ClientError(
            f"the proxy on the way to {origin} failed: NO_PROXY names the hosts that need none",
            code="proxy_failed",
        )
    if isinstance(exc, BROKEN):
        return _not_connected(root, origin)
    return ClientError(f"the request to {origin} could not be made: {exc}", code="bad_request")


def _root(exc: BaseException) -> BaseException:
    """The error inside the wrappers that requests and urllib3 put around it."""
    inner = getattr(exc, "reason", None) or (exc.args[0] if exc.args else None)
    return _root(inner) if isinstance(inner, BaseException) else exc


def _not_connected(reason: BaseException, origin: str) -> ClientError:
    if isinstance(reason, NameResolutionError):
        return ClientError(
            f"the host of {origin} is not known: AI_API says where to look", code="unknown_host"
        )
    if isinstance(reason, NewConnectionError):
        return ClientError(
            f"nothing answers at {origin}: is `redten up` running? AI_API says where to look",
            code="unreachable",
        )
    return ClientError(f"{origin} dropped the connection in mid-request", code="dropped")


def _tls_failed(exc: requests.exceptions.SSLError, origin: str, ca: str | None) -> ClientError:
    reason = str(exc)
    if "doesn't match" in reason or "is not valid for" in reason or "mismatch" in reason:
        said = f"the certificate at {origin} is for another host name: AI_API must use that one"
    elif "CERTIFICATE_VERIFY_FAILED" in reason and ca:
        said = f"the certificate of {origin} was not signed by the authority in AI_API_CA={ca}"
    elif "CERTIFICATE_VERIFY_FAILED" in reason:
        said = (
            f"the certificate of {origin} is signed by an authority unknown here: set"
            " AI_API_CA=FILE (for `redten up`: the exports in client.env in its data directory)"
        )
    else:
        said = f"no TLS connection to {origin}: is it a redten server, and AI_API_CA a PEM file?"
    return ClientError(said, code="tls_failed")
