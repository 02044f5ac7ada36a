"""The peer of the embedding benchmark; runs in a virtual environment that has torch.

    python torch_embedding.py MODEL_FOLDER THREADS < texts.json

Embeds the texts by sentence-transformers in its best batch size, which it finds first; it sorts
them by length itself. Prints the batch size and the seconds for all texts.
"""

import json
import sys
import time

import torch
from sentence_transformers import SentenceTransformer

SIZES = (8, 16, 32, 64, 128)
SAMPLE, ROUNDS = 128, 2


def main(folder: str, threads: int) -> None:
    """Reads texts from standard input, and prints JSON on standard output."""
    torch.set_num_threads(threads)
    model = SentenceTransformer(folder, device="cpu")
    texts = json.load(sys.stdin)
    sample = texts[:SAMPLE]
    model.encode(sample, batch_size=SIZES[0])
    tried = {
        size: min(_seconds(model, sample, size) for _ in range(ROUNDS))
        for size in SIZES
        if size <= len(sample)
    }
    best = min(tried, key=tried.__getitem__)
    print(json.dumps({"batch": best, "seconds": _seconds(model, texts, best)}))


def _seconds(model: SentenceTransformer, texts: list[str], size: int) -> float:
    began = time.perf_counter()
    model.encode(texts, batch_size=size, show_progress_bar=False, normalize_embeddings=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
