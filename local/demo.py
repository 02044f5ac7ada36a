"""`redten demo`: the main job on this machine, through the commands that anybody can type."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from client.show import number, place
from local.credentials import COLLECTION, read_exports
from local.errors import LocalError, local_errors
from local.layout import Layout
from local.waiting import endings
from settings import inherited_environment, settings
from settings.machine import DATA_ROOT

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
QUESTIONS = 3
CONFIDENCE = 97
REVIEW_LIMIT_S, REVIEW_EVERY_S = 120.0, 1.0

GO_ON = """\
How to go on{restart}:
  source {client_env}
  export AI_EMAIL=you@example.com AI_PASSWORD='a password of yours'   # made on first use
  {redten} ask {question}
or with the client that is published on PyPI:
  pip install llama-client-aic==1.0.8
  ask-llm.py -q {question}
As the administrator, who may ingest into {collection}:
  source {admin_env}
  {redten} ingest PATH... -c {collection}
"""


@click.command()
@click.option("--keep", is_flag=True, help="Stay up until Ctrl-C.")
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=DATA_ROOT / "demo",
    show_default=True,
    help="Where the demo keeps its data.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=settings.port,
    show_default=True,
    help="Port of the API.",
)
@local_errors
def demo(keep: bool, data_dir: Path, port: int) -> None:
    """Start redten, ingest the sample documents, ask three questions, review an answer."""
    questions = _questions()
    layout = Layout(data_dir)
    # As Ctrl-C does, so that the stack below is stopped.
    for ending in endings():
        signal.signal(ending, signal.default_int_handler)
    with _running(layout, port) as redten:
        redten.ingest()
        answers = [redten.ask(question) for question in questions]
        redten.review(answers[0], questions[0])
        _go_on(layout, port, questions[0]["question"], keep)
        if keep:
            redten.stay()


class Redten:
    """The running stack and the commands given to it, as its administrator."""

    def __init__(self, stack: subprocess.Popen[str], layout: Layout) -> None:
        self._stack = stack
        exports = read_exports(layout.client_env) | read_exports(layout.admin_env)
        self._environment = inherited_environment() | exports

    def ingest(self) -> None:
        """The sample documents into the public collection."""
        _headline(f"Ingesting {EXAMPLES / 'documents'} into {COLLECTION}")
        self._command("ingest", str(EXAMPLES / "documents"), "-c", COLLECTION)

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Asks, shows and returns the answer."""
        _headline(question["question"])
        asked = self._command_json("ask", "-c", COLLECTION, "--", question["question"])
        click.echo(f"  answer  {asked['answer']}")
        click.echo(f"  score   {number(asked['score'])}")
        click.echo(f"  source  {place(asked['match_source'], asked['match_page'])}")
        return asked

    def review(self, answer: dict[str, Any], question: dict[str, Any]) -> None:
        """Reviews the answer with the known fact, and shows the review on the result."""
        _headline(f"An expert reviews the first answer, {CONFIDENCE} of 100 sure")
        job, known = str(answer["job_id"]), fact(answer["match_content"], question)
        self._command_json("review", "-s", str(CONFIDENCE), "-a", known, job)
        reviewed = self._with_computed_score(job)
        click.echo(f"  reviewed answer          {reviewed['reviewed_answer']}")
        click.echo(f"  confidence               {reviewed['reviewed_score']:g} of 100")
        click.echo(f"  reviewed computed score  {number(reviewed['reviewed_computed_score'])}")

    def _with_computed_score(self, job: str) -> dict[str, Any]:
        """The result once a worker has computed how well the collection supports the review."""
        deadline = time.monotonic() + REVIEW_LIMIT_S
        while time.monotonic() < deadline:
            result = self._command_json("result", job)
            if result["reviewed_computed_score"] is not None:
                return result
            time.sleep(REVIEW_EVERY_S)
        raise LocalError(f"no score for the review of job {job} within {REVIEW_LIMIT_S:.0f} s")

    def stay(self) -> None:
        """Returns on Ctrl-C; raises LocalError if the stack ends by itself."""
        try:
            code = self._stack.wait()
        except KeyboardInterrupt:
            return
        raise LocalError(f"redten up ended with exit code {code}")

    def _command_json(self, name: str, *arguments: str) -> dict[str, Any]:
        return dict(json.loads(self._command(name, "--json", *arguments, output=subprocess.PIPE)))

    def _command(self, *arguments: str, output: int | None = None) -> str:
        """Runs `redten ARGUMENTS`; its progress and errors go to the terminal."""
        ended = subprocess.run(
            redten_command(*arguments),
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            text=True,
            check=False,
        )
        if ended.returncode != 0:
            raise LocalError(f"redten {arguments[0]} ended with exit code {ended.returncode}")
        return ended.stdout or ""


@contextmanager
def _running(layout: Layout, port: int) -> Iterator[Redten]:
    """A stack of its own, stopped in the end whatever happens."""
    _headline(f"Starting redten on {layout.root}")
    where = ["--data-dir", str(layout.root), "--port", str(port)]
    # Where nobody is left to stop it, it ends by itself.
    command = redten_command("up", "--quiet", "--parent", str(os.getpid()), *where)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stack:
        try:
            ready = stack.stdout.readline() if stack.stdout else ""
            if not ready:
                raise LocalError("redten did not start")
            click.echo(ready.rstrip())
            yield Redten(stack, layout)
        finally:
            stack.terminate()
            stack.wait()


def redten_command(*arguments: str) -> list[str]:
    """The command line of this installation's `redten`, whatever lies in the working directory."""
    return [sys.executable, "-P", "-m", "cli", *arguments]


def _questions() -> list[dict[str, Any]]:
    path = EXAMPLES / "questions.json"
    if not path.exists():
        raise LocalError(f"no {path}: the demo needs a checkout of the project, not a package")
    return list(json.loads(path.read_text()))[:QUESTIONS]


def fact(text: str | None, question: dict[str, Any]) -> str:
    """The source's sentence that answers the question, else the words an answer must contain."""
    words = question["answer_contains"]
    sentences = re.split(r"(?<=[.!?])\s+", " ".join((text or "").split()))
    return next((s for s in sentences if all(word in s for word in words)), ", ".join(words))


def _headline(text: str) -> None:
    click.secho(f"\n{text}", bold=True)


def _go_on(layout: Layout, port: int, question: str, keep: bool) -> None:
    redten = str(Path(sysconfig.get_path("scripts"), "redten"))
    up = shlex.join([redten, "up", "--data-dir", str(layout.root), "--port", str(port)])
    text = GO_ON.format(
        redten=shlex.quote(redten),
        restart=" (Ctrl-C ends this)" if keep else f", after `{up}`",
        client_env=shlex.quote(str(layout.client_env)),
        admin_env=shlex.quote(str(layout.admin_env)),
        question=shlex.quote(question),
        collection=COLLECTION,
    )
    click.echo(f"\n{text}")
