"""How much is measured, and how repetitions become one figure."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.report import Figure


@dataclass(frozen=True, slots=True)
class Scale:
    """Repetitions, questions in each, tokens of an answer, abstracts to leave out at first."""

    repetitions: int = 5
    questions: int = 48
    tokens: int = 40
    skip: int = 0


def compared(what: str, ratios: Sequence[float], aim: str, peer: str) -> Figure:
    """The median of the repetitions' ratios, and their range."""
    print(f"{what}: " + ", ".join(f"{ratio:.2f}" for ratio in ratios), flush=True)
    return Figure(
        figure=what,
        value=round(median(ratios), 3),
        aim=aim,
        peer=f"{peer}; {min(ratios):.2f} to {max(ratios):.2f} in {len(ratios)} repetitions",
    )
