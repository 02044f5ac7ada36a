"""llama.cpp's own programs, of the commit that llama-cpp-python carries, built once."""

import json
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import requests

from benchmarks.stack import free_port

PEERS = Path(__file__).resolve().parent.parent / ".peers"
SERVER, BENCH = "llama-server", "llama-batched-bench"
OFF = (
    "BUILD_SHARED_LIBS",
    "LLAMA_CURL",
    "LLAMA_OPENSSL",
    "LLAMA_BUILD_TESTS",
    "LLAMA_BUILD_EXAMPLES",
    "LLAMA_BUILD_UI",
)
SERVER_CELLS = 8192
START_LIMIT_S = 60.0
ALONGSIDE = (8, 16, 32)  # sequences of llama-batched-bench


class Rates(NamedTuple):
    """Tokens a second: prompts (the median of the runs) and answers (the best of them)."""

    prefill: float
    decode: float


def program(name: str) -> Path:
    """The path of a program, which is built if it is not there yet."""
    home = PEERS / f"llama-cpp-python-{version('llama-cpp-python')}"
    if not (home / name).exists():
        _build(home)
    return home / name


def _build(home: Path) -> None:
    """Fetches the sources that the installed package was made of, and compiles two programs."""
    print(f"building {SERVER} and {BENCH} into {home}; a few minutes, once", flush=True)
    work = home.with_suffix(".part")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    options = [f"-D{name}=OFF" for name in OFF] + ["-DCMAKE_BUILD_TYPE=Release"]
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    build = ["cmake", "--build", "build", "--parallel", "--target", SERVER, BENCH]
    # As pip compiles llama-cpp-python: for the processor at hand.
    options += ["-DGGML_NATIVE=ON", "-S", str(_sources(work)), "-B", "build"]
    subprocess.run(["cmake", *generator, *options], cwd=work, check=True)
    subprocess.run(build, cwd=work, check=True)
    home.mkdir(exist_ok=True)
    for name in (SERVER, BENCH):
        shutil.move(work / "build" / "bin" / name, home / name)
    shutil.rmtree(work)


def _sources(work: Path) -> Path:
    """llama.cpp within the source distribution of llama-cpp-python."""
    package = "llama-cpp-python"
    wanted = ["--no-binary", package, f"{package}=={version(package)}"]
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(work)]
    subprocess.run([*pip, *wanted], check=True)
    [archive] = work.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(work, filter="data")
    [sources] = work.glob("*/vendor/llama.cpp")
    return sources


@contextmanager
def running_server(weights: Path, threads: int, slots: int) -> Iterator[str]:
    """A fresh llama-server with its caches on; gives its address once it answers."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    where = ["--host", "127.0.0.1", "--port", str(port)]
    shape = ["-np", str(slots), "-c", str(SERVER_CELLS), "-fit", "off"]
    command = [str(program(SERVER)), "-m", str(weights), *_threads(threads), *shape, *where]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=quiet, stderr=quiet)
    try:
        _wait(process, address)
        yield address
    finally:
        process.terminate()
        process.wait()


def _threads(count: int) -> list[str]:
    return ["-t", str(count), "-tb", str(count)]


def _wait(process: subprocess.Popen[bytes], address: str) -> None:
    limit = time.monotonic() + START_LIMIT_S
    with requests.Session() as session:
        session.trust_env = False
        while process.poll() is None and time.monotonic() < limit:
            try:
                if session.get(f"{address}/health", timeout=5).ok:
                    return
            except requests.ConnectionError:
                pass  # it does not listen yet
            time.sleep(0.05)
    raise SystemExit(f"{SERVER} did not start")


def rates(weights: Path, threads: int, prompt: int, answer: int) -> Rates:
    """What llama-batched-bench reaches with prompts and answers of so many tokens.

    Each prompt is computed once and shared by all sequences, once in a cache for all of them and
    once in one that has a part for each.
    """
    rows = [*_rows(weights, threads, prompt, answer, "-kvu")]
    rows += _rows(weights, threads, prompt, answer, "-no-kvu")
    prefill = sorted(row["speed_pp"] for row in rows)
    return Rates(prefill[len(prefill) // 2], max(row["speed_tg"] for row in rows))


def _rows(
    weights: Path, threads: int, prompt: int, answer: int, cache: str
) -> Iterator[dict[str, float]]:
    cells = max(ALONGSIDE) * (prompt + answer + 1)
    lengths = ["-npp", str(prompt), "-ntg", str(answer), "-npl", ",".join(map(str, ALONGSIDE))]
    how = ["-pps", cache, "-c", str(cells), "-fa", "on", "--output-format", "jsonl"]
    command = [str(program(BENCH)), "-m", str(weights), *_threads(threads), *lengths, *how]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    for line in (ended.stdout + ended.stderr).splitlines():
        if line.startswith('{"n_kv_max"'):
            yield json.loads(line)
