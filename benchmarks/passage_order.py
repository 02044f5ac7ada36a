"""What it costs, or brings, to give passages in the order of the document and not of their scores.

    make bench-passage_order

PubMedQA: the sections of an abstract are the passages, and the authors' conclusion the answer. Its
mean log-probability under the model is taken with either order, question by question. Documents
that share their order share their prefixes; that this loses no quality is what is shown here.
"""

import json
import statistics
from pathlib import Path

import numpy as np

from benchmarks.report import Figure, write
from engines.embedder import get_embedder
from engines.generator import Generator
from engines.prompt import SYSTEM, Message
from settings import settings

DATA = Path(__file__).resolve().parents[1].parent / "shared/data/pubmedqa/questions.jsonl"
QUESTIONS, ANSWER_TOKENS, RESAMPLES = 100, 48, 2000


def main() -> None:
    """Both orders, in turn, over the same questions."""
    if not DATA.exists():
        raise SystemExit(f"{DATA} is not there: this benchmark needs PubMedQA's questions")
    generator = Generator(settings.weights_dir / settings.model)
    rows = [json.loads(line) for line in DATA.open()]
    rows = [row for row in rows if len(row["contexts"]) > 1][:QUESTIONS]
    gains = []
    for number, row in enumerate(rows, 1):
        document, score = orders(row)
        gains.append(_fit(generator, row, document) - _fit(generator, row, score))
        print(f"\r{number} of {len(rows)}", end="", flush=True)
    generator.close()
    low, high = interval(gains)
    print(f"\n95 % of resampled means between {low:.4f} and {high:.4f}")
    mean = round(statistics.mean(gains), 4)
    write(
        "passage_order",
        [
            Figure(
                figure="log-probability a token of the reference answer, document order minus"
                f" score order, nats, {len(rows)} questions",
                value=mean,
                aim=">= -0.01",
                peer="the same passages by score",
            )
        ],
    )


def orders(row: dict[str, list[str]]) -> tuple[list[str], list[str]]:
    """The sections as they are, and the most similar to the question first."""
    sections = row["contexts"]
    vectors = get_embedder().embed([str(row["question"]), *sections])
    similar = np.argsort(-(vectors[1:] @ vectors[0]), kind="stable")
    return sections, [sections[number] for number in similar]


def _fit(generator: Generator, row: dict[str, str], sections: list[str]) -> float:
    """The mean log-probability of the reference answer's tokens after these sections."""
    sources = "\n\n".join(f"Source: {row['pubid']}, page 1\n{text}" for text in sections)
    asked = f"{sources}\n\nQuestion: {row['question']}"
    chat = [Message(role="system", content=SYSTEM), Message(role="user", content=asked)]
    answer = generator.tokenize(row["long_answer"])[:ANSWER_TOKENS]
    return statistics.mean(generator.score(chat, answer))


def interval(gains: list[float]) -> tuple[float, float]:
    """The bootstrap's 2.5th and 97.5th percentile of the mean."""
    drawn = np.random.default_rng(0).choice(gains, (RESAMPLES, len(gains))).mean(axis=1)
    low, high = np.percentile(drawn, (2.5, 97.5))
    return float(low), float(high)


if __name__ == "__main__":
    main()
