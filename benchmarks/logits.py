"""Whether answers in a batch, with shared prefixes, are what `Llama` alone would say.

Along `Llama`'s own greedy answer, so that near-ties do not matter: the log-probability of its
likeliest token at every position, beside what the engine gives that token. How much of the
difference is llama.cpp's own rounding is told by `Llama` itself, reading prompts in smaller pieces.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, NamedTuple

import llama_cpp
import numpy as np
import numpy.typing as npt

from benchmarks.contenders import CLIENTS, WEIGHTS, cold_generator, load_llama
from benchmarks.questions import COMMON, Chat, documents
from benchmarks.report import Figure
from benchmarks.scale import Scale
from engines.model import Model
from engines.sampling import Sampling

PROMPTS, TOKENS = 200, 32
EACH = 1 + len(COMMON)
# From 64 rows on llama.cpp computes attention in tiles, and sums in another order.
PIECE = 32
PROMPT_AT_ONCE = 512
Chances = list[float]


class Answer(NamedTuple):
    """Token ids and the natural log-probability of each."""

    tokens: list[int]
    chances: list[float]


def figures(scale: Scale) -> list[Figure]:
    """The largest and the mean difference, with flash attention on both sides, and on none."""
    count = min(PROMPTS, 5 * scale.questions)
    found = documents(scale.skip)[: -(-count // EACH)]
    chats = [chat for one in found for chat in one.chats(EACH)][:count]
    return [*_figures(chats, flash=True), *_figures(chats, flash=False)]


def _figures(chats: Sequence[Chat], flash: bool) -> list[Figure]:
    with closing(Model(WEIGHTS)) as model:
        prompts = [model.chat(chat) for chat in chats]
    alone = _alone(prompts, flash)
    together, shared = _together(chats, alone, flash)
    ours = _apart(alone, together)
    theirs = _apart(alone[::EACH], _in_pieces(prompts, alone, flash))
    peer = (
        f"`Llama` alone, {len(chats)} prompts, {len(ours)} tokens, {shared:.0%} of prompts shared"
    )
    attention = "flash attention" if flash else "no flash attention"
    what = f"difference of the top token's log-probability, 8 in flight, {attention}"
    kinds = (("largest", np.max, "<= 0.1"), ("mean", np.mean, "<= 0.01"))
    return [
        Figure(
            figure=f"{kind} {what}",
            value=float(of(ours)),
            aim=aim,
            peer=f"{peer}; `Llama` and itself in pieces of {PIECE}: {of(theirs):.4f}",
        )
        for kind, of, aim in kinds
    ]


def _apart(alone: Sequence[Answer], others: Sequence[Chances]) -> npt.NDArray[np.float64]:
    """Absolute differences, token by token."""
    expected = np.array([chance for one in alone for chance in one.chances])
    given = np.array([chance for other in others for chance in other])
    difference: npt.NDArray[np.float64] = np.abs(expected - given)
    return difference


def _alone(prompts: Sequence[list[int]], flash: bool) -> list[Answer]:
    """`Llama`'s greedy answers, each prompt computed from its beginning."""
    answers = []
    with closing(load_llama(flash)) as llama:
        for number, prompt in enumerate(prompts, start=1):
            answers.append(_follow(llama, prompt, PROMPT_AT_ONCE))
            if number % EACH == 0:
                print(f"  `Llama` alone: {number} of {len(prompts)}", flush=True)
    return answers


def _in_pieces(
    prompts: Sequence[list[int]], answers: Sequence[Answer], flash: bool
) -> list[Chances]:
    """What `Llama` gives the same tokens if it reads the prompts piece by piece; every eighth."""
    with closing(load_llama(flash)) as llama:
        pairs = zip(prompts[::EACH], answers[::EACH], strict=True)
        return [_follow(llama, prompt, PIECE, one.tokens).chances for prompt, one in pairs]


def _follow(llama: Any, prompt: list[int], rows: int, script: Sequence[int] = ()) -> Answer:
    """An answer by the script, or else the greedy one, to a prompt read `rows` tokens at a time."""
    answer = Answer([], [])
    llama.reset()
    for start in range(0, len(prompt), rows):
        llama.eval(prompt[start : start + rows])
    while len(answer.tokens) < (len(script) or TOKENS):
        pointer = llama_cpp.llama_get_logits_ith(llama.ctx, -1)
        logits = np.ctypeslib.as_array(pointer, (llama.n_vocab(),)).astype(np.float64)
        token = script[len(answer.tokens)] if script else int(logits.argmax())
        answer.tokens.append(token)
        answer.chances.append(float(logits[token] - np.logaddexp.reduce(logits)))
        if token == llama.token_eos():
            break
        llama.eval([token])
    return answer


def _together(
    chats: Sequence[Chat], answers: Sequence[Answer], flash: bool
) -> tuple[list[Chances], float]:
    """The engine's log-probabilities of the same tokens; which part of the prompts was shared."""
    with cold_generator(flash=flash) as generator, ThreadPoolExecutor(CLIENTS) as clients:

        def follow(chat: Chat, answer: Answer) -> tuple[Chances, int, int]:
            script = tuple(answer.tokens)
            made = generator.generate(chat, Sampling(len(script), script=script))
            chances = [chance for _, chance in made.tokens]
            return chances, made.cached_tokens, made.prompt_tokens

        made = list(clients.map(follow, chats, answers))
    print(f"  engine: {len(made)} prompts", flush=True)
    return [one[0] for one in made], sum(one[1] for one in made) / sum(one[2] for one in made)
