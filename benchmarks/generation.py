"""The generation engine beside llama-server, `Llama` and what llama.cpp could do at best.

    make bench-generation

    python -m benchmarks.generation --only bursts --repetitions 2

The same Q8_0 file, two threads and the same prompts for all, eight clients, every repetition
cold and interleaved. Figures are medians of the repetitions' ratios. With options that make it
less than the whole, nothing is written down. The first run compiles llama-server.
"""

import importlib
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from benchmarks.report import Figure, write
from benchmarks.scale import Scale

ALL = Scale()
# The last one leaves threads of OpenMP behind, which would slow the others down.
PARTS = ("first_token", "bursts", "mixed", "unique", "whole_stack", "logits")
RACES = ("bursts", "mixed", "unique")


@click.command()
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="Just this part, or these.")
@click.option("--repetitions", default=ALL.repetitions, show_default=True)
@click.option(
    "--questions",
    type=click.IntRange(6, 48),
    default=ALL.questions,
    show_default=True,
    help="In a repetition; a multiple of 6.",
)
@click.option("--skip", default=0, help="Abstracts to leave out, to ask other questions.")
def main(only: tuple[str, ...], repetitions: int, questions: int, skip: int) -> None:
    """Measure the engine; write benchmarks/results/generation.json if nothing is left out."""
    scale = Scale(repetitions, questions, ALL.tokens, skip)
    with tempfile.TemporaryDirectory(prefix="redten-bench-") as folder:
        _settle(Path(folder) / "prefixes")
        parts = [_part(name) for name in only or PARTS]
        figures: list[Figure] = []
        for part in parts:
            figures += part(scale)
            # After each part: half an hour's work is not to be lost to what comes after it.
            if not only and scale == ALL:
                write("generation", figures)
    if only or scale != ALL:
        for one in figures:
            print(f"{one['value']:>12.4f}  {one['figure']}  (aim {one['aim']}; {one['peer']})")


def _settle(prefixes: Path) -> None:
    """Before anything reads the settings: what all sides have in common, and a folder of ours."""
    if "settings" in sys.modules:
        raise SystemExit("the settings have been read already")
    os.environ["REDTEN_THREADS"] = "2"
    # As `redten up` tells its workers: idle threads leave the cores to others.
    os.environ["GOMP_SPINCOUNT"] = "300"
    os.environ["REDTEN_PREFIX_DIR"] = str(prefixes)
    importlib.import_module("settings")


def _part(name: str) -> Callable[[Scale], list[Figure]]:
    """Imported now, as it reads the settings."""
    if name in RACES:
        return partial(importlib.import_module("benchmarks.races").figures, name=name)
    figures: Callable[[Scale], list[Figure]] = importlib.import_module(f"benchmarks.{name}").figures
    return figures


if __name__ == "__main__":
    main()
