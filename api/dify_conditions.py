"""Dify's conditions on metadata, as the filters of a search as far as these can say them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError, model_validator

from api.retrieval_schemas import FiltersIn, Moment, Page
from api.schemas import In
from models.errors import RedtenError

# Fields of a document; any other name is a column of tables.
FIELDS = {
    **dict.fromkeys(("document_id", "document"), "documents"),
    **dict.fromkeys(("source", "document_name", "name"), "names"),
    **dict.fromkeys(("tag", "tags"), "tags"),
    "kind": "kinds",
    **dict.fromkeys(("dated_at", "date"), "dated"),
    "page": "pages",
}
EQUAL = ("is", "=", "in")
PATTERNS = {"contains": "*{}*", "start with": "{}*", "end with": "*{}"}
JUST_AFTER = timedelta(microseconds=1)

Value = str | int | float
Bounds = tuple[int | None, int | None]
OPERATORS = {
    "names": (*EQUAL, *PATTERNS),
    "tags": (*EQUAL, "contains"),
    "dated": ("after", "before"),
    "pages": ("=", "is", ">", "<", "≥", "≤"),
}


def _one_name(value: object) -> object:
    """A name, or a list of one, as older descriptions have it."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


class ConditionIn(In):
    """A condition that is not fulfilled by leaving it out: what cannot be said is refused."""

    name: Annotated[str, BeforeValidator(_one_name), Field(min_length=1, max_length=256)]
    comparison_operator: str
    value: Value | list[Value] | None = None

    @model_validator(mode="after")
    def _can_be_said(self) -> Self:
        known = OPERATORS.get(self.field, EQUAL)
        if self.comparison_operator not in known:
            told = ", ".join(known)
            raise ValueError(
                f"{self.comparison_operator!r} is not supported for {self.name}: use {told}"
            )
        if not self.values:
            raise ValueError(f"{self.name} needs a value")
        return self

    @property
    def field(self) -> str:
        """The filter that it belongs to, `meta` for a column."""
        return FIELDS.get(self.name, "meta")

    @property
    def values(self) -> list[Value]:
        """What is compared with."""
        if self.value is None:
            return []
        return self.value if isinstance(self.value, list) else [self.value]


class ConditionsIn(In):
    """Conditions that all hold. Of several on one field only bounds go together."""

    logical_operator: Literal["and", "or"] | None = "and"
    conditions: list[ConditionIn] | None = Field(None, max_length=32)

    @model_validator(mode="after")
    def _all_hold(self) -> Self:
        if self.logical_operator == "or" and len(self.conditions or []) > 1:
            raise ValueError("'or' is not supported: use one condition with several values")
        return self


def filters_of(conditions: ConditionsIn | None) -> FiltersIn:
    """The filters that say the same. Raises RedtenError `bad_condition` for what does not fit."""
    told: dict[str, Any] = {}
    try:
        for one in (conditions and conditions.conditions) or []:
            _add(told, one)
        return FiltersIn(**told)
    except ValidationError as error:
        wrong = "; ".join(str(one["msg"]) for one in error.errors())
        raise RedtenError("bad_condition", f"metadata_condition: {wrong}") from error


def _add(told: dict[str, Any], one: ConditionIn) -> None:
    if one.field == "pages":
        told["pages"] = _narrower(told.get("pages", (None, None)), _pages(one))
    elif one.field == "dated":
        bound, moment = _moment(one)
        tighter = max if bound == "dated_from" else min
        told[bound] = tighter(told.get(bound, moment), moment)
    elif one.field == "meta":
        _put(told.setdefault("meta", {}), one.name, one, one.values)
    else:
        _put(told, one.field, one, [_written(one, value) for value in one.values])


def _written(one: ConditionIn, value: Value) -> Value:
    """As the filter has it: a number for a document, a text or a pattern for all else."""
    if one.field == "documents":
        return value
    pattern = PATTERNS.get(one.comparison_operator, "{}") if one.field == "names" else "{}"
    return pattern.format(value)


def _put(told: dict[str, Any], key: str, one: ConditionIn, values: Sequence[Value]) -> None:
    if key in told:
        raise RedtenError(
            "bad_condition", f"metadata_condition: one condition on {one.name}, with all values"
        )
    told[key] = list(values)


def _pages(one: ConditionIn) -> Bounds:
    page = TypeAdapter(Page).validate_python(one.values[0])
    match one.comparison_operator:
        case ">":
            return page + 1, None
        case "≥":
            return page, None
        case "<":
            return None, page - 1
        case "≤":
            return None, page
    return page, page


def _narrower(one: Bounds, other: Bounds) -> Bounds:
    lows = [low for low, _ in (one, other) if low is not None]
    highs = [high for _, high in (one, other) if high is not None]
    return max(lows, default=None), min(highs, default=None)


def _moment(one: ConditionIn) -> tuple[str, datetime]:
    """The filter's bounds belong to it, Dify's do not."""
    moment = TypeAdapter(Moment).validate_python(one.values[0])
    if one.comparison_operator == "after":
        return "dated_from", moment + JUST_AFTER
    return "dated_to", moment - JUST_AFTER
