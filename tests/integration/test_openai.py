"""The door for OpenAI's clients: what it refuses, and what it answers; the steps are played."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

import api.events
import api.openai.outcome
import api.worker_reply
from models.answer import CHAIN, add_answer
from models.job import Job
from models.session import session_scope
from settings import settings
from tasks import broker, events, telling
from tests.integration.processes import session_value, until, workers

USER = [{"role": "user", "content": "How high is the tower?"}]
IMAGE = [{"role": "user", "content": [{"type": "image_url"}]}]
PASSAGE = {"id": 1, "document_id": 1, "source": "rocks/gull.md", "page": 2, "text": "31 m"}
PASSAGES = [
    {**PASSAGE, "score": 0.8, "in_prompt": True},
    {**PASSAGE, "score": 0.4, "in_prompt": False, "page": 3},
]
MADE = {
    "model_name": "real.gguf",
    "finish": "stop",
    "prompt_tokens": 7,
    "cached_tokens": 4,
    "completion_tokens": 3,
}
TOLD = ("The ", "tower ", "is high.")


@pytest.fixture(autouse=True)
def first_job(db: None) -> int:
    """The id of the job that comes next; no stream of an earlier test has its name."""
    events.emit(0, "state", {})
    until(lambda: events.latest(0, "+", 1))
    broker.connection().flushall()
    return 1


CITATION = {
    "start": 0,
    "end": 18,
    "passage": 0,
    "source": "rocks/gull.md",
    "page": 2,
    "score": 0.9,
    "quote": {"start": 0, "end": 2},
}


def finish(job: int, text: str = "".join(TOLD), attempt: int = 1, **made: Any) -> None:
    """As the last step does."""
    where = f"where id = {job} returning id"
    session_value(f"update jobs set step = 'persist_answer', attempt = {attempt} {where}")
    with session_scope(1) as session:
        done = Job.finish(session, job, attempt, "persist_answer")
        answer = add_answer(
            session,
            tenant_id=1,
            user_id=done.user_id,
            job_id=job,
            origin=CHAIN,
            answer=text,
            score=0.5,
            model_name="real.gguf",
            data={"generation": MADE | made, "passages": PASSAGES, "citations": [CITATION]},
        )
    telling.tell_end(done, answer)


def say(job: int, *texts: str, attempt: int = 1) -> None:
    """An attempt begins and tells a part of its answer, as an event for each text."""
    events.emit(job, "state", {"attempt": attempt})
    for text in texts:
        events.emit(job, events.TOKEN, {"text": text})
        events.emit(job, "played", {})


def fail(job: int, code: str) -> None:
    with session_scope(1) as session:
        failed = Job.fail(session, job, 1, code, "why")
    telling.tell_end(failed)


@contextmanager
def played(play: Any, *args: Any, **more: Any) -> Iterator[None]:
    """Plays the steps of the next job beside the request that waits for it."""

    def wait_and_play() -> None:
        until(lambda: session_value("select count(*) from jobs"))
        play(*args, **more)

    thread = threading.Thread(target=wait_and_play)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def chunks(reply: Any) -> list[Any]:
    """The objects of a stream."""
    assert reply.status_code == 200, reply.json
    assert reply.mimetype == "text/event-stream"
    lines = b"".join(reply.iter_encoded()).decode().split("\n\n")
    told = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    return ["[DONE]" if one == "[DONE]" else json.loads(one) for one in told]


def chat(http: FlaskClient, headers: dict[str, str], **more: Any) -> Any:
    body = {"model": "gpt-4o", "messages": USER} | more
    return http.post("/v1/chat/completions", json=body, headers=headers)


def text_of(told: list[Any]) -> str:
    choices = [choice for one in told if one != "[DONE]" for choice in one["choices"]]
    return "".join(one["delta"].get("content", "") for one in choices)


def test_a_chat_is_a_job_and_its_reply_names_what_really_answered(http, headers, first_job):
    with played(finish, first_job):
        reply = chat(http, headers, user="someone", session_id="walk")

    assert reply.status_code == 200
    body = reply.json
    assert (body["id"], body["object"], body["model"]) == (
        "chatcmpl-1",
        "chat.completion",
        "real.gguf",
    )
    [choice] = body["choices"]
    assert choice["message"] == {
        "role": "assistant",
        "content": "The tower is high.",
        "refusal": None,
    }
    assert (choice["finish_reason"], choice["logprobs"]) == ("stop", None)
    assert body["usage"] == {
        "prompt_tokens": 7,
        "completion_tokens": 3,
        "total_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 4},
    }
    source = {"file": "rocks/gull.md", "page": 2, "score": 0.8, "text": "31 m"}
    place = {"file": "rocks/gull.md", "page": 2}
    cited = place | {"start": 0, "end": 18, "score": 0.9, "text": "31"}
    ids = {"job_id": 1, "answer_id": 1}
    assert body["redten"] == ids | {"score": 0.5, "sources": [source], "citations": [cited]}
    job = session_value("select to_jsonb(jobs) from jobs")
    assert (job["question"], job["session_id"]) == ("How high is the tower?", "walk")
    assert job["data"] == {"endpoint": "/v1/chat/completions", "user": "someone"}
    assert http.get("/ai/result/1", headers=headers).status_code == 200


def test_openais_defaults_hold_and_extra_fields_reach_the_engine(http, headers, first_job):
    said = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": "c"},
    ]
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    with played(finish, first_job):
        chat(
            http,
            headers,
            messages=said,
            response_format=wanted,
            top_k=40,
            stop="\n",
            seed=-1,
            adapter="style",
            top_p=None,
            max_completion_tokens=9,
        )

    params = session_value("select params from jobs")
    assert params["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "a\nb"},
        {"role": "assistant", "content": "c"},
    ]
    assert (params["temperature"], params["top_p"], params["max_tokens"]) == (1.0, 1.0, 9)
    assert (params["top_k"], params["stop"], params["seed"]) == (40, ["\n"], 2**31 - 1)
    assert (params["json_schema"], params["adapter"]) == (schema, "style")
    assert "prompt" not in params


def test_a_stream_begins_with_the_role_and_ends_with_our_own_field(http, headers, first_job):
    reply = chat(http, headers, stream=True)
    say(first_job, *TOLD)
    finish(first_job)

    *told, done = chunks(reply)

    assert done == "[DONE]"
    assert told[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert [one["choices"][0]["delta"].get("content") for one in told[1:-1]] == list(TOLD)
    assert {one["id"] for one in told} == {"chatcmpl-1"}
    assert {one["object"] for one in told} == {"chat.completion.chunk"}
    reasons = [one["choices"][0]["finish_reason"] for one in told]
    assert reasons == [None] * (len(told) - 1) + ["stop"]
    assert told[-1]["redten"]["sources"][0]["file"] == "rocks/gull.md"
    assert told[-1]["redten"]["citations"][0]["text"] == "31"
    assert not any("usage" in one for one in told)


def test_a_stream_tells_its_usage_last_if_it_is_asked_to(http, headers, first_job):
    reply = chat(http, headers, stream=True, stream_options={"include_usage": True})
    finish(first_job, finish="length")

    *_, end, last, _ = chunks(reply)

    assert end["choices"][0]["finish_reason"] == "length"
    assert (last["choices"], last["usage"]["total_tokens"]) == ([], 10)
    assert last["redten"]["job_id"] == 1


def test_tokens_that_were_lost_on_their_way_come_with_the_end(http, headers, first_job):
    reply = chat(http, headers, stream=True)
    say(first_job, "The ")
    finish(first_job)

    assert text_of(chunks(reply)) == "The tower is high."


def test_a_new_attempt_that_says_the_same_goes_unnoticed(http, headers, first_job):
    reply = chat(http, headers, stream=True)
    say(first_job, "The ", "tower ")
    say(first_job, "The ", "tower is", " high.", attempt=2)
    finish(first_job, attempt=2)

    assert text_of(chunks(reply)) == "The tower is high."


def test_a_new_attempt_that_says_something_else_ends_the_stream_with_an_error(
    http, headers, first_job
):
    reply = chat(http, headers, stream=True)
    say(first_job, "The ", "tower ")
    say(first_job, "It is high.", attempt=2)
    finish(first_job, "It is high.", attempt=2)

    *_, last = chunks(reply)

    assert last["error"]["code"] == "stream_broken"


def test_a_job_that_fails_ends_its_stream_with_an_error(http, headers, first_job):
    reply = chat(http, headers, stream=True)
    fail(first_job, "question_too_long")

    assert chunks(reply)[-1]["error"] == {
        "message": "job 1 failed: why",
        "type": "invalid_request_error",
        "param": None,
        "code": "context_length_exceeded",
    }


@pytest.mark.parametrize(
    ("code", "status", "told"),
    [
        ("question_too_long", 400, "context_length_exceeded"),
        ("bad_grammar", 400, "bad_grammar"),
        ("deadline", 504, "deadline"),
        ("lost", 500, "lost"),
        ("no_memory", 503, "no_memory"),
    ],
)
def test_a_job_that_fails_is_an_error_not_to_be_repeated(
    http, headers, first_job, code, status, told
):
    with played(fail, first_job, code):
        reply = chat(http, headers)

    assert (reply.status_code, reply.json["error"]["code"]) == (status, told)
    assert reply.headers["x-should-retry"] == "false"


def test_a_job_that_takes_too_long_goes_on_and_is_named(http, headers, monkeypatch):
    hasty = settings.model_copy(update={"openai_wait_s": 0.05})
    monkeypatch.setattr(api.openai.outcome, "settings", hasty)

    late = chat(http, headers)

    assert (late.status_code, late.json["error"]["code"]) == (504, "not_yet_answered")
    assert "job 1" in late.json["error"]["message"]
    assert late.headers["x-should-retry"] == "false"
    assert session_value("select state from jobs") == 1


def test_a_reader_who_leaves_does_not_want_the_answer(http, headers, first_job):
    reply = chat(http, headers, stream=True)
    say(first_job, "The ")
    stream = reply.iter_encoded()
    assert b"assistant" in next(stream)
    assert b"The " in next(stream)

    reply.close()

    assert session_value("select code from jobs") == "cancelled"


def test_a_reader_who_stays_to_the_end_cancels_nothing(http, headers, first_job):
    reply = chat(http, headers, stream=True)
    finish(first_job)
    chunks(reply)
    reply.close()
    assert session_value("select code from jobs") is None


def test_too_many_waiting_at_once_are_refused_and_leave_no_job(http, headers, monkeypatch):
    monkeypatch.setattr(api.events, "_free", threading.BoundedSemaphore(1))
    first = chat(http, headers, stream=True)
    for stream in (True, False):
        refused = chat(http, headers, stream=stream)
        assert (refused.status_code, refused.json["error"]["code"]) == (503, "too_many_streams")
        assert refused.headers["x-should-retry"] == "true"
    first.close()
    assert session_value("select count(*) from jobs") == 1


def test_log_probabilities_of_the_chosen_tokens_are_told(http, headers, first_job):
    tokens = [["T\u00f6", -0.5], ["wer", -0.25]]
    with played(finish, first_job, tokens=tokens):
        reply = chat(http, headers, logprobs=True)

    first, second = reply.json["choices"][0]["logprobs"]["content"]
    assert first == {
        "token": "T\u00f6",
        "logprob": -0.5,
        "bytes": [84, 195, 182],
        "top_logprobs": [],
    }
    assert (second["token"], second["logprob"]) == ("wer", -0.25)
    assert session_value("select params->'logprobs' from jobs") is True


def test_a_text_is_continued_without_a_chat_around_it(http, headers, first_job):
    body = {"model": "gpt-3.5-turbo-instruct", "prompt": ["Once upon"], "logprobs": 0}
    with played(finish, first_job, tokens=[["a ", -0.5], ["time", -0.5]]):
        reply = http.post("/v1/completions", json=body, headers=headers)

    told = reply.json
    assert (told["id"], told["object"]) == ("cmpl-1", "text_completion")
    assert told["choices"][0]["text"] == "The tower is high."
    logprobs = told["choices"][0]["logprobs"]
    assert (logprobs["tokens"], logprobs["text_offset"]) == (["a ", "time"], [0, 2])
    params = session_value("select params from jobs")
    assert (params["prompt"], params["max_tokens"]) == ("Once upon", 16)
    assert "messages" not in params


def test_a_text_is_streamed_in_its_own_form(http, headers, first_job):
    body = {"prompt": "Once upon", "stream": True}
    reply = http.post("/v1/completions", json=body, headers=headers)
    say(first_job, *TOLD)
    finish(first_job)

    *told, _ = chunks(reply)

    assert "".join(one["choices"][0]["text"] for one in told) == "The tower is high."
    assert {one["object"] for one in told} == {"text_completion"}


def test_the_collection_after_the_at_sign_is_asked(http, headers, first_job):
    with played(finish, first_job):
        assert chat(http, headers, model="@embed-security").status_code == 200
    assert session_value("select collection_id from jobs") == 1
    assert session_value("select params->>'model_name' from jobs") == ""


def test_with_a_collection_a_text_is_a_question_about_it(http, headers, first_job):
    body = {"model": "any@embed-security", "prompt": "How high?"}
    with played(finish, first_job):
        assert http.post("/v1/completions", json=body, headers=headers).status_code == 200
    assert session_value("select collection_id from jobs") == 1
    assert "prompt" not in session_value("select params from jobs")


def test_an_unknown_collection_is_not_found(http, headers):
    refused = chat(http, headers, model="any@nowhere")
    assert refused.status_code == 404
    assert refused.json["error"]["code"] == "collection_not_found"
    assert session_value("select count(*) from jobs") == 0


def test_a_bad_key_is_refused_in_openais_words(http):
    for method, path in (("POST", "/v1/chat/completions"), ("GET", "/v1/models")):
        body = {"messages": USER} if method == "POST" else None
        refused = http.open(
            path, method=method, json=body, headers={"Authorization": "Bearer sk-wrong"}
        )
        assert (refused.status_code, refused.json["error"]["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize(
    ("param", "more"),
    [
        ("n", {"n": 2}),
        ("tools", {"tools": [{"type": "function"}]}),
        ("logit_bias", {"logit_bias": {"50256": -100}}),
        ("top_logprobs", {"logprobs": True, "top_logprobs": 2}),
        ("audio", {"audio": {"voice": "alloy"}}),
        ("temperature", {"temperature": 3}),
        ("stop", {"stop": ["a", "b", "c", "d", "e"]}),
        ("max_tokens", {"max_tokens": 0}),
        ("messages", {"messages": []}),
        ("messages", {"messages": [{"role": "system", "content": "x"}]}),
        ("messages.0.role", {"messages": [{"role": "tool", "content": "x"}]}),
        ("messages.0.content", {"messages": IMAGE}),
        ("response_format", {"response_format": {"type": "json_schema"}}),
        (None, {"response_format": {"type": "json_object"}, "grammar": 'root ::= "a"'}),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(http, headers, param, more):
    refused = chat(http, headers, **more)

    assert refused.status_code == 400
    assert refused.json["error"].keys() == {"message", "type", "param", "code"}
    assert refused.json["error"]["type"] == "invalid_request_error"
    assert refused.json["error"]["param"] == param
    assert session_value("select count(*) from jobs") == 0


@pytest.mark.parametrize(
    ("param", "more"),
    [
        ("prompt", {"prompt": [1, 2]}),
        ("prompt", {"prompt": ["a", "b"]}),
        ("prompt", {"prompt": ""}),
        ("logprobs", {"logprobs": 2}),
        ("echo", {"echo": True}),
        ("suffix", {"suffix": "."}),
        ("best_of", {"best_of": 2}),
    ],
)
def test_what_a_text_completion_cannot_do_is_refused_by_name(http, headers, param, more):
    refused = http.post("/v1/completions", json={"prompt": "a"} | more, headers=headers)
    assert (refused.status_code, refused.json["error"]["param"]) == (400, param)


def test_the_models_are_what_answers_and_what_embeds(http, headers):
    listed = http.get("/v1/models", headers=headers).json
    assert listed["object"] == "list"
    assert [one["id"] for one in listed["data"]] == [settings.model, settings.embed_model]
    assert {one["object"] for one in listed["data"]} == {"model"}
    for one in listed["data"]:
        assert http.get(f"/v1/models/{one['id']}", headers=headers).json == one
    missing = http.get("/v1/models/gpt-4o", headers=headers)
    assert (missing.status_code, missing.json["error"]["code"]) == (404, "model_not_found")


def test_embeddings_come_as_numbers_or_base64_and_are_counted(http, headers):
    def embeddings(**more: Any) -> Any:
        return http.post("/v1/embeddings", json={"model": "ada", **more}, headers=headers)

    with workers(pipeline="tasks.app", inference=None, ingest=None, sweep=None):
        numbers = embeddings(input=["a tower", "bread and flour"]).json
        packed = embeddings(input="a tower", encoding_format="base64", dimensions=384).json
        refused = embeddings(input="a tower", dimensions=3)

    assert [one["index"] for one in numbers["data"]] == [0, 1]
    assert numbers["model"] == settings.embed_model
    first, second = (np.array(one["embedding"]) for one in numbers["data"])
    assert np.linalg.norm(first) == pytest.approx(1, abs=1e-5)
    assert first @ second < 0.9
    same = np.frombuffer(base64.b64decode(packed["data"][0]["embedding"]), "<f4")
    assert same == pytest.approx(first, abs=1e-5)
    # Both with the two special tokens around them.
    assert packed["usage"] == {"prompt_tokens": 4, "total_tokens": 4}
    assert (refused.status_code, refused.json["error"]["code"]) == (400, "bad_dimensions")


def test_embeddings_that_nobody_makes_in_time_are_unavailable(http, headers, monkeypatch):
    hasty = settings.model_copy(update={"embeddings_wait_s": 0.05})
    monkeypatch.setattr(api.worker_reply, "settings", hasty)

    late = http.post("/v1/embeddings", json={"input": "a"}, headers=headers)

    assert (late.status_code, late.json["error"]["code"]) == (503, "unavailable")
    assert late.headers["x-should-retry"] == "true"


@pytest.mark.parametrize(
    ("param", "more"),
    [
        ("input", {"input": []}),
        ("input", {"input": [1, 2]}),
        ("input", {"input": [[1], [2]]}),
        ("input.1", {"input": ["a", ""]}),
        ("input", {"input": ["a"] * 2049}),
        ("encoding_format", {"input": "a", "encoding_format": "int8"}),
    ],
)
def test_what_cannot_be_embedded_is_refused_by_name(http, headers, param, more):
    refused = http.post("/v1/embeddings", json=more, headers=headers)
    assert (refused.status_code, refused.json["error"]["param"]) == (400, param)
