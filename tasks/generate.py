"""The answer itself, by the model that the job's name resolves to."""

import logging

from engines.generator import Sampling, get_generator
from engines.prompt import Turn
from settings import settings
from tasks.app import app
from tasks.flow import Flow, Passage
from tasks.lease import running

log = logging.getLogger(__name__)


def budgets(n_ctx: int, max_tokens: int) -> tuple[int, int]:
    """Tokens for the prompt and for the answer.

    The answer gets what was asked for within the server's limits, at most half of the context.
    """
    context = min(n_ctx, settings.n_ctx)
    answer = min(max_tokens, settings.max_tokens, context // 2)
    return context - answer, answer


@app.task
def generate_answer(flow: Flow) -> Flow:
    """Adds the answer and how it was made; passages that did not fit are marked so."""
    with running(flow, "generate_answer", then="score_answer") as held:
        params, passages = flow["params"], flow["passages"]
        generator = get_generator(params["model_name"])
        room, max_tokens = budgets(params["n_ctx"], params["max_tokens"])
        turns = [Turn(question, answer) for question, answer in flow["turns"]]
        fitted = generator.fit(flow["question"], passages, turns, room)
        sampling = Sampling(
            max_tokens,
            params["temperature"],
            params["top_p"],
            params["seed"],
        )
        made = generator.generate(fitted.messages, sampling, held.ours)
        log.info("job %d: %d tokens in %.2f s", flow["id"], made.completion_tokens, made.seconds)
        return flow | {
            "answer": made.text,
            "passages": _marked(passages, fitted.passages),
            "generation": {
                "model_name": generator.name,
                "finish": made.finish,
                "prompt_tokens": made.prompt_tokens,
                "completion_tokens": made.completion_tokens,
                "turns": fitted.turns,
                "n_ctx": room + max_tokens,
                "max_tokens": max_tokens,
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
                "seed": sampling.seed,
            },
        }


def _marked(passages: list[Passage], kept: int) -> list[Passage]:
    return [Passage(**{**one, "in_prompt": number < kept}) for number, one in enumerate(passages)]
