"""The API keeps to its own description, whatever is sent: no 5xx, nothing that it does not tell."""

import itertools
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from apiflask import APIFlask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import FailureGroup
from schemathesis.schemas import APIOperation, BaseSchema

from api import tokens
from models.collection import Visibility
from models.session import session_scope
from models.tenant import Role
from models.user import User
from tests.integration.conftest import empty
from tests.integration.kinds import PLACES
from tests.integration.places import Place
from tests.integration.processes import workers
from tests.integration.world import Plan, build

FAKE = "tests.integration.fake_engine"
CHECKED = ("not_a_server_error", "status_code_conformance", "content_type_conformance")
SCHEMA = "response_schema_conformance"
STREAM = "text/event-stream"
PLAN = Plan([(Role.OWNER, Visibility.TENANT)], [Role.OWNER], guest=False)
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
ALIKE = settings(
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def app(services: None) -> Iterator[APIFlask]:
    """The API, with workers that find passages and answer with what they were given."""
    from api.app import create_app
    from api.limits import limiter

    load_all_checks()
    with pytest.MonkeyPatch.context() as patched, workers(inference=FAKE, ingest="", sweep=""):
        # More guesses than anybody may make.
        patched.setattr(limiter, "enabled", False)
        yield create_app()


@pytest.fixture
def place(services: None) -> Place:
    """A tenant with a row of every kind."""
    empty()
    [made] = build([PLAN])
    return made


def described(app: APIFlask) -> BaseSchema:
    """The description as it is, with tuples told in a way that Schemathesis reads."""
    told = app.test_client().get("/openapi.json").json
    schema = schemathesis.openapi.from_dict(_without_tuples(told))
    schema.app = app
    return schema


def _without_tuples(part: Any) -> Any:
    if isinstance(part, list):
        return [_without_tuples(one) for one in part]
    if not isinstance(part, dict):
        return part
    told = {name: _without_tuples(one) for name, one in part.items()}
    # It would turn them into what JSON Schema 2020-12 does not know any more, and refuse that.
    if members := told.pop("prefixItems", None):
        told["items"] = members[0]
    return told


def owner_of(place: Place) -> dict[str, str]:
    """Headers with a new token: some operations end the one that they are called with."""
    with session_scope() as session:
        user = session.get_one(User, place.people["owner"].user_id)
        return {"Bearer": tokens.issue(session, user)}


def known(operation: APIOperation, place: Place) -> dict[str, Any]:
    """The places of the path filled with what there is."""
    words = operation.path.split("/")
    kinds = {word[1:-1]: PLACES.get(before) for before, word in itertools.pairwise(words)}
    ids = {name: place.own("owner", kind) for name, kind in kinds.items() if kind}
    return {"path_parameters": ids} if ids else {}


def tried(
    operation: APIOperation, headers: dict[str, str], examples: int, **given_parts: Any
) -> tuple[int, list[str]]:
    """How many requests were sent, valid ones and others, and where a reply was wrong."""
    cases, wrong = 0, []

    def once(case: Case) -> None:
        nonlocal cases
        cases += 1
        reply = case.call(headers=headers, buffered=True)
        # It holds the schema of a stream's text against every event of it.
        streamed = reply.headers["content-type"][0].startswith(STREAM)
        names = CHECKED if streamed else (*CHECKED, SCHEMA)
        try:
            case.validate_response(reply, checks=[CHECKS.get_one(name) for name in names])
        except FailureGroup as failed:
            wrong.append(f"{operation.label}: {failed}")

    for mode in MODES:
        strategy = operation.as_strategy(generation_mode=mode, **given_parts)
        # Of some operations nothing can be made wrong.
        with suppress(*[Unsatisfiable] if mode is GenerationMode.NEGATIVE else []):
            settings(ALIKE, max_examples=examples)(given(strategy)(once))()
    return cases, wrong


def check_all(app: APIFlask, place: Place, examples: int) -> None:
    """Every operation, by nobody with any ids, and by an owner with ids that there are."""
    cases, wrong = 0, []
    for found in described(app).get_all_operations():
        operation = found.ok()
        for headers, parts in ({}, {}), (owner_of(place), known(operation, place)):
            sent, told = tried(operation, headers, examples, **parts)
            cases, wrong = cases + sent, wrong + told
    print(f"cases {cases}, failures {len(wrong)}")
    assert cases > 100
    assert not wrong, "\n".join(wrong[:20])


@pytest.mark.timeout(900)
def test_replies_are_what_the_description_says(app, place):
    check_all(app, place, 3)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_replies_to_many_requests_are_what_the_description_says(app, place):
    check_all(app, place, 60)
