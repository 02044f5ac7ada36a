"""Grammars that an answer can be held to: JSON schemas made into one, and what is refused.

llama.cpp ends the process over some grammars, and takes for ever over others.
"""

import json
import re
from typing import Any

from engines.errors import EngineError

# A schema's `maxLength` becomes as many groups in each other.
LONGEST, DEEPEST = 200_000, 1000
# A repeated group may be optional in many ways at once; a repeated character is not.
MOST_OF_A_GROUP, MOST_OF_A_CHARACTER = 128, 4096
WORD = re.compile(
    r"""#[^\n]*|"(?:\\.|[^"\\])*"|\[(?P<set>(?:\\.|[^\]\\])*)\]"""
    r"|(?P<open>\()|(?P<close>\))|(?P<repeat>\{[^}]*\})|(?P<token><)|(?P<name>[\w-]+)|\S",
    re.DOTALL,
)
CHARACTER = re.compile(
    r"\\x(?P<x>[0-9A-Fa-f]{2})|\\u(?P<u>[0-9A-Fa-f]{4})|\\U(?P<U>[0-9A-Fa-f]{8})"
    r"|\\(?P<escaped>.)|(?P<plain>.)",
    re.DOTALL,
)
ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def check(text: str) -> None:
    """Raises EngineError `bad_grammar` for GBNF that llama.cpp cannot be trusted with."""
    if not text.strip() or len(text) > LONGEST:
        raise _bad(f"it must have between 1 and {LONGEST} characters")
    if any("\ud800" <= one <= "\udfff" or one == "\0" for one in text):
        raise _bad("it holds half a character, or a zero byte")
    depth, after_group = 0, False
    for word in WORD.finditer(text):
        depth += bool(word["open"]) - bool(word["close"])
        if depth > DEEPEST:
            raise _bad(f"groups are nested deeper than {DEEPEST}")
        if word["token"]:
            raise _bad("it names tokens, which is not supported: write the text instead")
        if word["repeat"]:
            _check_repeat(word["repeat"], MOST_OF_A_GROUP if after_group else MOST_OF_A_CHARACTER)
        if word["set"]:
            _check_ranges(word["set"])
        after_group = bool(word["close"] or word["name"])


def _check_repeat(text: str, most: int) -> None:
    if any(int(number[:9]) > most for number in re.findall(r"\d+", text)):
        raise _bad(f"{text} repeats more than {most} times")


def _check_ranges(text: str) -> None:
    characters = [_code(one) for one in CHARACTER.finditer(text.removeprefix("^"))]
    for (first, _), (dash, plain), (last, _) in zip(
        characters, characters[1:], characters[2:], strict=False
    ):
        if plain and dash == ord("-") and first > last:
            raise _bad(f"the range [{text}] ends before it begins")


def _code(character: re.Match[str]) -> tuple[int, bool]:
    """A code point, and whether it was written as it is."""
    for name in ("x", "u", "U"):
        if digits := character[name]:
            return int(digits, 16), False
    escaped = character["escaped"]
    if escaped:
        return ord(ESCAPES.get(escaped, escaped)), False
    return ord(character["plain"]), True


def _bad(reason: str) -> EngineError:
    return EngineError("bad_grammar", f"the grammar is refused: {reason}")


def from_schema(schema: dict[str, Any]) -> str:
    """GBNF for JSON that fits the schema. Raises EngineError `bad_schema`."""
    from llama_cpp.llama_grammar import json_schema_to_gbnf

    try:
        return str(json_schema_to_gbnf(json.dumps(schema)))
    except (ArithmeticError, AssertionError, LookupError, TypeError, ValueError) as error:
        raise EngineError("bad_schema", f"the JSON schema cannot be followed: {error!r}") from error
    except (AttributeError, RecursionError) as error:
        raise EngineError("bad_schema", "the JSON schema is malformed, or too deep") from error
