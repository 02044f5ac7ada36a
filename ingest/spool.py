"""Texts on disk between reading and embedding them: counted, and never all in memory."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from ingest.load.page import LoadError


def spool(found: Iterable[tuple[int, str]], path: Path, most: int) -> int:
    """Writes [row, text] a line and gives their count; LoadError if there are none, or too many."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for row, text in found:
            count += 1
            if count > most:
                raise LoadError("too_many_texts", f"the file holds more than {most:,} texts")
            file.write(json.dumps([row, text]) + "\n")
    if not count:
        raise LoadError("empty_document", "the file holds no texts")
    return count


def read_spool(path: Path) -> Iterator[tuple[int, str]]:
    """What `spool` wrote."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            row, text = json.loads(line)
            yield row, text
