"""Which precision an encoder computes in on this machine: measured once, when it is installed."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np

from engines.embedder import Embedder
from engines.encoder import Encoder
from engines.encoder_facts import GRAPHS, TOKENIZER, Facts, Precision
from engines.tokens import Cutter

ROUNDS = 3
# 8 bits have to be worth it, and near enough to float32 for the same passages to be found:
# docs/adr/0005-int8-embedding.md has what is lost at the cosines that were seen.
FASTER, LEAST_COSINE = 1.1, 0.99
SENTENCES = (
    "The lighthouse stands on a skerry two miles off the coast and was first lit in 1861.",
    "Its lamp burned colza oil, then paraffin, and since 1978 it has run on electricity alone.",
    "Revenue rose by 4.2 % to $1,577 million, mainly because more ships paid the harbour dues.",
    "What is the range of the fog signal in calm weather, and who is called if it fails?",
    "Patients were seen again after six months; 86 of 106 (81 %) had no further complaint.",
    "The pilot reported a loss of engine power shortly after take-off and landed in a field.",
    "Under the agreement the lessee bears the cost of repairs, except those named in schedule B.",
    "A keeper trims the wick every four hours, winds the clockwork and notes the visibility.",
)
# From one sentence to all eight, each beginning elsewhere.
PROBE = tuple(
    " ".join((SENTENCES * 2)[start : start + count]) for count in (1, 4, 6, 8) for start in range(8)
)


def measured(folder: Path, facts: Facts) -> Facts:
    """The facts with dimensions, rates, cosine and the precision to use here.

    Both graphs lie in `folder`. A few seconds; the best of three rounds counts, in turn, so that
    what else the machine does matters little.
    """
    facts = replace(facts, dimensions=_dimensions(folder, facts))
    precisions: Sequence[Precision] = get_args(Precision)
    embedders = {one: Embedder(folder, facts, one) for one in precisions}
    vectors = {one: embedder.embed(PROBE) for one, embedder in embedders.items()}
    seconds = dict.fromkeys(precisions, np.inf)
    for _ in range(ROUNDS):
        for one, embedder in embedders.items():
            began = time.perf_counter()
            embedder.embed(PROBE)
            seconds[one] = min(seconds[one], time.perf_counter() - began)
    rates = {one: round(len(PROBE) / took, 1) for one, took in seconds.items()}
    cosine = float(np.sum(vectors["float32"] * vectors["int8"], axis=1).mean())
    return replace(facts, rates=rates, cosine=round(cosine, 4), precision=better(rates, cosine))


def better(rates: dict[Precision, float], cosine: float) -> Precision:
    """int8 where it is faster, and its vectors are near those of float32."""
    is_faster = rates["int8"] >= FASTER * rates["float32"]
    return "int8" if is_faster and cosine >= LEAST_COSINE else "float32"


def _dimensions(folder: Path, facts: Facts) -> int:
    """What the graph gives, whatever its configuration says."""
    cutter = Cutter(folder / TOKENIZER, facts.max_seq_length)
    given, _ = Encoder(folder / GRAPHS["float32"]).run(cutter.ids(PROBE[:1]))
    return int(given.shape[-1])
