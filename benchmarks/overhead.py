"""What the queue, the database and the door cost beside the work itself.

    make bench-overhead

Chain: one short question with retrieval and one generated token, from its acceptance to its
stored answer, beside the very same functions called one after another in this process; both
interleaved, medians. Door: POST /job over TLS at 50 a second, timed from the moment when each
request was due, with the inference worker halted and then busy, beside GET /healthz at the same
rate. Start: `redten up` on a data directory that it knows, to the ready line.
"""

import signal
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Queue

import numpy as np
import requests

from benchmarks.report import Figure, write
from benchmarks.stack import Stack, use_database_of, wait_for

ROUNDS = 60
RATE, SECONDS, CLIENTS = 50, 15, 12
STARTS = 3
ASK = {
    "msg": "How high is the tower of Gull Rock?",
    "collection_id": "embed-security",
    "max_tokens": 1,
    "rag": {"match_docs": 1},
}
PAUSE_S = 0.4
TEXT = b"The tower of Gull Rock is 31 metres high."


def chain_ms(stack: Stack, session: requests.Session) -> float:
    """Milliseconds from acceptance to stored answer, by the server's own clock."""
    job = session.post(f"{stack.address}/job", json={"ask": ASK}, timeout=10).json()["id"]
    time.sleep(PAUSE_S)  # asking after it meanwhile would take the cores from it
    wait_for(session, f"{stack.address}/job/result/{job}", lambda reply: reply.status_code == 200)
    answer = session.get(f"{stack.address}/ai/result/{job}", timeout=10).json()
    return 1000 * float(answer["latency"])


def direct() -> Callable[[], float]:
    """The same functions, ready to be timed: embed, find, fit, generate, embed, compare, cite."""
    from engines.embedder import get_embedder
    from engines.generator import Generator
    from engines.sampling import Sampling
    from models.session import session_scope
    from settings import settings
    from tasks.cite import cite, sentences
    from tasks.find import find_passages
    from tasks.flow import Passage
    from tasks.generate import budgets
    from tasks.score import overall, similarities

    embedder, generator = get_embedder(), Generator(settings.weights_dir / settings.model)
    question = str(ASK["msg"])

    def once() -> float:
        began = time.perf_counter()
        [vector] = embedder.embed([question], "query")
        with session_scope(1) as session:
            [hit] = find_passages(session, question, vector, [1], 1)
        room, most = budgets(2048, 1, generator.n_ctx)
        passage = Passage(
            id=hit.id,
            document_id=hit.document_id,
            source=hit.source,
            page=hit.page,
            text=hit.text,
            score=hit.cosine,
        )
        fitted = generator.fit(question, [passage], [], room)
        made = generator.generate(fitted.messages, Sampling(most))
        spans = sentences(made.text)
        parts = [made.text[one["start"] : one["end"]] for one in spans]
        answer, *vectors = embedder.embed([made.text, *parts])
        overall(hit.cosine, max(similarities(answer, hit.embedding[None])))
        cite(made.text, spans, np.array(vectors), {0: passage}, {0: hit.embedding})
        return 1000 * (time.perf_counter() - began)

    return once


def load(stack: Stack, session: requests.Session, method: str, path: str) -> list[float]:
    """Sorted milliseconds of requests at a fixed rate, each from when it was due."""
    due: Queue[float | None] = Queue()
    times: list[float] = []
    headers = {"Bearer": str(session.headers["Bearer"])}

    def client() -> None:
        own = requests.Session()
        own.trust_env, own.verify = session.trust_env, session.verify
        own.headers.update(headers)
        own.get(f"{stack.address}/healthz", timeout=10)
        while (moment := due.get()) is not None:
            body = {"ask": ASK} if method == "POST" else None
            reply = own.request(method, stack.address + path, json=body, timeout=10)
            reply.raise_for_status()
            times.append(1000 * (time.perf_counter() - moment))

    clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for one in clients:
        one.start()
    start = time.perf_counter() + 0.5
    for number in range(RATE * SECONDS):
        moment = start + number / RATE
        time.sleep(max(0.0, moment - time.perf_counter()))
        due.put(moment)
    for _ in clients:
        due.put(None)
    for one in clients:
        one.join()
    if len(times) != RATE * SECONDS:
        raise SystemExit(f"{len(times)} of {RATE * SECONDS} requests to {path} were answered")
    return sorted(times)


def door(stack: Stack, session: requests.Session) -> list[Figure]:
    """POST /job with the inference worker halted, then busy, beside GET /healthz."""
    floor = load(stack, session, "GET", "/healthz")
    stack.pause("inference", signal.SIGSTOP)
    halted = load(stack, session, "POST", "/job")
    stack.pause("inference", signal.SIGCONT)
    busy = load(stack, session, "POST", "/job")
    figures = []
    for name, times in (("halted", halted), ("busy", busy)):
        for percent, aim in ((50, "none"), (99, "<= 25")):
            figures.append(
                Figure(
                    figure=f"POST /job p{percent} at {RATE}/s, inference worker {name}, ms",
                    value=round(times[len(times) * percent // 100], 2),
                    aim=aim,
                    peer=f"GET /healthz p{percent}: {floor[len(floor) * percent // 100]:.2f} ms",
                )
            )
    return figures


def chain(stack: Stack, session: requests.Session) -> Figure:
    """What the chain costs beside the work."""
    path = f"{stack.address}/collections/embed-security/documents?name=a.md"
    document = session.post(path, data=TEXT, timeout=10).json()["id"]
    url = f"{stack.address}/documents/{document}"
    stored = wait_for(session, url, lambda reply: reply.json()["state"] > 2)
    if stored["state"] != 3:
        raise SystemExit(f"the document failed: {stored['msg']}")
    once = direct()
    for _ in range(3):
        once()
        chain_ms(stack, session)
    pairs = [(chain_ms(stack, session), once()) for _ in range(ROUNDS)]
    through, plain = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(f"chain {through:.1f} ms, direct {plain:.1f} ms (medians of {ROUNDS}, interleaved)")
    return Figure(
        figure="chain minus direct calls, ms",
        value=round(through - plain, 2),
        aim="<= 30",
        peer=f"the same functions in one process: {plain:.1f} ms",
    )


def starts(stack: Stack) -> Figure:
    """Seconds to the ready line on a warm data directory."""
    seconds = []
    for _ in range(STARTS):
        seconds.append(stack.start())
        stack.stop()
    print("warm starts:", ", ".join(f"{one:.1f} s" for one in seconds))
    return Figure(
        figure="`redten up` to ready, warm, s",
        value=round(statistics.median(seconds), 2),
        aim="<= 10",
        peer="none",
    )


def main() -> None:
    """All three, on a stack of their own."""
    stack = Stack(Path(tempfile.mkdtemp(prefix="redten-bench-")) / "data")
    try:
        print(f"first start: {stack.start():.1f} s")
        session = stack.session()
        use_database_of(stack)
        figures = [chain(stack, session), *door(stack, session)]
        stack.stop()
        figures.append(starts(stack))
    finally:
        stack.forget()
    write("overhead", figures)


if __name__ == "__main__":
    main()
