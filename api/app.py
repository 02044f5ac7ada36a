"""The application: blueprints, errors, metrics, and a description of itself."""

from importlib.resources import files
from typing import Any

from apiflask import APIFlask
from flask import Response, send_from_directory
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import IntegerConverter

from api import (
    answers,
    collections,
    description,
    dify,
    embedding,
    errors,
    events,
    failures,
    health,
    invitations,
    jobs,
    keys,
    limits,
    members,
    metrics,
    models,
    passwords,
    quotas,
    results_export,
    retrieval,
    security_headers,
    sessions,
    sources,
    tenants,
    user_data,
    users,
    verification,
)
from api.auth import SECURITY_SCHEMES
from api.openai import completions, embeddings, served_models
from api.schemas import INT32
from api.strict_json import PlainRequest, StrictJSON, read_on
from settings import settings

SWAGGER = "/docs/assets"
NOUNS = (
    users,
    sessions,
    passwords,
    verification,
    keys,
    jobs,
    failures,
    events,
    answers,
    results_export,
    collections,
    members,
    tenants,
    invitations,
    quotas,
    health,
    models,
    user_data,
    sources,
    retrieval,
    dify,
    embedding,
)
OPENAI = (completions, embeddings, served_models)


class NumberConverter(IntegerConverter):
    """An id in a path; one that no id can be is an unknown path."""

    def __init__(self, url_map: Any) -> None:
        super().__init__(url_map, min=1, max=INT32)


def create_app() -> APIFlask:
    """A WSGI application that serves every route at `/`."""
    app = APIFlask(__name__, title="redten", version="0.1.0", docs_path="/docs")
    app.request_class, app.json = PlainRequest, StrictJSON(app)
    app.after_request(read_on)
    app.url_map.converters["number"] = NumberConverter
    app.config.update(
        MAX_CONTENT_LENGTH=settings.max_body_bytes,
        SECURITY_SCHEMES=SECURITY_SCHEMES,
        SWAGGER_UI_CSS=f"{SWAGGER}/swagger-ui.css",
        SWAGGER_UI_BUNDLE_JS=f"{SWAGGER}/swagger-ui-bundle.js",
        SWAGGER_UI_STANDALONE_PRESET_JS=f"{SWAGGER}/swagger-ui-standalone-preset.js",
        DOCS_FAVICON=f"{SWAGGER}/favicon-32x32.png",
        DESCRIPTION="Ask LLMs about your own documents, and let experts make the answers better.",
    )
    app.add_url_rule(f"{SWAGGER}/<path:name>", "swagger", app.doc(hide=True)(_swagger))
    app.spec_processor(description.describe)
    if settings.proxies:
        # Only so many addresses at the end of X-Forwarded-For are not the client's to choose.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.proxies)  # type: ignore[method-assign]
    errors.register(app)
    security_headers.register(app)
    limits.register(app)
    metrics.register(app)
    for noun in (*NOUNS, *OPENAI):
        app.register_blueprint(noun.blueprint)
    return app


def _swagger(name: str) -> Response:
    """Swagger UI from an installed package: the page works without the internet."""
    return send_from_directory(str(files("flask_swagger_ui") / "dist"), name)
