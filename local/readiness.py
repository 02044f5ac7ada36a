"""Whether a question could be answered now: asks the API as its clients do."""

import json
import ssl
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path

from local.errors import LocalError
from settings import settings

TIMEOUT_S = 5.0
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not listened on


class Readiness:
    """The readiness of an API that is known by its own authority."""

    def __init__(self, host: str, port: int, ca: Path) -> None:
        reached = EVERYWHERE.get(host, host)
        self._url = f"https://{f'[{reached}]' if ':' in reached else reached}:{port}/readyz"
        self._context = ssl.create_default_context(cafile=str(ca))
        if settings.ai_api_cert:
            self._context.load_cert_chain(settings.ai_api_cert, settings.ai_api_key)
        elif settings.tls_client_ca and settings.tls_client == "required":
            raise LocalError(
                "API_TLS_CLIENT=required is for this command too: set AI_API_CERT and AI_API_KEY"
            )

    def missing(self) -> list[str]:
        """The parts that keep the stack from being ready; empty if nothing does."""
        try:
            # Our own address: a proxy of the environment has no part in it.
            opener = urllib.request.build_opener(
                urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self._context)
            )
            opener.open(self._url, timeout=TIMEOUT_S).close()
        except urllib.error.HTTPError as exc:
            return _named(exc)
        except (OSError, HTTPException):
            return ["api"]
        return []


def _named(answer: urllib.error.HTTPError) -> list[str]:
    """The parts that a 503 names; the API itself if it answers with anything else."""
    with answer:
        try:
            return list(json.load(answer)["missing"]) or ["api"]
        except (OSError, ValueError, KeyError, TypeError, HTTPException):
            return ["api"]
