"""Dify's conditions on metadata as filters of a search."""

from typing import Any

import pytest
from pydantic import ValidationError

from api.dify_conditions import ConditionsIn, filters_of
from models.errors import RedtenError


def condition(name: Any, operator: str, value: Any = None) -> dict[str, Any]:
    return {"name": name, "comparison_operator": operator, "value": value}


def told(*conditions: dict[str, Any], **more: Any) -> dict[str, Any]:
    read = ConditionsIn.model_validate({"conditions": list(conditions), **more})
    return filters_of(read).told()


@pytest.mark.parametrize(
    ("one", "filters"),
    [
        (condition("source", "is", "a.pdf"), {"names": ["a.pdf"]}),
        (condition(["document_name"], "contains", "2023"), {"names": ["*2023*"]}),
        (condition("name", "start with", "rocks/"), {"names": ["rocks/*"]}),
        (condition("name", "end with", ".md"), {"names": ["*.md"]}),
        (condition("document_id", "in", [3, 4]), {"documents": [3, 4]}),
        (condition("tags", "contains", "x"), {"tags": ["x"]}),
        (condition("kind", "is", "pdf"), {"kinds": ["pdf"]}),
        (condition("page", "=", 3), {"pages": (3, 3)}),
        (condition("page", ">", "3"), {"pages": (4, None)}),
        (condition("page", "≤", 3), {"pages": (None, 3)}),
        (condition("region", "in", ["North", 7]), {"meta": {"region": ["North", "7"]}}),
        (condition("date", "before", 0), {"dated_to": "1969-12-31T23:59:59.999999Z"}),
        (condition("date", "after", "2024-01-01"), {"dated_from": "2024-01-01T00:00:00.000001Z"}),
    ],
)
def test_what_filters_can_say_is_said(one, filters):
    assert told(one) == filters


def test_conditions_hold_together_and_bounds_become_a_range():
    both = [condition("page", "≥", 2), condition("page", "<", 9), condition("kind", "is", "pdf")]
    assert told(*both) == {"pages": (2, 8), "kinds": ["pdf"]}


def test_no_conditions_are_no_filters():
    assert filters_of(None).told() == told() == told(logical_operator="or") == {}


@pytest.mark.parametrize(
    ("conditions", "more"),
    [
        ([condition("source", "is not", "a.pdf")], {}),
        ([condition("source", "not contains", "a")], {}),
        ([condition("region", "contains", "N")], {}),
        ([condition("region", "empty")], {}),
        ([condition("region", "is")], {}),
        ([condition("kind", "is", "pdf"), condition("kind", "is", "mail")], {}),
        ([condition("kind", "is", "a"), condition("page", "=", 1)], {"logical_operator": "or"}),
        ([condition("page", "=", "three")], {}),
        ([condition("page", "<", 1)], {}),
        ([condition("date", "after", "soon")], {}),
        ([condition("document_id", "is", "x")], {}),
    ],
)
def test_what_filters_cannot_say_is_refused(conditions, more):
    with pytest.raises((ValidationError, RedtenError)):
        told(*conditions, **more)
