"""How far many files are, as one bar a stage."""

import shutil
from collections.abc import Mapping
from functools import partial
from types import TracebackType
from typing import Self, TextIO

from tqdm import tqdm

from client.collection_records import Document
from client.transfer import Outcome

UPLOAD = "upload"
STAGES = ("load", "chunk", "embed", "store")


class Bars:
    """Bars over all files; nothing at all where `stream` is no terminal.

    `sizes` are the bytes to upload by file name. The other totals grow as they become known.
    """

    def __init__(self, sizes: Mapping[str, int], stream: TextIO) -> None:
        # tqdm draws nothing on a terminal that says it has no size; shutil then says 80 x 24.
        columns, lines = shutil.get_terminal_size()
        bar = partial(
            tqdm, miniters=1, file=stream, disable=None, ncols=columns - 1, nrows=lines - 1
        )
        size = sum(sizes.values())
        self._bars = {UPLOAD: bar(desc=f"{UPLOAD:6}", total=size, unit="B", unit_scale=True)}
        for stage in STAGES:
            self._bars[stage] = bar(desc=f"{stage:6}", total=0)
        self._counted: dict[tuple[str, str | int], tuple[int, int]] = {
            (UPLOAD, name): (0, size) for name, size in sizes.items()
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for bar in self._bars.values():
            bar.close()

    def sent(self, name: str, sent_bytes: int) -> None:
        """That much of the file has gone; less than before when it is sent again."""
        _, size = self._counted[UPLOAD, name]
        self._count(UPLOAD, name, sent_bytes, size)

    def seen(self, document: Document) -> None:
        """The document has come this far."""
        for stage in STAGES:
            done, total = document.stages.get(stage, (0, 0))
            self._count(stage, document.id, done, max(done, total))

    def settled(self, outcome: Outcome) -> None:
        """Nothing more is to come of this file, so that its bars may fill."""
        keys: list[tuple[str, str | int]] = [(UPLOAD, outcome.name)]
        keys += [(stage, outcome.document.id) for stage in STAGES if outcome.document]
        for stage, key in keys:
            done, _ = self._counted.get((stage, key), (0, 0))
            self._count(stage, key, done, done)

    def _count(self, stage: str, key: str | int, done: int, total: int) -> None:
        done_before, total_before = self._counted.get((stage, key), (0, 0))
        self._counted[stage, key] = (done, total)
        bar = self._bars[stage]
        bar.total = (bar.total or 0) + total - total_before
        bar.update(done - done_before)
