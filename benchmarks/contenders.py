"""Who answers: our engine, llama-server and a loop over llama-cpp-python's `Llama`.

Each comes cold, that is with loaded weights and empty caches, and is given chats, so that
templating and tokenising count.
"""

import multiprocessing
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import llama_cpp
import requests

from benchmarks.peers import running_server
from benchmarks.questions import Chat
from engines.generator import Generator
from engines.prompt import Message
from engines.sampling import Sampling
from settings import settings

WEIGHTS = settings.weights_dir / settings.model
THREADS = settings.threads
CLIENTS = 8
LIMIT_S = 300.0
# Shares no beginning with the questions that matter; it wakes threads and memory up.
FIRST = [Message(role="user", content="Good morning!")]


class Reply(NamedTuple):
    """Tokens of the prompt, and of the answer with the one that ended it."""

    prompt_tokens: int
    tokens: int


Ask = Callable[[Chat, int], Reply]


class Contender(Protocol):
    """`clients` ask at once; `cold` gives whom they ask, afresh."""

    name: str
    clients: int

    def cold(self) -> AbstractContextManager[Ask]:
        """Loaded weights and empty caches."""
        ...


class Run(NamedTuple):
    """All questions answered, in their order."""

    seconds: float
    replies: list[Reply]

    @property
    def tokens(self) -> int:
        """Tokens of all answers."""
        return sum(one.tokens for one in self.replies)

    @property
    def rate(self) -> float:
        """Generated tokens a second, prompts included in the time."""
        return self.tokens / self.seconds


@contextmanager
def cold_generator(
    keep: bool = False, flash: bool = True, weights: Path = WEIGHTS
) -> Iterator[Generator]:
    """A new engine; on disk it finds nothing, or with `keep` what the one before it has left."""
    if not keep and settings.prefix_dir:
        shutil.rmtree(settings.prefix_dir, ignore_errors=True)
    with closing(Generator(weights, flash)) as generator:
        generator.generate(FIRST, Sampling(2))
        yield generator


class Engine:
    """Ours."""

    name, clients = "engine", CLIENTS

    @contextmanager
    def cold(self) -> Iterator[Ask]:
        """In this process, as it is in that of a worker."""
        with cold_generator() as generator:

            def ask(chat: Chat, most: int) -> Reply:
                made = generator.generate(chat, Sampling(most))
                return Reply(made.prompt_tokens, made.completion_tokens)

            yield ask


class Server:
    """llama-server with so many slots."""

    clients = CLIENTS

    def __init__(self, slots: int) -> None:
        self.slots, self.name = slots, f"llama-server -np {slots}"

    @contextmanager
    def cold(self) -> Iterator[Ask]:
        """In a process of its own, asked over HTTP on this machine."""
        with (
            running_server(WEIGHTS, THREADS, self.slots) as address,
            requests.Session() as session,
        ):
            session.trust_env = False

            def ask(chat: Chat, most: int) -> Reply:
                wanted = {"messages": chat, "max_tokens": most, "temperature": 0}
                url = f"{address}/v1/chat/completions"
                reply = session.post(url, json=wanted | {"cache_prompt": True}, timeout=LIMIT_S)
                reply.raise_for_status()
                used = reply.json()["usage"]
                return Reply(used["prompt_tokens"], used["completion_tokens"])

            ask(FIRST, 2)
            yield ask


class Loop:
    """`Llama`, one question after the other; it goes on from what the last prompt shares."""

    name, clients = "Llama loop", 1

    @contextmanager
    def cold(self) -> Iterator[Ask]:
        """In this process."""
        with closing(load_llama()) as llama:

            def ask(chat: Chat, most: int) -> Reply:
                made = llama.create_chat_completion(chat, max_tokens=most, temperature=0.0)
                # The others count the token that ends an answer.
                ended = made["choices"][0]["finish_reason"] == "stop"
                used = made["usage"]
                return Reply(used["prompt_tokens"], used["completion_tokens"] + ended)

            ask(FIRST, 2)
            yield ask


def load_llama(flash: bool = True, weights: Path = WEIGHTS) -> Any:
    """llama-cpp-python's own interface on the same file; flash attention is faster here."""
    return llama_cpp.Llama(
        str(weights),
        n_ctx=settings.n_ctx,
        n_threads=THREADS,
        n_threads_batch=THREADS,
        flash_attn=flash,
        verbose=False,
    )


def answer_all(contender: Contender, chats: Sequence[Chat], most: Sequence[int]) -> Run:
    """Has all chats answered with at most so many tokens each, in a process of its own.

    OpenMP's threads spin for long only while there are no more of them than cores, and those of an
    earlier contender would still be there.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as apart:
        return apart.submit(_answer_all, contender, chats, most).result()


def _answer_all(contender: Contender, chats: Sequence[Chat], most: Sequence[int]) -> Run:
    with contender.cold() as ask, ThreadPoolExecutor(contender.clients) as clients:
        # One client asks from this thread, which has asked the first question.
        every = clients.map if contender.clients > 1 else map
        began = time.perf_counter()
        replies = list(every(ask, chats, most))
        return Run(time.perf_counter() - began, replies)
