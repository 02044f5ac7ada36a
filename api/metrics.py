"""Counts and times of requests for Prometheus, with the published service's names."""

import time
from typing import Any

from flask import Flask, Response, g, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

from settings import settings

SECONDS = Histogram(
    "http_request_duration_seconds", "Seconds until the reply was ready.", ["resource", "method"]
)
REQUESTS = Counter("http_requests_total", "Requests.", ["resource", "method"])
# Not a Counter, whose name would get another `_total` at its end.
BY_STATUS = Gauge(
    "http_requests_total_by_status_code",
    "Requests by status.",
    ["resource", "method", "status_code"],
    multiprocess_mode="sum",
)
# The published service's names; the others are named after their blueprint and HTTP method.
NAMES = {
    "sessions.log_in": ("auth", "login"),
    "users.sign_up": ("user", "post"),
    "users.get_user": ("user", "get"),
    "users.change_user": ("user", "put"),
    "users.delete_user": ("user", "delete"),
    "users.search_users": ("user", "search"),
    "passwords.reset_password": ("user", "create_otp"),
    "passwords.use_one_time_password": ("user", "consume_otp"),
    "verification.verify": ("user", "consume_verify"),
    "verification.send_again": ("user", "create_verify"),
    "answers.search_results": ("answers", "search"),
    "user_data.upload_data": ("data", "upload"),
    "user_data.search_user_data": ("data", "search"),
    "user_data.change_user_data": ("data", "put"),
    "user_data.download_data": ("data", "get"),
    "user_data.delete_data": ("data", "delete"),
}


def _name() -> tuple[str, str]:
    endpoint = request.endpoint or ""
    if endpoint in NAMES:
        return NAMES[endpoint]
    return request.blueprint or "unknown", request.method.lower() if endpoint else "unknown"


def _begin() -> None:
    g.began = time.perf_counter()


def _end(response: Response) -> Response:
    resource, method = _name()
    SECONDS.labels(resource, method).observe(time.perf_counter() - g.began)
    REQUESTS.labels(resource, method).inc()
    BY_STATUS.labels(resource, method, f"http_{response.status_code}").inc()
    return response


def _metrics() -> Response:
    registry: Any = REGISTRY
    if settings.metrics_dir:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry, path=str(settings.metrics_dir))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def register(app: Flask) -> None:
    """Measures every request, and shows the sum of all processes at /metrics."""
    app.before_request(_begin)
    app.after_request(_end)
    app.add_url_rule("/metrics", "metrics", _metrics)
