"""`redten worker` on a machine of its own, started from any folder."""

import subprocess
import sys
from pathlib import Path

import pytest

from settings import inherited_environment
from tasks import broker
from tests.integration.processes import program, until

REDTEN = (sys.executable, "-P", "-m", "cli")


@pytest.mark.usefixtures("db")
def test_a_worker_runs_its_own_modules_whatever_lies_in_the_folder(tmp_path: Path) -> None:
    for name in ("settings", "celeryconfig", "tasks"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('not ours')")

    with program(*REDTEN, "worker", "sweep", cwd=tmp_path, stderr=subprocess.DEVNULL) as worker:
        until(lambda: "sweep" not in broker.queues_without_worker() or worker.poll())

        assert worker.poll() is None


def test_a_worker_without_services_says_what_to_set() -> None:
    told = inherited_environment() | {"REDIS_URL": "", "REDTEN_BLOBS": ""}

    ended = subprocess.run(
        [*REDTEN, "worker", "ingest"], env=told, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 1
    assert (
        ended.stderr == "redten: a worker needs REDIS_URL, REDTEN_BLOBS: the same as the API has\n"
    )
