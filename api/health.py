"""For probes: is the process alive, and could a question be answered now?"""

from typing import Any

from apiflask import APIBlueprint
from flask import Response, redirect, request
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response as WerkzeugResponse

from models.session import session_scope
from tasks import broker

blueprint = APIBlueprint("health", __name__, enable_openapi=False)


@blueprint.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@blueprint.get("/readyz")
def readyz() -> tuple[dict[str, Any], int]:
    """Database, broker, and a worker for every queue; 503 names what is missing."""
    missing = [*_database(), *_workers()]
    if missing:
        return {"status": "not ready", "missing": missing}, 503
    return {"status": "ready", "missing": []}, 200


def _database() -> list[str]:
    try:
        with session_scope() as session:
            session.execute(text("select 1 from epochs limit 1"))
    except SQLAlchemyError:
        return ["database"]
    return []


def _workers() -> list[str]:
    try:
        return [f"worker for {queue}" for queue in broker.queues_without_worker()]
    except broker.BrokerError:
        return ["broker"]


@blueprint.get("/")
def front() -> WerkzeugResponse:
    """Whoever opens the address in a browser sees what the API can do."""
    return redirect("/docs")


@blueprint.post("/")
def valid_post() -> Response:
    """What the published service says to a post at its root."""
    size = len(request.get_data())
    return Response(f"valid POST uri=/ data size={size} bytes", mimetype="text/plain")


@blueprint.get("/favicon.ico")
def favicon() -> Response:
    """As the published service."""
    return Response("no favicon.ico", mimetype="text/plain")
