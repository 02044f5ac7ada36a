"""Damaged files of every format through their readers, for as long as is wanted: `make fuzz`.

    python -m tests.fuzz.loaders SECONDS

A reader may read the file or refuse it; one that takes too long or too much memory is ended at the
limit, and its file is kept to be looked into. One that crashes, or outlives its limit, fails the
run.
"""

import hashlib
import json
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings

from ingest.load.page import LoadError
from tasks.parsing import COMMAND, Parsers
from tests.fuzz.damage import damaged

LIMIT_S = 20.0
MEMORY_BYTES = 1 << 30
LATE_S = 5.0
AT_LIMIT = {"parse_timeout", "parse_memory"}
DEFECTS = {"parse_crashed", "outlived"}
ROUND = 500


@dataclass
class Tally:
    """What became of the files, by code; `kept` are those whose reader had to be ended."""

    folder: Path
    outcomes: Counter[str] = field(default_factory=Counter)
    kept: list[str] = field(default_factory=list)

    def take(self, parsers: Parsers, name: str, content: bytes) -> str:
        """Has a file read, and writes down how that ended."""
        path = self.folder / "file"
        path.write_bytes(content)
        began = time.monotonic()
        code = outcome(parsers, path, name)
        if time.monotonic() - began > LIMIT_S + LATE_S:
            code = "outlived"
        self.outcomes[code] += 1
        if code in AT_LIMIT | DEFECTS:
            digest = hashlib.sha256(content).hexdigest()[:12]
            kept = path.replace(self.folder / f"{code}-{digest}-{name}")
            self.kept.append(str(kept))
        return code


def outcome(parsers: Parsers, path: Path, name: str) -> str:
    """`read`, or the code of the refusal."""
    try:
        with parsers.reading(path, name, lambda: None, 1) as reading:
            for _ in reading.items:
                pass
    except LoadError as error:
        return error.code
    return "read"


def fuzz(seconds: float) -> Tally:
    """Tries files until the time is over."""
    deadline = time.monotonic() + seconds
    tally = Tally(Path(tempfile.mkdtemp(prefix="redten-fuzz-")))
    parsers = Parsers([*COMMAND[:-1], str(MEMORY_BYTES)], limit_s=LIMIT_S)

    @settings(
        max_examples=ROUND,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(damaged())
    def attempt(file: tuple[str, bytes]) -> None:
        if time.monotonic() < deadline:
            tally.take(parsers, *file)

    while time.monotonic() < deadline:
        attempt()
    parsers.close()
    return tally


def main(seconds: float) -> int:
    """Prints what was found; 1 if there were defects."""
    tally = fuzz(seconds)
    tried, lost = tally.outcomes.total(), sum(tally.outcomes[code] for code in DEFECTS)
    found = {"tried": tried, "survived": tried - lost, "outcomes": tally.outcomes}
    print(json.dumps(found | {"kept": tally.kept}, indent=2))
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
