"""Grammars that llama.cpp cannot be trusted with are refused before it sees them."""

import pytest

from engines import grammar
from engines.errors import EngineError

DEEP = "root ::= " + "(" * 50_000 + '"a"' + ")" * 50_000


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "between 1 and"),
        (" \n", "between 1 and"),
        (f'root ::= "{"a" * 200_001}"', "between 1 and"),
        ('root ::= "\ud800"', "half a character"),
        (DEEP[:90_000], "nested"),
        ("root ::= <[999999]>", "tokens"),
        ("root ::= [z-a]", "range"),
        (r"root ::= [\x7a-\x61]", "range"),
        (r"root ::= [^a\u00ff-\n]", "range"),
        ("root ::= ([a-z]? [a-z]? [a-z]?){0,300}", "repeats"),
        ("root ::= item{0,300}\nitem ::= [a-z]?", "repeats"),
        ('root ::= "a"{99999999999999999999}', "repeats"),
    ],
)
def test_a_grammar_that_ends_or_hangs_the_process_is_refused(text, reason):
    with pytest.raises(EngineError, match=reason) as refused:
        grammar.check(text)
    assert refused.value.code == "bad_grammar"


@pytest.mark.parametrize(
    "text",
    [
        'root ::= "yes" | "no"',
        r'root ::= "\"" [^"\\\x7F\x00-\x1F]* "\"" # (((',
        'root ::= [a-zA-Z_-] [-a-z]{1,200} (item){2,8}\nitem ::= [^\\]] | "<[1]>"',
        grammar.from_schema(
            {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "maxLength": 200},
                    "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 20},
                    "age": {"type": "integer"},
                },
                "required": ["name"],
            }
        ),
    ],
)
def test_an_honest_grammar_is_taken(text):
    grammar.check(text)


@pytest.mark.parametrize("schema", [{"$ref": "#/nowhere"}, {"type": "nothing"}, {"enum": 3}])
def test_a_schema_that_is_none_is_refused(schema):
    with pytest.raises(EngineError) as refused:
        grammar.from_schema(schema)
    assert refused.value.code == "bad_schema"
