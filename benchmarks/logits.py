"""Whether answers in a batch, with shared prefixes, are what `Llama` alone would say.

Along `Llama`'s own greedy answer, so that near-ties do not matter: the log-probability of its
likeliest token at every position, beside what the engine gives that token. How much of the
difference is llama.cpp's own rounding is told by `Llama` itself, reading prompts in pieces, and by
the same weights as F32: with 8-bit weights llama.cpp rounds activations to 8 bits as well, and the
least difference in a sum makes some fall to the other side.
"""

import ctypes
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
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
# Enough where only the cause of a difference is looked for.
FEW = 40
EACH = 1 + len(COMMON)
# From 64 rows on llama.cpp computes attention in tiles, and sums in another order.
PIECE = 32
PROMPT_AT_ONCE = 512
Chances = list[float]


class Answer(NamedTuple):
    """Token ids and the natural log-probability of each."""

    tokens: list[int]
    chances: list[float]


class Kind(NamedTuple):
    """On what both sides compute."""

    name: str
    weights: Path
    flash: bool


def figures(scale: Scale) -> list[Figure]:
    """The largest and the mean difference, for either attention and for unrounded weights."""
    count = min(PROMPTS, 5 * scale.questions)
    found = documents(scale.skip)[: -(-count // EACH)]
    chats = [chat for one in found for chat in one.chats(EACH)][:count]
    with tempfile.TemporaryDirectory(prefix="redten-bench-") as folder:
        floats = _as_floats(WEIGHTS, Path(folder) / "weights.F32.gguf")
        return [
            *_figures(chats, Kind("Q8_0, flash attention", WEIGHTS, True)),
            *_figures(chats[:FEW], Kind("Q8_0, no flash attention", WEIGHTS, False)),
            *_figures(
                chats[:FEW], Kind("the same weights as F32, no flash attention", floats, False)
            ),
        ]


def _as_floats(source: Path, target: Path) -> Path:
    """The same weights unpacked: llama.cpp rounds no activations to 8 bits with them."""
    options = llama_cpp.llama_model_quantize_default_params()
    options.ftype, options.allow_requantize = llama_cpp.LLAMA_FTYPE_ALL_F32, True
    names = (os.fsencode(source), os.fsencode(target))
    if llama_cpp.llama_model_quantize(*names, ctypes.byref(options)):
        raise SystemExit("the weights could not be unpacked")
    return target


def _figures(chats: Sequence[Chat], kind: Kind) -> list[Figure]:
    with closing(Model(kind.weights)) as model:
        prompts = [model.chat(chat) for chat in chats]
    alone = _alone(prompts, kind)
    together, shared = _together(chats, alone, kind)
    ours = _apart(alone, together)
    theirs = _apart(alone[::EACH], _in_pieces(prompts, alone, kind))
    peer = (
        f"`Llama` alone, {len(chats)} prompts, {len(ours)} tokens, {shared:.0%} of prompts shared"
    )
    what = f"difference of the top token's log-probability, 8 in flight, {kind.name}"
    sizes = (("largest", np.max, "<= 0.1"), ("mean", np.mean, "<= 0.01"))
    return [
        Figure(
            figure=f"{size} {what}",
            value=float(of(ours)),
            aim=aim,
            peer=f"{peer}; `Llama` and itself in pieces of {PIECE}: {of(theirs):.4f}",
        )
        for size, of, aim in sizes
    ]


def _apart(alone: Sequence[Answer], others: Sequence[Chances]) -> npt.NDArray[np.float64]:
    """Absolute differences, token by token."""
    expected = np.array([chance for one in alone for chance in one.chances])
    given = np.array([chance for other in others for chance in other])
    difference: npt.NDArray[np.float64] = np.abs(expected - given)
    return difference


def _alone(prompts: Sequence[list[int]], kind: Kind) -> list[Answer]:
    """`Llama`'s greedy answers, each prompt computed from its beginning."""
    answers = []
    with closing(load_llama(kind.flash, kind.weights)) as llama:
        for number, prompt in enumerate(prompts, start=1):
            answers.append(_follow(llama, prompt, PROMPT_AT_ONCE))
            if number % EACH == 0:
                print(f"  `Llama` alone: {number} of {len(prompts)}", flush=True)
    return answers


def _in_pieces(
    prompts: Sequence[list[int]], answers: Sequence[Answer], kind: Kind
) -> list[Chances]:
    """What `Llama` gives the same tokens if it reads the prompts piece by piece; every eighth."""
    with closing(load_llama(kind.flash, kind.weights)) as llama:
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
    chats: Sequence[Chat], answers: Sequence[Answer], kind: Kind
) -> tuple[list[Chances], float]:
    """The engine's log-probabilities of the same tokens; which part of the prompts was shared."""
    with (
        cold_generator(flash=kind.flash, weights=kind.weights) as generator,
        ThreadPoolExecutor(CLIENTS) as clients,
    ):

        def follow(chat: Chat, answer: Answer) -> tuple[Chances, int, int]:
            script = tuple(answer.tokens)
            made = generator.generate(chat, Sampling(len(script), script=script))
            chances = [chance for _, chance in made.tokens]
            return chances, made.cached_tokens, made.prompt_tokens

        made = list(clients.map(follow, chats, answers))
    print(f"  engine: {len(made)} prompts", flush=True)
    return [one[0] for one in made], sum(one[1] for one in made) / sum(one[2] for one in made)
