"""OpenAI's own Python package against the stack, over HTTPS."""

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel

from tests.system.commands import redten, redten_json
from tests.system.jobs import PUBLIC, outcome, result
from tests.system.people import Person

Connect = Callable[[str], OpenAI]
QUESTION: list[ChatCompletionMessageParam] = [
    {"role": "user", "content": "How high is the tower of Gull Rock?"}
]
# An answer that has no end of its own.
ENDLESS = "root ::= [a-z ] root"


class Tower(BaseModel):
    """What the structured answer has to look like."""

    metres: int


@pytest.fixture
def connect(person: Person) -> Iterator[Connect]:
    """The package, told where the stack is, whom to trust, and which key to use."""
    with ExitStack() as stack:

        def made(key: str) -> OpenAI:
            trusted = ssl.create_default_context(cafile=person.door.ca)
            wire = openai.DefaultHttpxClient(verify=trusted, trust_env=False)
            base_url = f"{person.door.url}/v1"
            client = OpenAI(api_key=key, base_url=base_url, http_client=wire, max_retries=0)
            return stack.enter_context(client)

        yield made


@pytest.fixture
def client(connect: Connect, person: Person) -> OpenAI:
    """Somebody's, with the token of their login."""
    return connect(person.door.token)


def own(reply: BaseModel) -> Any:
    """The field that redten adds."""
    assert reply.model_extra is not None
    return reply.model_extra["redten"]


def test_a_chat_is_answered_stored_and_reviewable(client: OpenAI, person: Person) -> None:
    reply = client.chat.completions.create(
        model="gpt-4o", messages=QUESTION, max_tokens=8, temperature=0, stop=["\n\n"]
    )

    assert reply.object == "chat.completion"
    assert reply.model.endswith(".gguf")
    [choice] = reply.choices
    assert choice.message.role == "assistant"
    assert choice.finish_reason in ("stop", "length")
    assert reply.usage is not None
    assert 0 < reply.usage.completion_tokens <= 8
    read = reply.usage.prompt_tokens
    assert reply.usage.total_tokens == read + reply.usage.completion_tokens
    job = own(reply)["job_id"]
    assert reply.id == f"chatcmpl-{job}"
    stored = result(person.door, job)
    assert (stored["id"], stored["answer"]) == (own(reply)["answer_id"], choice.message.content)
    ended = redten(person, "review", str(job), "-a", "31 metres", "-s", "95")
    assert ended.returncode == 0, ended.stderr


def test_a_stream_tells_the_answer_that_is_stored(client: OpenAI, person: Person) -> None:
    with client.chat.completions.create(
        model="any",
        messages=QUESTION,
        max_tokens=12,
        stream=True,
        stream_options={"include_usage": True},
    ) as stream:
        chunks = list(stream)

    texts = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason in ("stop", "length")
    assert chunks[-1].usage is not None
    assert 0 < chunks[-1].usage.completion_tokens <= 12
    assert "".join(texts) == result(person.door, own(chunks[-1])["job_id"])["answer"]


def test_a_collection_gives_its_sources_in_both_modes(
    client: OpenAI, examples: list[dict[str, Any]]
) -> None:
    model = f"@{PUBLIC}"
    whole = client.chat.completions.create(
        model=model, messages=QUESTION, max_tokens=24, temperature=0
    )
    stream = client.chat.completions.create(
        model=model, messages=QUESTION, max_tokens=24, temperature=0, stream=True
    )

    *_, last = stream

    for told in (own(whole), own(last)):
        [place] = [one for one in examples if one["question"] == QUESTION[0]["content"]]
        found = [(one["file"], one["page"]) for one in told["sources"]]
        assert (place["source"], place["page"]) in found
        assert all(0 < one["score"] <= 1 and one["text"] for one in told["sources"])
        assert told["score"] > 0


