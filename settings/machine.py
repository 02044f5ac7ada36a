"""One machine: where things are kept, and how the API listens."""

from pathlib import Path
from typing import Literal

import platformdirs
from pydantic_settings import BaseSettings

from settings.option import option

DATA_ROOT = platformdirs.user_data_path("redten", appauthor=False)


class Machine(BaseSettings):
    """One machine: where things are kept, and how the API listens."""

    data_dir: Path = option(
        "REDTEN_DATA_DIR", DATA_ROOT / "data", "Everything `redten up` keeps between two starts."
    )
    host: str = option("REDTEN_HOST", "127.0.0.1", "Address the API listens on.")
    port: int = option("REDTEN_PORT", 3000, "Port the API listens on, TLS.")
    api_workers: int = option("REDTEN_API_WORKERS", 2, "gunicorn processes of the API.")
    api_threads: int = option("REDTEN_API_THREADS", 16, "Threads in each gunicorn process.")
    client_silence_s: float = option(
        "REDTEN_CLIENT_SILENCE_S",
        30.0,
        "Seconds that a connection over TLS may stand still in the middle of a request or a reply.",
    )
    max_streams: int = option(
        "REDTEN_MAX_STREAMS",
        0,
        "Streams that a gunicorn process holds open, each in a thread; 0: all threads but two.",
    )
    tls_cert: Path | None = option(
        "API_TLS_CERT", None, "The API's certificate (PEM); `redten up` makes and sets its own."
    )
    tls_key: Path | None = option("API_TLS_KEY", None, "The private key of that certificate.")
    tls_client_ca: Path | None = option(
        "API_TLS_CLIENT_CA", None, "Authorities (PEM) whose client certificates the API checks."
    )
    tls_client: Literal["optional", "required"] = option(
        "API_TLS_CLIENT", "optional", "Whether clients must have one, if API_TLS_CLIENT_CA is set."
    )
    metrics_dir: Path | None = option(
        "PROMETHEUS_MULTIPROC_DIR", None, "Where the API's processes add up their counters."
    )
    api_env: str = option("AI_ENV", "dev", "Name in the prefix /v1/<env>/ that clients are told.")
