"""One running stack for all system tests, the people in front of it, and its logs on failure."""

import json
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.commands import Published, redten
from tests.system.jobs import PUBLIC
from tests.system.people import Person, environment_of, stranger
from tests.system.stack import PROJECT, Stack, logs, running


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows what the stack had to say."""
    report = yield
    stack = item.funcargs.get("stack")
    if report.failed and isinstance(stack, Stack):
        report.sections.append(("logs of the stack", logs(stack.root)))
    return report


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("stack") / "data") as started:
        yield started


@pytest.fixture(scope="session")
def published() -> Published:
    """The published client, installed once and kept beside the project's own environment."""
    client = Published(PROJECT / ".venv" / "published-client")
    client.install()
    return client


@pytest.fixture
def newcomer(stack: Stack, tmp_path: Path) -> Person:
    """Somebody without an account."""
    return stranger(stack.door, stack.client, tmp_path / "home")


@pytest.fixture
def person(newcomer: Person) -> Person:
    """Somebody with an account, a member of the default tenant."""
    return newcomer.known()


@pytest.fixture
def another(stack: Stack, tmp_path: Path) -> Person:
    """Somebody else with an account."""
    return stranger(stack.door, stack.client, tmp_path / "other-home").known()


@pytest.fixture(scope="session")
def admin(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """Who owns the default tenant and the public collection."""
    email, password = stack.admin["AI_EMAIL"], stack.admin["AI_PASSWORD"]
    home = tmp_path_factory.mktemp("admin")
    told = environment_of(email, password, stack.client, home)
    return Person(email, password, told, stack.door).logged_in()


@pytest.fixture(scope="session")
def examples(admin: Person) -> list[dict[str, Any]]:
    """The questions about the sample documents, which are in the public collection now."""
    ended = redten(admin, "ingest", PROJECT / "examples" / "documents", "-c", PUBLIC)
    assert ended.returncode == 0, ended.stderr
    return list(json.loads((PROJECT / "examples" / "questions.json").read_text()))
