"""Many answers at once by the real weights: each its own, none harmed by another."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import llama_cpp
import numpy as np
import pytest

import engines.generator
import engines.request
from engines.errors import EngineError, EngineStopped
from engines.generator import Generator
from engines.prompt import Message
from engines.sampling import Sampling
from settings import settings
from tests.integration.generating import (
    NUMBERS,
    WEIGHTS,
    Listener,
    another,
    chat,
    counting,
    document,
    refused,
    together,
    told,
)
from tests.integration.processes import until

SHORT = Sampling(8)
QUESTION = chat("What is a lighthouse for?")


def hotel(number: int, fact: int) -> list[Message]:
    """A question that the fact answers."""
    return told(
        f"Room {number} of the hotel holds {fact} bottles of wine.",
        f"How many bottles of wine does room {number} hold?",
    )


# --- many at once -------------------------------------------------------------------------------


def test_thirty_two_questions_in_flight_each_get_their_own_answer(generator):
    numbers = [1013 + 271 * number for number in range(32)]

    made = together(
        partial(generator.generate, hotel(number, fact), Sampling(16))
        for number, fact in enumerate(numbers)
    )

    answers = [one.text.replace(",", "") for one in made]
    assert [str(fact) in text for fact, text in zip(numbers, answers, strict=True)] == [True] * 32


def test_company_changes_an_answer_only_by_rounding(generator):
    """Along the greedy answers of `Llama`, each of them alone."""
    asked = [hotel(number, 1858 + number) for number in range(6)]
    with closing(
        llama_cpp.Llama(str(WEIGHTS), n_ctx=1024, flash_attn=True, verbose=False)
    ) as llama:
        alone = [_greedy(llama, generator._model.chat(one), 12) for one in asked]

    with counting(generator) as (_, numbers), ThreadPoolExecutor(6) as threads:
        scores = list(
            threads.map(generator.score, asked, [tokens for tokens, _ in alone], timeout=60)
        )
        assert not numbers.done()

    expected, given = ([x for one in many for x in one] for many in ([c for _, c in alone], scores))
    apart = np.abs(np.subtract(given, expected))
    # `Llama` is as far from itself when it reads the same prompt in pieces: up to 0.3.
    assert apart.max() < 0.4
    assert apart.mean() < 0.08


def _greedy(llama: llama_cpp.Llama, prompt: list[int], count: int) -> tuple[list[int], list[float]]:
    """The likeliest tokens and their natural log-probabilities."""
    llama.reset()
    llama.eval(prompt)
    tokens, chances = [], []
    while len(tokens) < count and llama.token_eos() not in tokens:
        pointer = llama_cpp.llama_get_logits_ith(llama.ctx, -1)
        logits = np.ctypeslib.as_array(pointer, (llama.n_vocab(),)).astype(np.float64)
        tokens.append(int(logits.argmax()))
        chances.append(float(logits.max() - np.logaddexp.reduce(logits)))
        llama.eval(tokens[-1:])
    return tokens, chances


def test_a_repeat_alone_is_the_same(generator):
    first = generator.generate(QUESTION, Sampling(20))
    generator.generate(chat("What is a boat?"), SHORT)
    again = generator.generate(QUESTION, Sampling(20))
    unlike = {"seconds": 0.0, "seconds_to_first": 0.0, "cached_tokens": 0}
    assert replace(again, **unlike) == replace(first, **unlike)


def test_a_long_prompt_does_not_silence_an_answer_that_is_being_written(generator):
    long, heard = document("the castle", 160), []
    assert generator.count(long) > 2000
    with counting(generator) as (running, _):
        before = len(running.pieces)
        generator.generate(long, Sampling(2), told=lambda _: heard.append(len(running.pieces)))
    # Prompts are computed 512 tokens at a time at most.
    assert heard[0] - before >= 3


def test_more_questions_than_the_cache_holds_wait_their_turn(monkeypatch):
    with another(monkeypatch, kv_cells=512, n_ctx=512) as small:
        asked = [told(document(f"cottage {number}", 10), "What is it?") for number in range(12)]
        assert sum(map(small.count, asked)) > 3 * 512
        made = together(partial(small.generate, one, SHORT) for one in asked)
    assert all(one.completion_tokens for one in made)


def test_all_who_wait_are_told_when_the_engine_stops():
    listener, stopping = Listener(), Generator(WEIGHTS)
    with ThreadPoolExecutor(12) as threads:
        futures = [
            threads.submit(stopping.generate, f"{number} {NUMBERS}", Sampling(1000), told=listener)
            for number in range(12)
        ]
        # Eight are being written at most: the others are waiting for one of them to end.
        until(lambda: listener.pieces and stopping._scheduler._waiting)
        stopping.close()
        errors = [future.exception(30) for future in futures]
    assert [type(error) for error in errors] == [EngineStopped] * 12


# --- who goes before the end --------------------------------------------------------------------


def test_of_several_in_flight_the_one_that_is_withdrawn_ends_alone(generator):
    listener = Listener()

    def wanted() -> bool:
        return not listener.pieces

    withdrawn = partial(generator.generate, NUMBERS, Sampling(300), wanted=wanted, told=listener)
    with ThreadPoolExecutor(4) as threads:
        others = [threads.submit(generator.generate, QUESTION, Sampling(30)) for _ in range(3)]
        assert refused(withdrawn) == "cancelled"
        assert {future.result(60).finish for future in others} <= {"stop", "length"}
    # One turn more at most, of a token and what was proposed after it.
    assert len(listener.pieces) <= 3


def test_one_that_is_withdrawn_while_another_waits_before_it_ends_at_once(monkeypatch):
    withdrawn = threading.Event()
    with (
        another(monkeypatch, kv_cells=512, n_ctx=512) as small,
        ThreadPoolExecutor(2) as threads,
        counting(small, 440) as (_, running),
    ):
        first = threads.submit(
            small.generate, NUMBERS, Sampling(440), wanted=lambda: not withdrawn.is_set()
        )
        until(lambda: len(small._scheduler._waiting) == 1)
        second = threads.submit(small.generate, NUMBERS, Sampling(440), wanted=lambda: False)
        with pytest.raises(EngineError, match="withdrawn"):
            second.result(30)
        assert not running.done()
        assert not first.done()
        withdrawn.set()


def test_no_first_token_in_time_is_refused(generator, monkeypatch):
    late = settings.model_copy(update={"deadline_s": -1.0})
    monkeypatch.setattr(engines.generator, "settings", late)
    assert refused(partial(generator.generate, QUESTION, SHORT)) == "deadline"


def test_an_answer_that_meets_its_deadline_ends_there(generator, monkeypatch):
    """The clock jumps with the first piece."""
    listener, clock = Listener(), engines.request.time.monotonic
    jumping = SimpleNamespace(monotonic=lambda: clock() + 1e6 * len(listener.pieces))
    monkeypatch.setattr(engines.request, "time", jumping)
    made = generator.generate(NUMBERS, Sampling(300), told=listener)
    assert made.finish == "deadline"
    assert 0 < made.completion_tokens < 10
    assert made.text == "".join(listener.pieces)


def test_what_never_fits_fails_at_once_while_others_go_on(generator):
    endless = "word " * 20_000
    with counting(generator) as (_, running):
        assert refused(partial(generator.generate, endless, SHORT)) == "too_long"
        assert refused(partial(generator.fit, endless, [], [], 1000)) == "question_too_long"
        assert not running.done()


def test_a_bad_grammar_ends_only_its_own_question(generator):
    with counting(generator) as (_, running):
        impossible = r'root ::= "a" [^\x00-\U0010FFFF]'
        for bad in ("root ::= (", 'other ::= "a"', 'root ::= root "a"', "[z-a]", impossible):
            asked = partial(generator.generate, QUESTION, replace(SHORT, grammar=bad))
            assert refused(asked) == "bad_grammar"
        assert not running.done()


def test_an_empty_text_is_refused(generator):
    assert refused(partial(generator.generate, "", SHORT)) == "empty_prompt"


def test_a_generator_that_is_closed_says_so_and_may_be_closed_again():
    with closing(Generator(WEIGHTS)) as made:
        assert made.is_running
        made.close()
    assert not made.is_running
    for call in (partial(made.generate, QUESTION, SHORT), partial(made.count, QUESTION)):
        with pytest.raises(EngineStopped):
            call()
