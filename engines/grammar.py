"""JSON schemas as grammars that an answer can be held to."""

import json
from typing import Any

from engines.errors import EngineError


def from_schema(schema: dict[str, Any]) -> str:
    """GBNF for JSON that fits the schema. Raises EngineError `bad_schema`."""
    from llama_cpp.llama_grammar import json_schema_to_gbnf

    try:
        return str(json_schema_to_gbnf(json.dumps(schema)))
    except (ArithmeticError, AssertionError, LookupError, TypeError, ValueError) as error:
        raise EngineError("bad_schema", f"the JSON schema cannot be followed: {error!r}") from error
    except (AttributeError, RecursionError) as error:
        raise EngineError("bad_schema", "the JSON schema is malformed, or too deep") from error
