"""The API describes itself: OpenAPI 3.1, and a page to try it without the internet."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.system.people import Door
from tests.system.stack import Stack

METHODS = {"get", "put", "post", "delete", "patch"}
CONTRACT = {
    ("/login", "post"),
    ("/user", "post"),
    ("/user/{user_id}", "get"),
    ("/job", "post"),
    ("/job/{id}", "get"),
    ("/job/result/{id}", "get"),
    ("/ai/result/{job_id}", "get"),
    ("/ai/result", "post"),
    ("/ai/result", "put"),
    ("/ai/result/search", "post"),
    ("/collections", "get"),
    ("/collections", "post"),
    ("/documents/{id}", "get"),
    ("/user/data", "post"),
    ("/user/data", "put"),
    ("/user/data/search", "post"),
    ("/members", "get"),
    ("/members/{email}", "put"),
}


@pytest.fixture(scope="module")
def door(stack: Stack) -> Door:
    """The API, for anybody."""
    return stack.door


@pytest.fixture(scope="module")
def description(door: Door) -> dict[str, Any]:
    """What the API says about itself."""
    return dict(door.call("GET", "/openapi.json"))


def operations(description: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in description["paths"].items():
        for method in METHODS & item.keys():
            yield path, method, item[method]


def references(part: Any) -> Iterator[str]:
    """Every `$ref` anywhere below."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for one in part.values():
            yield from references(one)
    elif isinstance(part, list):
        for one in part:
            yield from references(one)


def found(description: dict[str, Any], reference: str) -> bool:
    part: Any = description
    for name in reference.removeprefix("#/").split("/"):
        part = part.get(name) if isinstance(part, dict) else None
    return isinstance(part, dict)


def test_it_is_openapi_3_1_and_complete(description: dict[str, Any]) -> None:
    assert re.fullmatch(r"3\.1\.\d+", description["openapi"])
    assert {"title", "version"} <= description["info"].keys()
    described = {(path, method) for path, method, _ in operations(description)}
    assert described >= CONTRACT


def test_every_operation_says_what_it_does_and_answers(description: dict[str, Any]) -> None:
    wanting = [
        (path, method)
        for path, method, operation in operations(description)
        if not operation.get("summary")
        or not operation.get("responses")
        or not all("description" in one for one in operation["responses"].values())
    ]

    assert wanting == []


def test_every_place_in_a_path_is_a_declared_parameter(description: dict[str, Any]) -> None:
    for path, method, operation in operations(description):
        declared = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
        assert declared == set(re.findall(r"{(\w+)}", path)), (path, method)


def test_every_operation_tells_how_a_refusal_looks(description: dict[str, Any]) -> None:
    told = {
        one["responses"]["default"]["content"]["application/json"]["schema"]["$ref"].split("/")[-1]
        for _, _, one in operations(description)
    }

    assert told == {"Refusal", "OpenAIRefusal", "DifyRefusal"}


def test_every_reference_leads_somewhere(description: dict[str, Any]) -> None:
    dangling = [one for one in references(description) if not found(description, one)]

    assert dangling == []
    assert len(set(references(description))) > 5


def test_the_schemas_carry_the_limits_that_are_checked(description: dict[str, Any]) -> None:
    review = description["components"]["schemas"]["ReviewIn"]["properties"]["reviewed_score"]

    [number] = [one for one in review["anyOf"] if one["type"] == "number"]
    assert (number["minimum"], number["maximum"]) == (0, 100)


def test_the_page_to_try_it_needs_nothing_from_elsewhere(door: Door) -> None:
    page = door.send("GET", "/docs").text

    assets = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    assert any("swagger-ui-bundle" in asset for asset in assets)
    assert [asset for asset in assets if re.match(r"(https?:)?//", asset)] == []
    answers = {asset: door.send("GET", asset).status_code for asset in assets}
    assert set(answers.values()) == {200}, answers


def test_every_operation_but_the_open_ones_asks_for_a_token(description: dict[str, Any]) -> None:
    unsigned = {path for path, _, one in operations(description) if not one.get("security")}

    assert unsigned == {"/login", "/user", "/user/verify", "/metrics"}
