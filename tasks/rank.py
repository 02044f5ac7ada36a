"""Which of the found chunks answer a question best: numbers from numbers and words."""

import math
import re
from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from itertools import pairwise

# Beside a cosine, how much it counts that a chunk has all of the question's words, and that its
# document is the one that they name. Chosen on public questions: docs/adr/0006.
WORDS_WEIGHT, NAMED_WEIGHT = 0.3, 0.5
# What a chunk loses for each better one of its page: several pages say more than one page twice.
SAME_PAGE = 0.1
# A word that stands at the beginning of a document names it half as surely as one in its name.
BEGINNING_WEIGHT = 0.5

RAW_WORD = re.compile(r"[^\W\d_]+")
SHORT_YEAR = re.compile(r"\b(FY|CY)\W?(\d\d)\b", re.IGNORECASE)


def with_whole_years(question: str) -> str:
    """FY22 also says 2022."""
    return SHORT_YEAR.sub(r"\1\2 20\2", question)


def joined_pairs(question: str) -> list[str]:
    """Each two neighbouring words as one, as names of files have them."""
    words = [word.lower() for word in RAW_WORD.findall(question)]
    return [first + second for first, second in pairwise(words)]


def coverage(
    wanted: Collection[str], candidates: Sequence[Collection[str]], measured: Sequence[int]
) -> list[tuple[float, float]]:
    """Which share of the question's words each candidate has, the rarer the more; both 0–1.

    The first is of the words that some candidate has, to rank by; the second of all, to be judged
    by. A word's weight is ln((n + 1) / with it) among the n candidates `measured`: a company's
    name, which is on every page of its filing, tells nothing about the page.
    """
    count = len(measured)
    frequency = Counter(word for number in measured for word in set(candidates[number]))
    elsewhere = {word for words in candidates for word in words}
    known = {word: math.log((count + 1) / max(frequency[word], 1)) for word in wanted}
    borne = [sum(known[word] for word in set(words) & known.keys()) for words in candidates]
    there = sum(weight for word, weight in known.items() if word in elsewhere)
    whole = sum(known.values())
    return [(one / there, one / whole) if there else (0.0, 0.0) for one in borne]


def named(documents: int, hits: Mapping[int, Mapping[str, float]]) -> dict[int, float]:
    """How surely the question's words name each document, 0–1, by id.

    `hits` are the words that a document's name, title or beginning has, with their weight there;
    a word's own weight is ln((documents + 1) / named by it).
    """
    frequency = Counter(word for words in hits.values() for word in words)
    rarity = {word: math.log((documents + 1) / times) for word, times in frequency.items()}
    whole = sum(rarity.values())
    return {
        id: sum(rarity[word] * weight for word, weight in words.items()) / whole
        for id, words in hits.items()
    }


def fuse(cosine: float, words: float, about: float) -> float:
    """One score of a chunk: its cosine, and what its words and its document add to it."""
    return cosine + WORDS_WEIGHT * words + NAMED_WEIGHT * about


def in_order(scores: Sequence[float], pages: Sequence[Hashable]) -> list[int]:
    """The numbers of the chunks, best first; later ones of a page come further down."""
    seen: Counter[Hashable] = Counter()
    lowered = list(scores)
    for number in sorted(range(len(scores)), key=lambda one: -scores[one]):
        lowered[number] -= SAME_PAGE * seen[pages[number]]
        seen[pages[number]] += 1
    return sorted(range(len(scores)), key=lambda one: -lowered[one])
