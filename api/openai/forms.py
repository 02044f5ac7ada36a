"""An answer in the two forms that OpenAI's clients know: a chat's, and a continued text's."""

from dataclasses import dataclass
from typing import Any

from models.answer import Answer
from models.job import Job


@dataclass(frozen=True, slots=True)
class Form:
    """How the two kinds of completion differ: names, and the one choice in them."""

    prefix: str
    part: str
    is_chat: bool

    def id(self, job: Job) -> str:
        """The job's id, as an id of OpenAI's looks."""
        return f"{self.prefix}-{job.id}"

    def chunk(self, job: Job, model: str, choices: list[Any], **more: Any) -> dict[str, Any]:
        """One object of a stream."""
        head = {"id": self.id(job), "object": self.part, "created": _created(job), "model": model}
        return head | {"choices": choices} | more

    def piece(self, text: str) -> dict[str, Any]:
        """A part of the answer."""
        said = {"delta": {"content": text}} if self.is_chat else {"text": text}
        return {"index": 0, **said, "logprobs": None, "finish_reason": None}

    def end(self, answer: Answer) -> dict[str, Any]:
        """The end of the answer, without text."""
        said: dict[str, Any] = {"delta": {}} if self.is_chat else {"text": ""}
        return {"index": 0, **said, **self._how(answer)}

    def whole(self, job: Job, answer: Answer) -> dict[str, Any]:
        """The reply to who did not ask for a stream."""
        text = answer.answer or ""
        said = {"message": {"content": text}} if self.is_chat else {"text": text}
        return {
            "id": self.id(job),
            "created": _created(job),
            "model": answer.model_name,
            "choices": [said | self._how(answer)],
            "usage": usage(answer),
            "redten": redten(answer),
        }

    def _how(self, answer: Answer) -> dict[str, Any]:
        made = generation(answer)
        tokens = made.get("tokens")
        shown = (_chat_logprobs if self.is_chat else _text_logprobs)(tokens) if tokens else None
        reason = "stop" if made["finish"] == "stop" else "length"
        return {"logprobs": shown, "finish_reason": reason}


CHAT = Form("chatcmpl", "chat.completion.chunk", True)
TEXT = Form("cmpl", "text_completion", False)


def generation(answer: Answer) -> dict[str, Any]:
    """How the answer was made."""
    made: Any = (answer.data or {})["generation"]
    return dict(made)


def usage(answer: Answer) -> dict[str, Any]:
    """OpenAI's counts."""
    made = generation(answer)
    read, written = made["prompt_tokens"], made["completion_tokens"]
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
        "prompt_tokens_details": {"cached_tokens": made.get("cached_tokens", 0)},
    }


def redten(answer: Answer) -> dict[str, Any]:
    """The field of our own: under which job the answer is kept, and what bears it."""
    data: Any = answer.data or {}
    passages = data.get("passages", [])
    return {
        "job_id": answer.job_id,
        "answer_id": answer.id,
        "score": answer.score,
        "sources": [
            {"file": one["source"], "page": one["page"], "score": one["score"], "text": one["text"]}
            for one in passages
            if one.get("in_prompt")
        ],
        "citations": [_citation(one, passages) for one in data.get("citations", [])],
    }


def _citation(cited: dict[str, Any], passages: list[dict[str, Any]]) -> dict[str, Any]:
    quote, text = cited["quote"], passages[cited["passage"]]["text"]
    return {name: cited[name] for name in ("start", "end", "page", "score")} | {
        "file": cited["source"],
        "text": text[quote["start"] : quote["end"]],
    }


def _created(job: Job) -> int:
    return int(job.created_at.timestamp())


def _chat_logprobs(tokens: list[tuple[str, float]]) -> dict[str, Any]:
    content = [
        {"token": text, "logprob": value, "bytes": list(text.encode()), "top_logprobs": []}
        for text, value in tokens
    ]
    return {"content": content, "refusal": None}


def _text_logprobs(tokens: list[tuple[str, float]]) -> dict[str, Any]:
    offsets, length = [], 0
    for text, _ in tokens:
        offsets.append(length)
        length += len(text)
    return {
        "tokens": [text for text, _ in tokens],
        "token_logprobs": [value for _, value in tokens],
        "top_logprobs": None,
        "text_offset": offsets,
    }
