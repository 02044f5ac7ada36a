"""Chats and texts, answered: each is a job like any other, stored, scored and to be reviewed."""

from typing import Any

from apiflask import APIBlueprint
from flask import Response, request

from api.asking import ask
from api.auth import caller, signed_in
from api.events import streamed, thread_held
from api.openai.forms import CHAT, TEXT, Form
from api.openai.outcome import awaited
from api.openai.replies import ChatOut, TextOut
from api.openai.requests import ChatIn, CompletionIn
from api.openai.stream import Stream
from api.questions import threads
from models.job import Job
from models.model import find_model
from models.session import session_scope

blueprint = APIBlueprint("completions", __name__, tag="OpenAI")


@blueprint.post("/v1/chat/completions")
@blueprint.input(ChatIn)
@blueprint.output(ChatOut)
@signed_in(blueprint)
def complete_chat(json_data: ChatIn) -> Response | dict[str, Any]:
    """Answer a chat, with `stream` in chunks; `model` is NAME or NAME@COLLECTION.

    The last message of the user is the question. `redten` in the reply, or in the last chunk,
    tells the job, the score and the sources.
    """
    return _answered(json_data, CHAT)


@blueprint.post("/v1/completions")
@blueprint.input(CompletionIn)
@blueprint.output(TextOut)
@signed_in(blueprint)
def complete_text(json_data: CompletionIn) -> Response | dict[str, Any]:
    """Continue a text, or with NAME@COLLECTION answer it as a question about the documents."""
    return _answered(json_data, TEXT)


def _answered(wanted: ChatIn | CompletionIn, form: Form) -> Response | dict[str, Any]:
    # Before the job is made: one that is refused must not leave work behind.
    with thread_held() as held:
        job = _job(wanted)
        if not wanted.stream:
            return form.whole(job, awaited(caller(), job.id))
        with session_scope(caller().tenant_id) as session:
            model = find_model(session, wanted.name).file
        stream = Stream(caller(), job, form, model, wanted.stream_options.include_usage)
        response = streamed(stream.lines(), held)
    response.call_on_close(stream.leave)
    return response


def _job(wanted: ChatIn | CompletionIn) -> Job:
    told = {"endpoint": request.path, "user": wanted.user, "metadata": wanted.metadata}
    return ask(
        wanted.question,
        wanted.collection,
        wanted.params(),
        data={name: value for name, value in told.items() if value},
        **threads(wanted.session_id),
    )
