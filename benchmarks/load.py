"""How much the door takes, beside a bare Flask app under the same gunicorn.

    make bench-load

Fifty users in a process of their own (locust) send one request over and over, over TLS, on
loopback: `POST /retrieve`, `GET /job/result`, `POST /job`, for a minute each, to redten and to
benchmarks/bare_app.py by turns. Both have the same workers, threads and certificate, and the bare
app answers with the bytes that redten has answered with. The inference worker is halted: what is
measured is the door, and for /retrieve the search behind it.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import requests

from benchmarks.report import Figure, write
from benchmarks.stack import Stack, free_port, wait_for

USERS, SECONDS, ROUNDS = 50, 60, 3
# A thread for every user: none is turned away, as more would be who wait for a worker at once.
# The jobs of a minute are more than a tenant may have in flight.
TOLD = {"REDTEN_API_THREADS": str(USERS + 2), "REDTEN_QUOTA_JOBS": "0"}
COLLECTION = "embed-security"
TEXT = b"The tower of Gull Rock is 31 metres high. Its light can be seen from 18 miles away."
QUESTION = "How high is the tower of Gull Rock?"
ASK = {"ask": {"msg": QUESTION, "collection_id": COLLECTION, "max_tokens": 8}}


Measured = dict[str, float]


class Request(NamedTuple):
    """What all users send."""

    name: str
    method: str
    path: str
    body: Any


class Side(NamedTuple):
    """Whom they send it to."""

    name: str
    host: str
    headers: dict[str, str]


def prepared(stack: Stack, session: requests.Session) -> list[Request]:
    """A document that is found and a job that is over; of the requests, jobs are made last.

    What is left in the queue of the light steps would make those wait who search.
    """
    made = session.post(
        f"{stack.address}/collections/{COLLECTION}/documents?name=a.md", data=TEXT, timeout=10
    ).json()
    url = f"{stack.address}/documents/{made['id']}"
    wait_for(session, url, lambda reply: reply.json()["state"] > 2)
    job = session.post(f"{stack.address}/job", json=ASK, timeout=10).json()["id"]
    result = f"/job/result/{job}"
    wait_for(session, stack.address + result, lambda reply: reply.status_code == 200)
    return [
        Request(
            "POST /retrieve", "POST", "/retrieve", {"question": QUESTION, "collection": COLLECTION}
        ),
        Request("GET /job/result", "GET", result, None),
        Request("POST /job", "POST", "/job", ASK),
    ]


@contextmanager
def bare(stack: Stack, session: requests.Session, asked: Sequence[Request]) -> Iterator[Side]:
    """The bare app, with redten's own replies, under the same gunicorn."""
    replies = []
    for one in asked:
        reply = session.request(one.method, stack.address + one.path, json=one.body, timeout=30)
        reply.raise_for_status()
        replies.append([one.method, one.path, reply.status_code, reply.text])
    file = stack.layout.root / "replies.json"
    file.write_text(json.dumps(replies))
    port = free_port()
    told = os.environ | TOLD
    told |= {
        "REDTEN_PORT": str(port),
        "API_TLS_CERT": str(stack.layout.cert),
        "API_TLS_KEY": str(stack.layout.key),
    }
    command = [sys.executable, "-m", "gunicorn", "-c", "python:local.gunicorn_conf"]
    process = subprocess.Popen([*command, f"benchmarks.bare_app:create_app('{file}')"], env=told)
    host = f"https://localhost:{port}"
    try:
        _await(session, host + asked[1].path)
        yield Side("bare", host, {})
    finally:
        process.terminate()
        process.wait()


def _await(session: requests.Session, url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            session.get(url, timeout=5).raise_for_status()
            return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise SystemExit("the bare app did not start")


def measured(side: Side, one: Request, seconds: float) -> Measured:
    """What the users have seen."""
    headers = side.headers | {"Content-Type": "application/json"}
    told = {"host": side.host, "headers": headers, "users": USERS, "seconds": seconds}
    told |= {"method": one.method, "path": one.path, "body": one.body}
    command = [sys.executable, "-m", "benchmarks.users", json.dumps(told)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(ended.stderr)
    found: Measured = json.loads(ended.stdout.splitlines()[-1])
    print(f"  {one.name} {side.name}: {found['rate']:.0f}/s, p99 {found['p99']:.0f} ms", flush=True)
    return found


def compared(one: Request, ours: Side, peer: Side) -> list[Figure]:
    """Both sides by turns, in rounds; medians."""
    rounds = []
    for number in range(ROUNDS):
        sides = (ours, peer) if number % 2 else (peer, ours)
        found = {side.name: measured(side, one, SECONDS / ROUNDS) for side in sides}
        rounds.append((found[ours.name], found[peer.name]))
    figures = [
        _figure(f"{one.name}, requests a second ÷ bare", rounds, "rate", "requests/s"),
        _figure(f"{one.name}, p99 ÷ bare", rounds, "p99", "ms"),
    ]
    refused = max(mine["refused"] for mine, _ in rounds)
    peer_refused = f"bare: {max(other['refused'] for _, other in rounds):.4f}"
    name = f"{one.name}, share refused"
    return [*figures, Figure(figure=name, value=round(refused, 4), aim="== 0", peer=peer_refused)]


def _figure(name: str, rounds: Sequence[tuple[Measured, Measured]], what: str, unit: str) -> Figure:
    ratio = statistics.median(mine[what] / other[what] for mine, other in rounds)
    mine = statistics.median(one[what] for one, _ in rounds)
    other = statistics.median(one[what] for _, one in rounds)
    told = f"bare Flask {other:.0f} {unit}, redten {mine:.0f} {unit}, {USERS} users"
    return Figure(figure=name, value=round(ratio, 3), aim="none", peer=told)


def main() -> None:
    """All three, on a stack of their own."""
    stack = Stack(Path(tempfile.mkdtemp(prefix="redten-bench-")) / "data", TOLD)
    figures: list[Figure] = []
    try:
        stack.start()
        session = stack.session()
        asked = prepared(stack, session)
        ours = Side("redten", stack.address, {"Bearer": str(session.headers["Bearer"])})
        with bare(stack, session, asked) as peer:
            stack.pause("inference", signal.SIGSTOP)
            for one in asked:
                figures += compared(one, ours, peer)
            stack.pause("inference", signal.SIGCONT)
    finally:
        stack.forget()
    write("load", figures)


if __name__ == "__main__":
    main()
