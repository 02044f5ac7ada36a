"""The commands about questions and answers: ask, cancel, result, review, search."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

import click

from client.client import Client
from client.command import Failure, json_option, tell, with_client
from client.errors import ClientError, JobFailed
from client.live import watch
from client.question import Options
from client.records import Answer, Job
from client.show import answer_text, band, number, result_text, review_text, shorten, table
from client.spinner import Spinner
from settings import settings

COSINE = click.FloatRange(-1.0, 1.0)
AT_LEAST_ONE = click.IntRange(min=1)
BY_JOB_ID = "by_job_id"


@click.command()
@click.argument("text", metavar="[QUESTION|-]", required=False)
@click.option("-f", "--file", type=click.File(errors="replace"), help="Read the question from it.")
@click.option(
    "-c",
    "--collection",
    default=settings.ai_collection,
    show_default=True,
    help="Name or id of the collection to answer from.",
)
@click.option("--no-collection", is_flag=True, help="Answer without documents.")
@click.option("--model", "model_name", help="Name of the model; default: the server's.")
@click.option("--max-tokens", type=AT_LEAST_ONE, help="Longest answer, in tokens.")
@click.option("--n-ctx", type=AT_LEAST_ONE, help="Longest prompt and answer, in tokens.")
@click.option("--match-docs", type=AT_LEAST_ONE, help="Passages to answer from.")
@click.option("--min-q-score", type=COSINE, help="Passages less like the question stay out.")
@click.option("--min-a-score", type=COSINE, help="Answers less like a passage are unsupported.")
@click.option("--session", "session_id", help="Session whose earlier turns the model is told.")
@click.option("--tags", help="Comma-separated tags for the answer.")
@click.option("--wait/--no-wait", default=True, help="Wait for the answer (default) or not.")
@click.option("--stream", is_flag=True, help="Print the answer as it comes; with --json, events.")
@json_option
@with_client
def ask(
    client: Client,
    text: str | None,
    file: TextIO | None,
    collection: str,
    no_collection: bool,
    wait: bool,
    stream: bool,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Ask a question and wait for its answer.

    The question is the argument, a file's text, or standard input (also named by -).
    """
    if stream and not wait:
        raise click.UsageError("--stream waits: leave out --no-wait")
    question = _question(text, file)
    given = {name: value for name, value in chosen.items() if value is not None}
    options = cast(Options, given | {"collection": None if no_collection else collection})
    job = client.ask(question, wait=False, **options)
    if not wait:
        later = f"job {job.id} is accepted; its answer: redten result {job.id}"
        return tell(job, later, as_json)
    with _taken_up_later(job.id):
        if stream:
            return watch(client, job.id, as_json)
        answer = _awaited(client, job.id)
    tell(answer, answer_text(answer), as_json)


@click.command()
@click.argument("job_id", type=AT_LEAST_ONE)
@json_option
@with_client
def cancel(client: Client, job_id: int, as_json: bool) -> None:
    """Withdraw a question that is not answered yet."""
    tell(client.cancel(job_id), f"job {job_id} is cancelled", as_json)


@click.command()
@click.argument("job_id", type=AT_LEAST_ONE)
@click.option("--wait/--no-wait", default=True, help="Wait for the answer (default) or not.")
@json_option
@with_client
def result(client: Client, job_id: int, wait: bool, as_json: bool) -> None:
    """Show all about a job's answer: scores, source, passages, newest review."""
    if not wait and not (job := client.job(job_id)).over:
        raise Failure(f"job {job_id} is not over yet: {job.doing}")
    answer = _awaited(client, job_id)
    tell(answer, result_text(answer), as_json)


@click.command()
@click.argument("job_id", type=AT_LEAST_ONE)
@click.option("-a", "--answer", required=True, help="The answer as it should be.")
@click.option(
    "-s",
    "--score",
    required=True,
    type=click.FloatRange(0, 100),
    help="Confidence: 0-64 not confident, 65-79 somewhat confident, 80-94 confident,"
    " 95-100 known fact.",
)
@click.option("--notes", help="Why; for other experts.")
@json_option
@with_client
def review(
    client: Client, job_id: int, answer: str, score: float, notes: str | None, as_json: bool
) -> None:
    """Review the answer to a job, with a confidence of 0 to 100."""
    reviewed = client.review(job_id, answer, score, notes)
    said = f"reviewed job {job_id}: {score:g} of 100 is in the band '{band(score)}'"
    tell(reviewed, f"{said}\n{review_text(reviewed)}", as_json)


@click.command()
@click.argument("query", nargs=-1, required=True, metavar=f"[{BY_JOB_ID}] JOB_ID")
@json_option
@with_client
def search(client: Client, query: tuple[str, ...], as_json: bool) -> None:
    """List the stored answers to a job."""
    found = client.search(_job_id(query))
    tell(found, _found_text(found) if found else "no answers found", as_json)


def _question(text: str | None, file: TextIO | None) -> str:
    """The question from where it was given; exactly one place."""
    if text is not None and file:
        raise click.UsageError("give the question as an argument or with -f, not both")
    if file:
        text = file.read()
    elif text == "-" or (text is None and not sys.stdin.isatty()):
        text = click.open_file("-", errors="replace").read()
    if not text or not text.strip():
        raise click.UsageError("there is no question: give one, or a file with -f, or -")
    return text.strip()


@contextmanager
def _taken_up_later(job_id: int) -> Iterator[None]:
    """When the waiting is cut short, the failure says how to take it up again."""
    later = f"job {job_id} goes on: redten result {job_id}"
    try:
        yield
    except JobFailed:
        raise
    except ClientError as exc:
        raise Failure(f"{exc}; {later}") from exc
    except KeyboardInterrupt as exc:
        raise Failure(later) from exc


def _awaited(client: Client, job_id: int) -> Answer:
    with Spinner(sys.stderr) as spinner:

        def show(job: Job) -> None:
            spinner.show(f"job {job.id}: {job.doing}")

        return client.result(job_id, show)


def _job_id(query: tuple[str, ...]) -> int:
    words = query[1:] if query[0] == BY_JOB_ID else query
    if len(words) != 1 or not words[0].isdecimal():
        raise click.UsageError(f"say {BY_JOB_ID} JOB_ID, or only JOB_ID")
    return int(words[0])


def _found_text(found: list[Answer]) -> str:
    headers = ("ID", "JOB", "SCORE", "REVIEW", "QUESTION", "ANSWER")
    rows = (
        (a.id, a.job_id, number(a.score), a.reviewed_score, shorten(a.question), shorten(a.answer))
        for a in found
    )
    return table(headers, rows)
