"""What ingestion costs beside the embedding itself, and the memory that a large file takes.

    make bench-ingestion

Annual reports and accident reports (PDF) lie in the blob store while the ingest worker is halted;
it is timed from when it goes on until the last chunk is committed. The peer is the embedder alone
in this process, on the texts of the very same chunks, all at once, with the same threads. Other
pages in every repetition. Memory: a file of 2,000 pages, the worker and its parsers together.
"""

import io
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import requests
from pypdf import PageObject, PdfReader, PdfWriter

from benchmarks.report import Figure, write
from benchmarks.scale import compared
from benchmarks.stack import Stack, use_database_of, wait_for
from local.processes import Kin

DATA = Path(__file__).resolve().parents[1].parent / "shared/data"
REPETITIONS, PAGES, FILE_PAGES, REPORTS = 3, 400, 40, 6
WARM, LOOK_S = 2, 0.2
LARGE_PAGES = 2000
LIMIT_S = 60.0
STORED = 3
COLLECTION = "embed-security"


def main() -> None:
    """Both, on a stack of their own; `--smoke` for a look at whether it runs."""
    smoke = "--smoke" in sys.argv
    if not DATA.is_dir():
        raise SystemExit(f"{DATA} is not there: this benchmark needs its PDFs")
    stack = Stack(Path(tempfile.mkdtemp(prefix="redten-bench-")) / "data")
    try:
        stack.start()
        use_database_of(stack)
        with stack.session() as session:
            figures = [_throughput(stack, session, 1 if smoke else REPETITIONS)]
            figures.append(_memory(stack, session, 100 if smoke else LARGE_PAGES))
    finally:
        stack.forget()
    if not smoke:
        write("ingestion", figures)


def _throughput(stack: Stack, session: requests.Session, repetitions: int) -> Figure:
    ratios, told = [], ""
    # Weights and parsers are loaded on both sides before anything is timed.
    _raw_rate(["some text"] * 64)
    await_stored(
        stack,
        session,
        [send(stack, session, path.name, path.read_bytes()) for path in _reports()[-WARM:]],
    )
    for number in range(repetitions):
        stack.pause("ingest", signal.SIGSTOP)
        files = list(_files(number))
        ids = [send(stack, session, name, data) for name, data in files]
        began = time.perf_counter()
        stack.pause("ingest", signal.SIGCONT)
        chunks = await_stored(stack, session, ids)
        seconds = time.perf_counter() - began
        texts = _embedded_texts(files)
        if len(texts) != chunks:
            raise SystemExit(f"{chunks} chunks are stored, and {len(texts)} cannot be the same")
        whole, raw = len(texts) / seconds, _raw_rate(texts)
        told = f"{whole:.1f} of {raw:.1f} chunks a second, {len(texts)} chunks of {len(ids)} files"
        print(f"  ingestion: {told}", flush=True)
        ratios.append(whole / raw)
    what = "ingestion end to end ÷ the embedder alone, chunks a second"
    return compared(what, ratios, ">= 0.9", f"the same chunks, embedded at once; {told}")


def _files(number: int) -> Iterator[tuple[str, bytes]]:
    """Pages that no other repetition has: of the filings in files of some, and whole reports."""
    first = number * PAGES
    yield from _joined(first, PAGES, FILE_PAGES)
    for path in _reports()[number * REPORTS : (number + 1) * REPORTS]:
        yield path.name, path.read_bytes()


def _reports() -> list[Path]:
    return sorted((DATA / "ntsb").glob("*.pdf"))


def _joined(first: int, count: int, each: int) -> Iterator[tuple[str, bytes]]:
    """So many pages of the filings, from the first one on, in files of `each` pages."""
    pages = _filing_pages()
    for _ in range(first):
        next(pages)
    for start in range(first, first + count, each):
        writer = PdfWriter()
        for _ in range(min(each, first + count - start)):
            writer.add_page(next(pages))
        file = io.BytesIO()
        writer.write(file)
        yield f"pages-{start + 1}-of-{each}.pdf", file.getvalue()


