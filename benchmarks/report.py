"""Figures on the terminal and in benchmarks/results/, with the machine that they were taken on."""

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

RESULTS = Path(__file__).parent / "results"


class Figure(TypedDict):
    """One number; `aim` is a comparison such as `<= 30`, `peer` what it is measured against."""

    figure: str
    value: float
    aim: str
    peer: str


def write(name: str, figures: list[Figure]) -> None:
    """Prints the figures and writes them down as measured, aims missed included."""
    for one in figures:
        print(f"{one['value']:>12.3f}  {one['figure']}  (aim {one['aim']}; beside {one['peer']})")
    told = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": _git("rev-parse", "--short", "HEAD"),
        "machine": f"{os.cpu_count()} cores, {_processor()}, {platform.system()}",
        "figures": figures,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    print(f"written to {path}")


def _git(*words: str) -> str:
    told = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
    return told.stdout.strip() or "unknown"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
