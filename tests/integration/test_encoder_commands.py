"""`redten weights`: encoders added from a folder and from a hub, listed, measured."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from local import encoder_files, weights_cli
from local.weights_cli import weights
from settings import settings
from tests.integration.hub import hub
from tests.unit.encoder_folders import (
    RERANKER,
    random_weights,
    write_encoder,
    write_pooling,
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty weights folder."""
    made = settings.model_copy(update={"weights_dir": tmp_path / "weights"})
    for module in (encoder_files, weights_cli):
        monkeypatch.setattr(module, "settings", made)
    return made.weights_dir


def redten(*words: object, fails: bool = False) -> str:
    """`redten weights`; gives what it prints, all of it with the exit code if it fails."""
    ended = CliRunner().invoke(weights, [str(word) for word in words])
    assert ended.exit_code == int(fails), (ended.output, ended.exception)
    return ended.output


def test_an_encoder_is_added_listed_and_measured_again(folder, tmp_path):
    source = write_encoder(tmp_path / "small", random_weights())
    judge = write_encoder(tmp_path / "judge", random_weights(), **RERANKER)

    added = redten("add", source, "--name", "someone/small-en", "--query-prompt", "query: ")
    redten("add", judge)
    measured = redten("measure", "someone/small-en")
    listed = json.loads(redten("list", "--json"))

    assert added.startswith("added someone/small-en, computed in ")
    assert measured.startswith("someone/small-en: computed in ")
    told = [(one["name"], one["kind"], one["query_prompt"]) for one in listed]
    assert told == [("judge", "reranker", ""), ("someone/small-en", "embedder", "query: ")]
    assert redten("list").splitlines()[1].split()[:3] == ["judge", "reranker", "1"]


def test_what_cannot_be_added_is_said_in_a_line(folder, tmp_path):
    source = write_encoder(tmp_path / "small", random_weights())
    redten("add", source)
    write_pooling(source, pooling_mode="lasttoken")

    assert "is there already: choose another --name" in redten("add", source, fails=True)
    assert "pools by lasttoken" in redten("add", source, "--name", "x", fails=True)
    assert "gone is no folder" in redten("add", "gone", fails=True)
    assert "of the form hf:OWNER/REPO" in redten("add", "hf:a/b/c", fails=True)
    assert [path.name for path in folder.iterdir()] == ["small"]


def fetch(folder: Path, address: str, repo: str) -> "subprocess.CompletedProcess[str]":
    """In a process of its own: the hub's address is read when its library is imported."""
    told = os.environ | {
        "HF_ENDPOINT": address,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "REDTEN_WEIGHTS_DIR": str(folder),
    }
    command = [sys.executable, "-m", "cli", "weights", "add", f"hf:{repo}"]
    return subprocess.run(command, env=told, capture_output=True, text=True, check=False)


def test_an_encoder_is_fetched_from_a_hub(folder, tmp_path):
    source = write_encoder(tmp_path / "source", random_weights())
    write_pooling(source, pooling_mode="cls")
    files = {
        f"/someone/small/resolve/main/{path.relative_to(source)}": path.read_bytes()
        for path in source.rglob("*")
        if path.is_file()
    }
    bare = {
        path.replace("small", "bare"): content
        for path, content in files.items()
        if "safetensors" not in path
    }
    with hub(files | bare) as address:
        added = fetch(folder, address, "someone/small")
        no_weights = fetch(folder, address, "someone/bare")
        no_repo = fetch(folder, address, "someone/gone")

    assert added.returncode == 0, added.stderr
    assert added.stdout.startswith("added someone/small, computed in ")
    facts = json.loads((folder / "small" / "encoder.json").read_text())
    assert (facts["name"], facts["pooling"]) == ("someone/small", "cls")
    assert (no_weights.returncode, no_repo.returncode) == (1, 1)
    assert "is a bert without onnx/model.onnx: export one" in no_weights.stderr
    assert "hf:someone/gone/config.json cannot be fetched" in no_repo.stderr
    assert [path.name for path in folder.iterdir()] == ["small"]