def _filing_pages() -> Iterator[PageObject]:
    """The pages of all filings one after the other, and again from the beginning."""
    paths = sorted((DATA / "financebench/pdfs").glob("*.pdf"))
    while paths:
        for path in paths:
            yield from PdfReader(path).pages


def send(
    stack: Stack, session: requests.Session, name: str, data: bytes, collection: str = COLLECTION
) -> int:
    """Sends a document to a collection; gives its id."""
    url = f"{stack.address}/collections/{collection}/documents"
    reply = session.post(url, params={"name": name}, data=data, timeout=LIMIT_S)
    reply.raise_for_status()
    number: int = reply.json()["id"]
    return number


def await_stored(stack: Stack, session: requests.Session, ids: list[int]) -> int:
    """Waits for the documents; gives the chunks that they have."""
    chunks = 0
    for number in ids:
        url = f"{stack.address}/documents/{number}"
        over = wait_for(session, url, lambda reply: reply.json()["state"] >= STORED, LOOK_S)
        if over["state"] != STORED:
            raise SystemExit(f"{over['name']} failed: {over['msg']}")
        chunks += over["chunks"]
    return chunks


def _embedded_texts(files: list[tuple[str, bytes]]) -> list[str]:
    """What the worker has embedded, made again in this process."""
    from engines.embedder import get_tokenizer
    from ingest.chunk import chunk, running_lines
    from ingest.load import Page, load
    from models.collection import Collection
    from models.session import session_scope
    from tasks.embed import embedded_text

    with session_scope(1) as session:
        recipe = session.query(Collection).filter_by(name=COLLECTION).one().recipe()
    size, overlap = recipe["chunk_tokens"], recipe["chunk_overlap"]
    offsets = get_tokenizer(recipe["embed_model_name"]).offsets
    texts: list[str] = []
    with tempfile.NamedTemporaryFile(prefix="redten-bench-") as place:
        for name, data in files:
            Path(place.name).write_bytes(data)
            pages = [one for one in load(Path(place.name), name) if isinstance(one, Page)]
            cut = chunk(pages, offsets, size, overlap, running_lines(pages))
            texts += [embedded_text(name, one) for one in cut]
    return texts


def _raw_rate(texts: list[str]) -> float:
    from engines.embedder import get_embedder

    began = time.perf_counter()
    get_embedder().embed(sorted(texts, key=len))
    return len(texts) / (time.perf_counter() - began)


def _memory(stack: Stack, session: requests.Session, pages: int) -> Figure:
    [(name, data)] = _joined(0, pages, pages)
    with _Peak(stack) as peak:
        before = peak.bytes
        await_stored(stack, session, [send(stack, session, name, data)])
    beside = f"{before / 2**20:.0f} MiB before, a file of {len(data) / 2**20:.0f} MiB"
    print(f"  memory: {peak.bytes / 2**20:.0f} MiB, {beside}", flush=True)
    return Figure(
        figure=f"peak memory of the ingest worker and its parsers, {pages} pages, MiB",
        value=round(peak.bytes / 2**20, 1),
        aim="bounded",
        peer=beside,
    )


class _Peak:
    """The most memory that the ingest worker and its children have held together."""

    def __init__(self, stack: Stack) -> None:
        kin = Kin.of(stack.layout).alive()
        [self.worker] = [one for one in kin if "ingest@" in " ".join(one.cmdline())]
        self.bytes = self._now()
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look)

    def __enter__(self) -> "_Peak":
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watch.join()

    def _look(self) -> None:
        while not self._over.wait(0.1):
            self.bytes = max(self.bytes, self._now())

    def _now(self) -> int:
        total = 0
        for process in (self.worker, *self.worker.children(recursive=True)):
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return total


if __name__ == "__main__":
    main()
