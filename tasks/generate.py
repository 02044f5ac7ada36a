"""The answer itself, by the model that the job names."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from engines import grammar, prompt
from engines.loaded import borrowed
from engines.prompt import Fitted, Turn
from engines.sampling import Sampling
from models.job import Job, losses_of
from models.model import find_adapter, find_model
from models.session import session_scope
from settings import settings
from tasks import events, gate, telling
from tasks.app import app
from tasks.flow import Flow, Params, Passage
from tasks.lease import Held, running

if TYPE_CHECKING:
    from engines.generator import Generator
    from engines.request import Generation

log = logging.getLogger(__name__)

STEP = "generate_answer"
# Jobs that an older version has written lack some.
DRAWN_BY = (
    *("temperature", "top_p", "top_k", "min_p", "seed"),
    *("repeat_penalty", "frequency_penalty", "presence_penalty"),
)


def budgets(n_ctx: int, max_tokens: int, largest: int) -> tuple[int, int]:
    """Tokens for the prompt and for the answer, in a context of at most `largest`.

    The answer gets what was asked for within the server's limits, at most half of the context.
    """
    context = min(n_ctx, largest)
    answer = min(max_tokens, settings.max_tokens, context // 2)
    return context - answer, answer


@app.task
def generate_answer(flow: Flow) -> Flow:
    """Adds the answer and how it was made; passages that did not fit are marked so."""
    # Before the claim: what waits here must not be lost with what runs.
    turn = gate.entered(_was_lost(flow), lambda: _still_due(flow), settings.stale_after_s / 3)
    with turn, running(flow, STEP, then="score_answer") as held:
        telling.tell_state(held.record)
        model, adapter = _weights(flow)
        with borrowed(model) as generator:
            made = _answer(flow, generator, adapter, held)
    events.emit(flow["id"], "answer", {"text": made["answer"], "generation": made["generation"]})
    return made


def _was_lost(flow: Flow) -> bool:
    with session_scope(flow["tenant_id"]) as session:
        return losses_of(session, flow["id"]) > 0


def _still_due(flow: Flow) -> bool:
    """Whether the job still waits for this message; the sweep learns that it is not lost."""
    try:
        with session_scope(flow["tenant_id"], durable=False) as session:
            return Job.wait_on(session, flow["id"], flow["attempt"], STEP)
    except SQLAlchemyError as error:
        # The claim will tell; until then nothing is lost by waiting.
        log.warning("job %d: waits on, the database does not answer: %s", flow["id"], error)
        return True


def _weights(flow: Flow) -> tuple[Path, Path | None]:
    """The files of the model and of the adapter that the job names."""
    params = flow["params"]
    with session_scope(flow["tenant_id"]) as session:
        model, named = find_model(session, params["model_name"]), params.get("adapter")
        adapter = settings.weights_dir / find_adapter(session, named, model) if named else None
    return settings.weights_dir / model.file, adapter


def _answer(flow: Flow, generator: "Generator", adapter: Path | None, held: Held) -> Flow:
    params = flow["params"]
    room, max_tokens = budgets(params["n_ctx"], params["max_tokens"], generator.n_ctx)
    fitted = _fitted(flow, generator, room)
    made = generator.generate(
        params.get("prompt") or fitted.messages,
        _sampling(params, max_tokens),
        wanted=lambda: held.ours() and not events.cancelled(flow["id"]),
        told=events.token_sink(flow["id"]),
        adapter=adapter,
        scope=str(flow["tenant_id"]),
    )
    log.info("job %d: %d tokens in %.2f s", flow["id"], made.completion_tokens, made.seconds)
    limits = {"n_ctx": room + max_tokens, "max_tokens": max_tokens, "turns": fitted.turns}
    return flow | {
        "answer": made.text,
        "log_probability": made.log_probability,
        "passages": _marked(flow["passages"], fitted.passages),
        "generation": {"model_name": generator.name} | limits | _made(params, made),
    }


def _fitted(flow: Flow, generator: "Generator", room: int) -> Fitted:
    """What the model is to read; a plain text is its own, and has no messages."""
    params, passages = flow["params"], flow["passages"]
    if text := params.get("prompt"):
        return Fitted([], 0, 0, prompt.require_room(generator.count(text), room))
    if chat := params.get("messages"):
        return prompt.fit_chat(generator.count, chat, passages, room)
    turns = [Turn(question, answer) for question, answer in flow["turns"]]
    return generator.fit(flow["question"], passages, turns, room)


def _sampling(params: Params, max_tokens: int) -> Sampling:
    schema = params.get("json_schema")
    rules = params.get("grammar") if schema is None else grammar.from_schema(schema)
    given: dict[str, Any] = dict(params)
    chosen = {name: given[name] for name in DRAWN_BY if name in given}
    return Sampling(max_tokens, stop=tuple(params.get("stop", ())), grammar=rules, **chosen)


def _made(params: Params, made: "Generation") -> dict[str, object]:
    """How the answer was made, for the record."""
    told = {
        "finish": made.finish,
        "prompt_tokens": made.prompt_tokens,
        "cached_tokens": made.cached_tokens,
        "completion_tokens": made.completion_tokens,
        "log_probability": round(made.log_probability, 6),
        "seconds_to_first": round(made.seconds_to_first, 4),
        "temperature": params["temperature"],
        "top_p": params["top_p"],
        "seed": params["seed"],
    }
    return told | ({"tokens": made.tokens} if params.get("logprobs") else {})


def _marked(passages: list[Passage], kept: int) -> list[Passage]:
    return [Passage(**{**one, "in_prompt": number < kept}) for number, one in enumerate(passages)]
