"""No operation tells or touches anything of another tenant, whoever asks, whatever they guess."""

import re
from collections.abc import Iterator
from random import Random

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import strategies as st
from pgvector.psycopg import register_vector
from sqlalchemy import Engine, create_engine, event

from models.session import driver_url
from tasks import chains
from tests.conftest import CLUSTER
from tests.integration.calls import Operation, operations
from tests.integration.conftest import empty
from tests.integration.probing import Prober
from tests.integration.processes import workers
from tests.integration.world import Plan, build, plans

FAKE = "tests.integration.fake_engine"
# Of one example all is tried; a smaller one that fails tells no more.
EXHAUSTIVE = settings(
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    verbosity=Verbosity.quiet,
)
arrangements = given(plan=plans(), acting=st.sampled_from([1, 0, 2, 3]), seed=st.integers())


@pytest.fixture(scope="module")
def serving(services: None) -> Iterator[None]:
    """Workers that find passages and answer with what they were given."""
    with workers(inference=FAKE, ingest="", sweep=""):
        yield


@pytest.fixture(scope="module")
def door(serving: None) -> Iterator[FlaskClient]:
    from api.app import create_app
    from api.limits import limiter

    with pytest.MonkeyPatch.context() as patched:
        # More guesses than anybody may make: what is limited would answer alike.
        patched.setattr(limiter, "enabled", False)
        yield create_app().test_client()


@pytest.fixture(scope="module")
def described(door: FlaskClient) -> list[Operation]:
    return operations(door.get("/openapi.json").json)


@pytest.fixture
def unwalled(services: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The door as a superuser, through whom row-level security lets everything."""
    engine = _superuser()
    monkeypatch.setattr("models.session.engine", lambda: engine)
    yield
    engine.dispose()


def _superuser() -> Engine:
    engine = create_engine(driver_url(CLUSTER.admin_url), connect_args={"connect_timeout": 5})
    event.listen(engine, "connect", lambda connection, _: register_vector(connection))
    return engine


def explore(
    door: FlaskClient, described: list[Operation], plan: list[Plan], acting: int, seed: int | None
) -> None:
    empty()
    world = build(plan)
    chance = None if seed is None else Random(seed)
    prober = Prober(door, world, world[acting % len(world)], chance)
    found = prober.try_everything(described)
    print(f"cases {found.cases}, leaks {len(found.leaks)}")
    assert found.cases > 10 * len(described)
    assert not found.leaks, "\n".join(found.leaks[:20])


@pytest.mark.timeout(900)
@settings(EXHAUSTIVE, max_examples=1)
@arrangements
def test_no_operation_tells_or_touches_anything_of_another_tenant(
    door, described, plan, acting, seed
):
    explore(door, described, plan, acting, seed)


@pytest.mark.long
@pytest.mark.timeout(900)
@settings(EXHAUSTIVE, max_examples=1)
@arrangements
def test_nor_does_one_where_row_level_security_does_not_hold(
    door, described, unwalled, plan, acting, seed
):
    explore(door, described, plan, acting, seed)


def test_what_a_worker_leaves_for_one_caller_lies_where_no_other_looks(http, headers, monkeypatch):
    told = []
    monkeypatch.setattr(chains, "send_once", lambda step, _: told.append(step.kwargs["address"]))
    asked = {"question": "?", "collection": "embed-security", "address": "mine"}

    replies = [http.post("/retrieve", json=asked, headers=headers) for _ in range(2)]

    assert [reply.status_code for reply in replies] == [503, 503]
    assert len({*told, "mine"}) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", address) for address in told)


@pytest.mark.long
@pytest.mark.timeout(3600)
@settings(EXHAUSTIVE, max_examples=8)
@arrangements
def test_no_arrangement_of_tenants_leaks(door, described, plan, acting, seed):
    explore(door, described, plan, acting, None)


@pytest.mark.long
@pytest.mark.timeout(3600)
@settings(EXHAUSTIVE, max_examples=8)
@arrangements
def test_none_leaks_where_row_level_security_does_not_hold(
    door, described, unwalled, plan, acting, seed
):
    explore(door, described, plan, acting, None)
