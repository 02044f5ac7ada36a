"""The text of PDF pages, beside pypdf.

    make bench-pdf

Every fifth page of FinanceBench's filings, the files opened anew each time: through the door that
the ingest worker uses, and by pypdf's `extract_text`, in turn.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path

import pypdf

from benchmarks.report import write
from benchmarks.scale import compared
from ingest.load import Page, load

FILINGS = Path(__file__).resolve().parents[2] / "shared/data/financebench/pdfs"
REPETITIONS, EVERY = 5, 5

Read = Callable[[Path], tuple[int, float]]


def main() -> None:
    """Pages a second, ours through pypdf's of the same repetition."""
    paths = sorted(FILINGS.glob("*.pdf"))
    if not paths:
        raise SystemExit(f"{FILINGS} is not there: this benchmark needs FinanceBench's filings")
    # It has something to say of fonts on almost every page.
    logging.getLogger("pypdf").setLevel(logging.ERROR)
    ratios = []
    for number in range(1, REPETITIONS + 1):
        ours, peer = (_rate(read, paths) for read in (_loaded, _pypdf))
        print(f"  {number}: pages a second: ours {ours:.1f}, pypdf {peer:.1f}", flush=True)
        ratios.append(ours / peer)
    pages = sum(len(range(0, len(pypdf.PdfReader(path).pages), EVERY)) for path in paths)
    told = f"pypdf {pypdf.__version__} on the same {pages} pages of {len(paths)} filings"
    write("pdf", [compared("PDF text, pages a second ÷ pypdf", ratios, ">= 8", told)])


def _rate(read: Read, paths: list[Path]) -> float:
    read_in = [read(path) for path in paths]
    return sum(pages for pages, _ in read_in) / sum(seconds for _, seconds in read_in)


def _loaded(path: Path) -> tuple[int, float]:
    """Sampled pages and their seconds; the others are read too, but not counted."""
    pages, seconds, began = 0, 0.0, time.perf_counter()
    for item in load(path, path.name):
        if not isinstance(item, Page) or item.number % EVERY == 1:
            seconds += time.perf_counter() - began
            pages += isinstance(item, Page)
        began = time.perf_counter()
    return pages, seconds


def _pypdf(path: Path) -> tuple[int, float]:
    began = time.perf_counter()
    reader = pypdf.PdfReader(path)
    sampled = range(0, len(reader.pages), EVERY)
    for index in sampled:
        reader.pages[index].extract_text()
    return len(sampled), time.perf_counter() - began


if __name__ == "__main__":
    main()
