"""Registered models, as JSON or as text for people."""

import json
from collections.abc import Sequence
from typing import Any

from client.show import table
from models.model import Model

HEADERS = ("NAME", "QUANTISATION", "CONTEXT", "PARAMETERS", "SIZE", "ALIASES", "ADAPTERS", "")


def listing(models: Sequence[Model], default_file: str, as_json: bool) -> str:
    """A line for each model; the default one is marked."""
    records = [record(model, default_file) for model in models]
    if as_json:
        return json.dumps(records, indent=2)
    if not records:
        return f"no model is registered; {default_file} answers: `redten models add` registers one"
    return table(HEADERS, map(_row, records))


def _row(model: dict[str, Any]) -> tuple[object, ...]:
    return (
        model["name"],
        model["quantization"],
        model["n_ctx_train"],
        f"{model['parameters'] / 1e6:,.0f} M",
        f"{model['size_in_bytes'] / 2**20:,.0f} MiB",
        ", ".join(model["aliases"]),
        ", ".join(model["adapters"]),
        "default" if model["default"] else None,
    )


def description(model: Model, default_file: str, as_json: bool) -> str:
    """Everything about one model, a line each."""
    facts = record(model, default_file)
    if as_json:
        return json.dumps(facts, indent=2)
    width = max(map(len, facts)) + 2
    return "\n".join(f"{name:<{width}}{_text(value)}" for name, value in facts.items())


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)


def record(model: Model, default_file: str) -> dict[str, Any]:
    """What is known of a model, in the names of its record."""
    columns = {column.key: getattr(model, column.key) for column in Model.__table__.columns}
    dropped = ("id", "is_default", "created_at", "updated_at")
    return {name: value for name, value in columns.items() if name not in dropped} | {
        "aliases": [one.alias for one in model.aliases],
        "adapters": [one.name for one in model.adapters],
        "default": model.file == default_file,
        "created_at": model.created_at.isoformat(),
    }
