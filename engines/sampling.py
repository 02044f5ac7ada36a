"""How tokens are drawn, told without a word of llama.cpp."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sampling:
    """Temperature 0 takes the likeliest token, so that a repeat is the same but for rounding.

    `top_k` 0 and `top_p` 1 leave all tokens in; `min_p` is relative to the likeliest. Penalties of
    1 (repeat) and 0 (frequency, presence) change nothing; they look at the last 64 tokens of the
    answer. `stop`: texts that end the answer and are no part of it. `grammar`: GBNF with a `root`
    that the answer must follow. `script`: the tokens that the answer shall consist of, where their
    log-probabilities are what is asked for; `max_tokens` of them at least.
    """

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    top_k: int = 0
    min_p: float = 0.0
    repeat_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    stop: tuple[str, ...] = ()
    grammar: str | None = None
    script: tuple[int, ...] = ()

    @property
    def greedy(self) -> bool:
        """Whether the likeliest token is all that is asked for."""
        unpenalised = self.repeat_penalty == 1.0 and not (
            self.frequency_penalty or self.presence_penalty
        )
        return not self.temperature and self.grammar is None and unpenalised
