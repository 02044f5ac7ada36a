"""Found passages judged once more, by a cross-encoder that reads question and text together."""

from collections.abc import Sequence

from engines.reranker import get_reranker
from settings import settings
from tasks.find import Hit

# Passages that a reranker is given, if so many are found.
JUDGED = 50


def judged(question: str, found: Sequence[Hit]) -> list[tuple[Hit, float | None]]:
    """By relevance, 0–1; those that the time was too short for follow as they were, with None.

    Raises EngineError `unknown_reranker`.
    """
    reranker = get_reranker(settings.reranker or "")
    scores = reranker.score(question, [one.text for one in found], settings.rerank_budget_s)
    best = sorted(zip(found, scores, strict=False), key=lambda pair: -pair[1])
    return [*best, *((one, None) for one in found[len(scores) :])]
