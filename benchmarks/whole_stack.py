"""What the door, the queue and the database take from the engine: POST to result beside it."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from benchmarks.contenders import CLIENTS, LIMIT_S, Reply, Run, cold_generator
from benchmarks.questions import Chat, Document, documents
from benchmarks.report import Figure
from benchmarks.scale import Scale, compared
from benchmarks.stack import Stack, wait_for
from engines.generator import Generator
from engines.sampling import Sampling

COLLECTION = "embed-security"
STORED = 3


def figures(scale: Scale) -> list[Figure]:
    """Other questions in every repetition, as both sides keep what they have computed."""
    found = documents(scale.skip)[: scale.repetitions * scale.questions]
    ratios, told = [], []
    with _stack(found) as (stack, session), cold_generator() as generator:
        _ask_all(stack, session, ["Good morning!"] * CLIENTS, 2)
        for first in range(0, len(found), scale.questions):
            asked = [one.question for one in found[first : first + scale.questions]]
            whole, answers = _ask_all(stack, session, asked, scale.tokens)
            alone = _answer_all(generator, answers)
            ratios.append(whole.rate / alone.rate)
            told.append(f"stack {whole.seconds:.1f} s for {whole.tokens} tokens")
            told[-1] += f", engine {alone.seconds:.1f} s for {alone.tokens}"
            print(f"  whole stack: {told[-1]}", flush=True)
    what = "whole stack ÷ engine alone"
    return [compared(what, ratios, ">= 0.9", f"the engine on the same prompts; {told[-1]}")]


@contextmanager
def _stack(found: Sequence[Document]) -> Iterator[tuple[Stack, requests.Session]]:
    """Started, with the documents in its collection."""
    with tempfile.TemporaryDirectory(prefix="redten-bench-") as folder:
        stack = Stack(Path(folder) / "data")
        try:
            stack.start()
            with stack.session() as session:
                _ingest(stack, session, found)
                yield stack, session
        finally:
            stack.forget()


def _ingest(stack: Stack, session: requests.Session, found: Sequence[Document]) -> None:
    path = f"{stack.address}/collections/{COLLECTION}/documents"
    ids = []
    for one in found:
        data = one.text.encode()
        reply = session.post(path, params={"name": one.name}, data=data, timeout=LIMIT_S)
        reply.raise_for_status()
        ids.append(reply.json()["id"])
    for number in ids:
        url = f"{stack.address}/documents/{number}"
        stored = wait_for(session, url, lambda reply: reply.json()["state"] >= STORED)
        if stored["state"] != STORED:
            raise SystemExit(f"a document failed: {stored['msg']}")
    print(f"  {len(ids)} documents are in the collection", flush=True)


def _ask_all(
    stack: Stack, session: requests.Session, questions: Sequence[str], tokens: int
) -> tuple[Run, list[dict[str, Any]]]:
    """Each client posts a question, follows the job to its end, and fetches the result."""

    def ask(question: str) -> dict[str, Any]:
        rag = {"match_docs": 1, "max_doc_scores": 1}
        body = {"msg": question, "collection_id": COLLECTION, "max_tokens": tokens, "rag": rag}
        made = session.post(f"{stack.address}/job", json={"ask": body}, timeout=LIMIT_S)
        made.raise_for_status()
        job = made.json()["id"]
        events = f"{stack.address}/job/{job}/events"
        with session.get(events, stream=True, timeout=LIMIT_S) as stream:
            for _ in stream.iter_lines():
                pass  # the stream ends with the job
        result = session.get(f"{stack.address}/ai/result/{job}", timeout=LIMIT_S)
        result.raise_for_status()
        answer: dict[str, Any] = result.json()
        return answer

    with ThreadPoolExecutor(CLIENTS) as clients:
        began = time.perf_counter()
        answers = list(clients.map(ask, questions))
        seconds = time.perf_counter() - began
    made = (one["data"]["generation"] for one in answers)
    replies = [Reply(one["prompt_tokens"], one["completion_tokens"]) for one in made]
    return Run(seconds, replies), answers


def _answer_all(generator: Generator, answers: Sequence[dict[str, Any]]) -> Run:
    """The engine alone on the prompts that the stack has made, to answers of the same lengths."""
    chats = [_chat(generator, answer) for answer in answers]
    lengths = [answer["data"]["generation"]["completion_tokens"] for answer in answers]

    def ask(chat: Chat, most: int) -> Reply:
        made = generator.generate(chat, Sampling(most))
        return Reply(made.prompt_tokens, made.completion_tokens)

    with ThreadPoolExecutor(CLIENTS) as clients:
        began = time.perf_counter()
        replies = list(clients.map(ask, chats, lengths))
        return Run(time.perf_counter() - began, replies)


def _chat(generator: Generator, answer: dict[str, Any]) -> Chat:
    """The prompt of a stored answer, made again."""
    data = answer["data"]
    kept = [one for one in data["passages"] if one["in_prompt"]]
    fitted = generator.fit(answer["question"], kept, [], generator.n_ctx)
    if fitted.tokens != data["generation"]["prompt_tokens"]:
        raise SystemExit(f"the prompt of job {answer['job_id']} cannot be made again")
    return fitted.messages
