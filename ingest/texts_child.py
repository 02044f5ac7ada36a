"""A process like ingest/load/child.py that reads files of texts: each text comes as a page.

python -m ingest.texts_child MEMORY_BYTES COLUMN FOLDER
"""

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ingest.load.child import serve
from ingest.load.page import Page
from ingest.load.wire import frame, item_frame
from ingest.texts import texts


def read(column: str, request: dict[str, Any]) -> Iterator[bytes]:
    """The texts of a file as frames, numbered by their rows. Raises LoadError."""
    yield frame({"kind": "texts", "pages": 0})
    for row, text in texts(Path(request["path"]), request["name"], column):
        yield item_frame(Page(row, text, {}))


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[3]), partial(read, sys.argv[2]))
