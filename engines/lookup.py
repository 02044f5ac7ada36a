"""Prompt lookup decoding: what followed the same words before is proposed as what comes next.

Answers from documents quote them, so a few tokens can be guessed from the text itself and checked
in one batch (Saxena 2023, https://github.com/apoorvumang/prompt-lookup-decoding). What the model
would not have chosen is thrown away: but for rounding the answer is the same as without.
"""

# Of shorter matches less than half is right, and longer ones are rare.
MATCHED = 3
MOST_PROPOSED = 3


class Lookup:
    """Where each run of tokens was last seen; `tokens` may grow between two proposals."""

    def __init__(self, tokens: list[int]) -> None:
        self._tokens, self._after = tokens, dict[tuple[int, ...], int]()
        self._indexed = MATCHED

    def propose(self, most: int) -> list[int]:
        """At most so many tokens that may come next."""
        tokens = self._tokens
        for end in range(self._indexed, len(tokens)):
            self._after[tuple(tokens[end - MATCHED : end])] = end
        self._indexed = max(self._indexed, len(tokens))
        found = self._after.get(tuple(tokens[-MATCHED:]))
        return tokens[found : found + min(most, MOST_PROPOSED)] if found else []
