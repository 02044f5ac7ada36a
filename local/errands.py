"""Commands of ours that run once during the start, each in a process of its own."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from local.errors import LocalError
from local.layout import Layout
from local.logs import end_of
from local.waiting import Patience

LIMIT_S = 600.0


class Errand:
    """`redten COMMAND`, begun at once; its output goes to `logs/COMMAND.log`."""

    def __init__(self, layout: Layout, command: Sequence[str], environment: dict[str, str]) -> None:
        self._log: Path = layout.logs / f"{command[0]}.log"
        with self._log.open("wb") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "cli", *command],
                cwd=layout.run,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def finish(self, patience: Patience, what: str) -> None:
        """Waits for its end; raises LocalError with its last words if that is late or a failure."""
        try:
            patience.until(lambda: self._child.poll() is not None, what, LIMIT_S)
        except TimeoutError as exc:
            raise LocalError(f"{exc}; {end_of(self._log)}") from exc
        if self._child.returncode != 0:
            raise LocalError(f"{what} failed; {end_of(self._log)}")
