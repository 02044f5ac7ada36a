"""Embedding in 8 bits: how much faster than torch, and what is lost.

    make bench-embedding

Rates: PubMedQA's abstracts, up to 1,000 characters each, by sentence-transformers on torch and by
our engine in either precision, in turn, each in a process of its own. Loss: PubMedQA's questions to
their own abstracts, and FinanceBench's to the pages of its filings, by plain cosine.
"""

import json
import multiprocessing
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import torch_peer
from benchmarks.report import Figure, write
from benchmarks.scale import compared
from engines.embedder import Embedder, Vectors
from engines.encoder_facts import Precision, find
from ingest.load import load
from ingest.load.page import Page
from settings import settings

DATA = Path(__file__).resolve().parents[1].parent / "shared/data"
REPETITIONS, TEXTS, LENGTH = 5, 256, 1000
CHUNK, STEP, FIRST = 1000, 800, 5
THREADS = settings.threads or os.cpu_count() or 1
TORCH = "sentence-transformers on torch, its best batch size"


class Passage(NamedTuple):
    """A chunk of a page; pages count from 1."""

    document: str
    page: int
    text: str


def main() -> None:
    """Rates in turn, then the loss on both sets of questions."""
    if not DATA.exists():
        raise SystemExit(f"{DATA} is not there: this benchmark needs PubMedQA and FinanceBench")
    write("embedding", [*rates(REPETITIONS, TEXTS), *pubmedqa(), *financebench()])


def rates(repetitions: int, count: int) -> Iterator[Figure]:
    """Texts a second, ours through torch's of the same repetition."""
    texts = [abstract[:LENGTH] for _, abstract in abstracts()][:count]
    ratios = defaultdict(list)
    for number in range(repetitions):
        peer = torch_peer.embed(texts, THREADS)
        took = {one: _apart(one, texts) for one in ("float32", "int8")}
        told = ", ".join(f"{one} {count / seconds:.1f}" for one, seconds in took.items())
        torch = f"torch {count / peer.seconds:.1f} in batches of {peer.batch}"
        print(f"  {number + 1}: texts a second: {torch}, {told}", flush=True)
        for one, seconds in took.items():
            ratios[one].append(peer.seconds / seconds)
    for one, aim in (("int8", ">= 2.0"), ("float32", ">= 1.0")):
        yield compared(f"texts a second, {one} ÷ torch", ratios[one], aim, TORCH)


def pubmedqa() -> Iterator[Figure]:
    """For how many questions their own abstract is the nearest of all, in points."""
    rows = list(abstracts())
    questions, texts = zip(*rows, strict=True)
    asked = {one: _vectors(one, questions) for one in ("float32", "int8")}
    stored = {one: _vectors(one, texts) for one in ("float32", "int8")}

    def first(asking: str, storing: str) -> float:
        nearest = np.argmax(asked[asking] @ stored[storing].T, axis=1)
        return float(100 * np.mean(nearest == np.arange(len(rows))))

    exact = first("float32", "float32")
    told = f"float32 throughout, {exact:.1f} of 100"
    for asking, storing in (("int8", "int8"), ("int8", "float32")):
        yield Figure(
            figure=f"PubMedQA, own abstract first of {len(rows)}: points lost with questions in"
            f" {asking} and abstracts in {storing}",
            value=round(exact - first(asking, storing), 2),
            aim="<= 1",
            peer=told,
        )


def financebench() -> Iterator[Figure]:
    """For how many questions the gold page is among those of the nearest five chunks."""
    lines = (DATA / "financebench" / "questions.jsonl").read_text().splitlines()
    questions = [json.loads(line) for line in lines]
    passages = list(filings())
    found = {one: _hits(one, questions, passages) for one in ("float32", "int8")}
    yield Figure(
        figure=f"FinanceBench, gold page among the first {FIRST} of {len(passages)} chunks: of"
        f" {len(questions)} questions, lost by int8",
        value=found["float32"] - found["int8"],
        aim="<= 1",
        peer=f"float32 throughout, {found['float32']} found",
    )


def abstracts() -> Iterator[tuple[str, str]]:
    """PubMedQA's questions, each with its abstract."""
    for line in (DATA / "pubmedqa" / "questions.jsonl").read_text().splitlines():
        row = json.loads(line)
        yield row["question"], " ".join(row["contexts"])


def filings() -> Iterator[Passage]:
    """Chunks of 1,000 characters, of which neighbours share 200."""
    for path in sorted((DATA / "financebench" / "pdfs").glob("*.pdf")):
        for page in load(path, path.name):
            if isinstance(page, Page):
                for start in range(0, max(1, len(page.text) - CHUNK + STEP), STEP):
                    text = page.text[start : start + CHUNK]
                    yield Passage(path.stem, page.number, text)


def _hits(
    precision: Precision, questions: Sequence[dict[str, Any]], passages: Sequence[Passage]
) -> int:
    stored = _vectors(precision, [one.text for one in passages])
    asked = _vectors(precision, [one["question"] for one in questions])
    hits = 0
    for question, scores in zip(questions, asked @ stored.T, strict=True):
        nearest = [passages[number] for number in np.argsort(-scores, kind="stable")[:FIRST]]
        gold = {(one["doc_name"], one["page_index"] + 1) for one in question["evidence"]}
        hits += bool(gold & {(one.document, one.page) for one in nearest})
    return hits


def _vectors(precision: Precision, texts: Sequence[str]) -> Vectors:
    return _embedder(precision).embed(texts)


def _embedder(precision: Precision) -> Embedder:
    folder, facts = find(settings.weights_dir, settings.embed_model, "embedder")
    return Embedder(folder, facts, precision)


def _apart(precision: Precision, texts: Sequence[str]) -> float:
    """The seconds for all texts, in a process of its own that has embedded some of them before."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as apart:
        return apart.submit(_seconds, precision, texts).result()


def _seconds(precision: Precision, texts: Sequence[str]) -> float:
    embedder = _embedder(precision)
    embedder.embed(texts[: len(texts) // 4])
    began = time.perf_counter()
    embedder.embed(texts)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