def test_the_answer_follows_the_schema_of_a_class(client: OpenAI) -> None:
    reply = client.chat.completions.parse(
        model="any", messages=QUESTION, response_format=Tower, max_tokens=60, temperature=0
    )

    assert isinstance(reply.choices[0].message.parsed, Tower)


def test_log_probabilities_and_extra_fields_go_through(client: OpenAI) -> None:
    reply = client.chat.completions.create(
        model="any",
        messages=QUESTION,
        max_tokens=8,
        logprobs=True,
        extra_body={"grammar": 'root ::= "yes" | "no"', "top_k": 40},
    )

    [choice] = reply.choices
    assert choice.message.content in ("yes", "no")
    assert choice.logprobs is not None
    tokens = choice.logprobs.content or []
    assert "".join(token.token for token in tokens) == choice.message.content
    assert all(token.logprob <= 0 for token in tokens)


def test_a_text_is_continued_whole_and_in_parts(client: OpenAI) -> None:
    prompt = "The sea is"
    whole = client.completions.create(model="any", prompt=prompt, max_tokens=6, temperature=0)
    parts = client.completions.create(
        model="any", prompt=prompt, max_tokens=6, temperature=0, stream=True
    )

    assert whole.choices[0].text
    assert whole.object == "text_completion"
    assert "".join(part.choices[0].text for part in parts) == whole.choices[0].text


def test_embeddings_of_like_texts_are_alike(client: OpenAI) -> None:
    texts = ["the tower of a lighthouse", "a lighthouse's tower", "flour, water and salt"]
    reply = client.embeddings.create(model="text-embedding-3-small", input=texts)

    first, second, third = (one.embedding for one in reply.data)
    assert len(first) == 384
    assert _product(first, second) > 0.7 > _product(first, third)
    assert reply.usage.total_tokens > 10
    plain = client.embeddings.create(model="any", input=texts[0], encoding_format="float")
    assert plain.data[0].embedding == pytest.approx(first, abs=1e-4)


def test_the_models_are_listed(client: OpenAI) -> None:
    listed = [model.id for model in client.models.list()]

    assert any(name.endswith(".gguf") for name in listed)
    for name in listed:
        assert client.models.retrieve(name).id == name


def test_errors_are_the_packages_own(client: OpenAI, connect: Connect) -> None:
    with pytest.raises(openai.AuthenticationError) as unknown:
        connect("sk-wrong").models.list()
    assert unknown.value.code == "invalid_api_key"
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="any", messages=QUESTION, n=3)
    assert refused.value.param == "n"
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="any@nowhere", messages=QUESTION)
    assert missing.value.code == "collection_not_found"
    too_long: list[ChatCompletionMessageParam] = [{"role": "user", "content": "why " * 20_000}]
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="any", messages=too_long)
    assert refused.value.code == "context_length_exceeded"
    with pytest.raises(openai.APIError, match="failed"):
        list(client.chat.completions.create(model="any", messages=too_long, stream=True))


def test_a_stream_that_is_closed_ends_its_job(client: OpenAI, person: Person) -> None:
    with client.chat.completions.create(
        model="any",
        messages=QUESTION,
        max_tokens=1000,
        stream=True,
        extra_body={"grammar": ENDLESS},
    ) as stream:
        job = int(next(iter(stream)).id.removeprefix("chatcmpl-"))

    assert outcome(person.door, job)["code"] == "cancelled"


def test_a_service_key_works_until_it_is_revoked(person: Person, connect: Connect) -> None:
    secret = redten(person, "keys", "create", "nightly run").stdout.strip()
    [key] = redten_json(person, "keys", "list")
    client = connect(secret)

    reply = client.chat.completions.create(model="any", messages=QUESTION, max_tokens=1)

    assert own(reply)["job_id"]
    assert secret.startswith(key["hint"])
    assert secret not in json.dumps(key)
    assert redten(person, "keys", "revoke", str(key["id"])).returncode == 0
    with pytest.raises(openai.AuthenticationError):
        client.models.list()


def _product(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
