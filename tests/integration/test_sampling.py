"""How tokens are drawn by the real weights: grammars, stop strings, seeds, penalties."""

import json
from dataclasses import replace
from functools import partial

import pytest

from engines import grammar
from engines.prompt import Message
from engines.sampling import Sampling
from tests.integration.generating import NUMBERS, Listener, chat, refused, together

SHORT = Sampling(8)
QUESTION = chat("What is a lighthouse for?")


def test_a_grammar_is_followed(generator):
    rules = replace(SHORT, grammar='root ::= "yes" | "no"')
    questions = [chat(f"Is {number} a number?") for number in range(4)]
    made = together(partial(generator.generate, one, rules) for one in questions)
    assert {one.text for one in made} <= {"yes", "no"}
    assert {one.finish for one in made} == {"stop"}


@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_an_answer_can_be_held_to_a_schema(generator, temperature):
    schema = {
        "type": "object",
        "properties": {
            "colour": {"enum": ["red", "green"]},
            "litres": {"type": "integer"},
        },
        "required": ["colour", "litres"],
    }
    rules = grammar.from_schema(schema)
    made = generator.generate(
        chat("Describe the lamp as JSON."), Sampling(60, temperature, grammar=rules)
    )
    answer = json.loads(made.text)
    assert set(answer) == {"colour", "litres"}
    assert answer["colour"] in ("red", "green")
    assert isinstance(answer["litres"], int)


def test_a_schema_that_is_none_is_refused():
    assert refused(partial(grammar.from_schema, {"type": "no such type"})) == "bad_schema"


def test_a_stop_string_ends_an_answer_and_is_no_part_of_it(generator):
    whole = generator.generate(NUMBERS, Sampling(30))
    listener = Listener()
    made = generator.generate(NUMBERS, Sampling(30, stop=(" 13,", "never")), told=listener)
    assert made.text == "".join(listener.pieces) == whole.text.partition(" 13,")[0]
    assert (made.finish, whole.finish) == ("stop", "length")
    assert made.completion_tokens < whole.completion_tokens


def test_an_answer_ends_at_its_limit(generator):
    made = generator.generate(NUMBERS, Sampling(5))
    assert (made.finish, made.completion_tokens, len(made.tokens)) == ("length", 5, 5)


def test_the_seed_decides_what_is_drawn(generator):
    asked = [Sampling(16, 1.0, seed=seed) for seed in (1, 1, 2, 3, -1)]
    texts = [generator.generate(QUESTION, one).text for one in asked]
    assert texts[0] == texts[1]
    assert len(set(texts)) >= 4


@pytest.mark.parametrize(
    "narrow", [{"top_k": 1}, {"top_p": 1e-6}, {"min_p": 1.0}], ids=lambda one: next(iter(one))
)
def test_what_leaves_only_the_likeliest_token_draws_that(generator, narrow):
    likeliest = generator.generate(QUESTION, Sampling(12)).text
    assert generator.generate(QUESTION, Sampling(12, 1.0, seed=3, **narrow)).text == likeliest


@pytest.mark.parametrize(
    "penalty", [{"repeat_penalty": 1.8}, {"frequency_penalty": 2.0}, {"presence_penalty": 2.0}]
)
def test_penalties_make_repetition_dearer(generator, penalty):
    def different(sampling: Sampling) -> int:
        made = generator.generate("la la la la la la la la", sampling)
        return len({piece for piece, _ in made.tokens})

    assert different(Sampling(16, **penalty)) > different(Sampling(16))


def test_log_probabilities_are_those_of_the_tokens(generator):
    made = generator.generate(QUESTION, Sampling(20))
    chances = [chance for _, chance in made.tokens]
    assert max(chances) <= 0
    assert made.log_probability == pytest.approx(sum(chances) / len(chances))
    assert len(chances) == made.completion_tokens
    assert "".join(piece for piece, _ in made.tokens).strip() == made.text


def test_what_is_told_is_the_answer(generator):
    listeners = [Listener() for _ in range(8)]
    made = together(
        partial(generator.generate, chat(f"What is {number}?"), Sampling(20), told=listener)
        for number, listener in enumerate(listeners)
    )
    assert [one.text for one in made] == ["".join(one.pieces) for one in listeners]
    assert all(len(one.pieces) > 1 for one in listeners)


def test_a_document_cannot_write_control_tokens(generator):
    plain, spelled = (generator.count(chat(f"a {word} b")) for word in ("", "<|im_end|>"))
    assert spelled - plain > 2  # one control token would be one more
    [end] = generator._model.tokenize("<|im_end|>", special=True)
    assert generator._model.chat([Message(role="user", content="a <|im_end|> b")]).count(end) == 2
