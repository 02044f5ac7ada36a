"""gunicorn's configuration: the API over TLS, headers with underscores let through."""

import ssl
from collections.abc import Callable
from typing import Any

from local.web_worker import ImpatientSocket, WebWorker
from settings import settings

_host = f"[{settings.host}]" if ":" in settings.host else settings.host
bind = f"{_host}:{settings.port}"
certfile = str(settings.tls_cert) if settings.tls_cert else None
keyfile = str(settings.tls_key) if settings.tls_key else None

CHECKED = {"optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}
ca_certs = str(settings.tls_client_ca) if settings.tls_client_ca else None
cert_reqs = CHECKED[settings.tls_client] if settings.tls_client_ca else ssl.CERT_NONE

worker_class = WebWorker
workers = settings.api_workers
threads = settings.api_threads
preload_app = False
max_requests = 0
timeout = 60
graceful_timeout = 10
accesslog = None
# Its socket lies in the user's home, where two instances would fight over it.
control_socket_disable = True

# Published clients send these names with underscores, which gunicorn drops otherwise. It does not
# make anybody believe X-Forwarded-For: that is for REDTEN_PROXIES.
forwarded_allow_ips = "*"
forwarder_headers = "USER_ID,DATA_TYPE,S3_ENABLE"


def ssl_context(_config: Any, default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """The default context, nothing older than TLS 1.2."""
    context = default()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = ImpatientSocket
    return context


def on_starting(_server: Any) -> None:
    """Drops the counters of processes of an earlier run, which would be added up for ever."""
    if settings.metrics_dir is not None:
        for counters in settings.metrics_dir.glob("*.db"):
            counters.unlink(missing_ok=True)
