"""An answer as it is written, in the chunks that OpenAI's clients read."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from api.asking import withdraw
from api.errors import DATABASE_AWAY, STATUS
from api.events import LOOK_S
from api.openai.errors import error_body
from api.openai.forms import Form, redten, usage
from api.openai.outcome import outcome, unless_stopping
from api.openai.spoken import Spoken
from models.answer import Answer
from models.errors import RedtenError
from models.job import Job
from models.tenant import Caller
from tasks import events

DONE = "data: [DONE]\n\n"
STILL_THERE = ": still there\n\n"


@dataclass
class Stream:
    """One job, told to one reader; who leaves before the end does not want the answer."""

    who: Caller
    job: Job
    form: Form
    model: str
    with_usage: bool
    over: bool = False

    def leave(self) -> None:
        """Cancels the job if its reader has gone before the end."""
        if not self.over:
            # It may have ended in this very moment.
            with suppress(RedtenError, *DATABASE_AWAY):
                withdraw(self.who, self.job.id)

    def lines(self) -> Iterator[str]:
        """The stream; an error after its beginning is a part of it, and the last one."""
        try:
            yield from self._told()
            last = DONE
        except RedtenError as error:
            last = _data(error_body(error.code, error.message, STATUS.get(error.code, 400)))
        self.over = True
        yield last

    def _told(self) -> Iterator[str]:
        if self.form.is_chat:
            said = {"role": "assistant", "content": ""}
            yield self._chunk([{**self.form.piece(""), "delta": said}])
        spoken = Spoken()
        yield from self._pieces(spoken)
        answer = outcome(self.who, self.job.id)
        if answer is None:
            raise RedtenError("stream_broken", f"job {self.job.id} goes on, its stream does not")
        yield from self._end(answer, spoken.rest_of(answer.answer or ""))

    def _pieces(self, spoken: Spoken) -> Iterator[str]:
        """What is told until the job is over."""
        for event in events.follow(self.job.id, patience_s=LOOK_S):
            unless_stopping(self.job.id)
            if event is None:
                if outcome(self.who, self.job.id):
                    return
                yield STILL_THERE
            elif event.kind == "state":
                spoken.begin(event.data["attempt"])
            elif event.kind == events.TOKEN and (text := spoken.hear(event.data["text"])):
                yield self._chunk([self.form.piece(text)])

    def _end(self, answer: Answer, rest: str) -> Iterator[str]:
        """What is left to say; the last chunk of all carries redten's own field."""
        self.model = answer.model_name or self.model
        if rest:
            yield self._chunk([self.form.piece(rest)])
        own = {"redten": redten(answer)}
        if not self.with_usage:
            yield self._chunk([self.form.end(answer)], **own)
        else:
            yield self._chunk([self.form.end(answer)])
            yield self._chunk([], usage=usage(answer), **own)

    def _chunk(self, choices: list[Any], **more: Any) -> str:
        return _data(self.form.chunk(self.job, self.model, choices, **more))


def _data(content: dict[str, Any]) -> str:
    return f"data: {json.dumps(content)}\n\n"
