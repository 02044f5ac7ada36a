"""One HTTPS connection: where the server is, who is trusted, what is logged."""

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from client.errors import ClientError, json_object, refused, unheard
from settings import Settings

CONNECT_S = 5.0
ANSWER_S = 30.0
PIECE_BYTES = 1 << 16
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

log = logging.getLogger(__name__)


def base_url(settings: Settings) -> str:
    """Where the routes begin, as the published client builds it: always https."""
    host = settings.ai_api.removeprefix("https://").rstrip("/")
    if "://" in host:
        raise ClientError(
            f"AI_API={settings.ai_api} must be HOST:PORT; only https is spoken", code="bad_address"
        )
    return f"https://{host}" if settings.use_local else f"https://{host}/v1/{settings.api_env}"


def client_certificate(settings: Settings) -> tuple[str, str] | None:
    """The files with the client's own certificate and its key; None without them."""
    cert, key = settings.ai_api_cert, settings.ai_api_key
    if cert and key:
        return cert, key
    if cert or key:
        raise ClientError(
            "AI_API_CERT and AI_API_KEY belong together: set both, or neither",
            code="bad_certificate",
        )
    return None


class Token(AuthBase):
    """The caller's token in the Authorization header; no header without one.

    Given with every request, since requests otherwise puts a login from ~/.netrc in its place.
    """

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


@dataclass(frozen=True)
class Connection:
    """The server at `base_url`; `ca`, and `cert` as (certificate, key), are PEM files."""

    base_url: str
    ca: str | None = None
    cert: tuple[str, str] | None = None
    tenant: str | None = None
    session: requests.Session = field(default_factory=requests.Session, repr=False)

    def __post_init__(self) -> None:
        named = {"AI_API_CA": self.ca}
        if self.cert:
            named |= {"AI_API_CERT": self.cert[0], "AI_API_KEY": self.cert[1]}
        for option, name in named.items():
            if name and not Path(name).exists():
                raise ClientError(f"{option}={name}: there is no such file", code="no_such_file")

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return "{0.scheme}://{0.netloc}".format(urlsplit(self.base_url))

    def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str | bytes] | None = None,
        answer_s: float = ANSWER_S,
        **sending: Any,
    ) -> dict[str, Any]:
        """The JSON object answered with 200..299, empty with 204; ClientError for all else.

        `sending` is what requests takes: json, data, params. `answer_s` bounds each silence.
        """
        try:
            response = self._send(method, path, token, headers, answer_s, **sending)
        except requests.RequestException as exc:
            raise unheard(exc, self.origin, self.ca) from exc
        return self._body(response)

    def lines(
        self, path: str, token: str | None, headers: dict[str, str], silence_s: float = ANSWER_S
    ) -> Iterator[bytes]:
        """The lines of a reply, each as it comes; ClientError as `call`, in the middle too."""
        try:
            with self._send("GET", path, token, headers, silence_s, stream=True) as response:
                yield from response.iter_lines()
        except requests.RequestException as exc:
            raise unheard(exc, self.origin, self.ca) from exc

    def pieces(self, path: str, token: str | None, silence_s: float = ANSWER_S) -> Iterator[bytes]:
        """The bytes of a file, from wherever the server says it is; ClientError as `lines`."""
        try:
            with self._send(
                "GET", path, token, None, silence_s, may_redirect=True, stream=True
            ) as response:
                link = response.headers["Location"] if response.is_redirect else None
                if link is None:
                    yield from response.iter_content(PIECE_BYTES)
        except requests.RequestException as exc:
            raise unheard(exc, self.origin, self.ca) from exc
        if link is not None:
            yield from self._from_store(link)

    def _from_store(self, link: str) -> Iterator[bytes]:
        """The bytes behind a link. Its host is not ours: it gets no token."""
        # Errors name the host alone: whoever has the link can read the file.
        store = f"the store at {urlsplit(link).netloc}"
        try:
            with self.session.get(
                link, auth=Token(None), timeout=(CONNECT_S, ANSWER_S), stream=True
            ) as response:
                if not response.ok:
                    said = f"{store} answered with {response.status_code}"
                    raise ClientError(said, code="store_refused", status=response.status_code)
                yield from response.iter_content(PIECE_BYTES)
        except requests.RequestException as exc:
            said = f"{store} broke off or cannot be reached from here"
            raise ClientError(said, code="store_unreachable") from exc

    def _send(
        self,
        method: str,
        path: str,
        token: str | None,
        headers: Mapping[str, str | bytes] | None,
        answer_s: float,
        may_redirect: bool = False,
        **sending: Any,
    ) -> requests.Response:
        # Bytes, since a str goes out as Latin-1, which does not hold every name.
        own = dict(headers or {})
        if self.tenant:
            own["X-Redten-Tenant"] = self.tenant.encode(errors="replace")
        began = time.monotonic()
        # `verify` goes with each request: on the session, REQUESTS_CA_BUNDLE would override it.
        response = self.session.request(
            method,
            self.base_url + path,
            headers=own,
            auth=Token(token),
            verify=self.ca or True,
            cert=self.cert,
            proxies=self._proxies(),
            timeout=(CONNECT_S, answer_s),
            allow_redirects=False,
            **sending,
        )
        took_ms = (time.monotonic() - began) * 1000
        log.debug("%s %s %s %.0f ms", method, response.url, response.status_code, took_ms)
        if not (200 <= response.status_code < 300 or (may_redirect and response.is_redirect)):
            raise refused(response)
        return response

    def _proxies(self) -> dict[str, str] | None:
        # A proxy named in the environment cannot reach a server on this machine.
        loopback = urlsplit(self.base_url).hostname in LOOPBACK
        direct: dict[str, Any] = {"https": None, "all": None}
        return direct if loopback else None

    def _body(self, response: requests.Response) -> dict[str, Any]:
        body = json_object(response)
        if not body and response.status_code != requests.codes.no_content:
            raise ClientError(
                f"{response.url} did not answer with a JSON object: is it a redten server?",
                code="unexpected_answer",
                status=response.status_code,
            )
        return body
