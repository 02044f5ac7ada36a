"""What is asked: PubMedQA's research questions on their abstracts, in three orders.

The data lie beside the project, in ../shared/data/pubmedqa (PQA-L, MIT).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from engines.prompt import Message, Passage, messages_for

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "pubmedqa" / "questions.jsonl"
DOCUMENTS = 6
# What can be asked of every abstract, beside its own question.
COMMON = (
    "What was the aim of this study?",
    "How was the study carried out?",
    "Who or what was studied?",
    "What was measured, and how?",
    "What are the main results, with the numbers given?",
    "Summarise the study in three sentences for a busy reader.",
    "What do the results mean for practice?",
)

Chat = list[Message]


@dataclass(frozen=True, slots=True)
class Document:
    """An abstract and the question that its authors asked."""

    name: str
    text: str
    question: str

    def chat(self, question: str) -> Chat:
        """The prompt that redten makes of a question with this document as its only passage."""
        return messages_for(
            question, [Passage(document_id=1, text=self.text, source=self.name, page=1)], []
        )

    def chats(self, most: int) -> list[Chat]:
        """Its own question first, then those that suit any abstract."""
        return [self.chat(question) for question in (self.question, *COMMON)[:most]]


def documents(skip: int = 0) -> list[Document]:
    """All abstracts, beginning with number `skip`; those before it come last."""
    if not DATA.exists():
        raise SystemExit(f"the questions are not here: {DATA}")
    rows = [json.loads(line) for line in DATA.read_text().splitlines()]
    return [
        Document(f"{row['pubid']}.txt", "\n".join(row["contexts"]), row["question"])
        for row in rows[skip:] + rows[:skip]
    ]


def unique(found: Sequence[Document], count: int) -> list[Chat]:
    """Each question with an abstract of its own."""
    return [one.chat(one.question) for one in found[:count]]


def bursts(found: Sequence[Document], count: int) -> list[Chat]:
    """As many questions over six documents, all of a document together."""
    return list(chain.from_iterable(_grouped(found, count)))


def mixed(found: Sequence[Document], count: int) -> list[Chat]:
    """The same as `bursts`, document after document by turns."""
    return list(chain.from_iterable(zip(*_grouped(found, count), strict=True)))


def _grouped(found: Sequence[Document], count: int) -> list[list[Chat]]:
    return [one.chats(count // DOCUMENTS) for one in found[:DOCUMENTS]]


def uncached(prompts: Sequence[Sequence[int]]) -> int:
    """Tokens that have to be computed at least: what no earlier prompt began with."""
    total = 0
    for number, prompt in enumerate(prompts):
        known = max((_shared(prompt, earlier) for earlier in prompts[:number]), default=0)
        total += len(prompt) - known
    return total


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
