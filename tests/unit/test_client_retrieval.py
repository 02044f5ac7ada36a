"""The commands that find passages, and that have texts embedded."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli import main
from tests.unit.client_stub import Stub

PASSAGE = {
    "id": 1,
    "document_id": 2,
    "collection": "rocks",
    "source": "gull.pdf",
    "page": 3,
    "heading": "Facts",
    "text": "The tower is 31 metres high.",
    "score": 0.4,
    "scores": {"cosine": 0.8123, "words": 1.0, "about": 0.0, "relevance": None},
    "snippet": {"text": "tower is\n31 metres", "start": 4, "highlights": [[0, 5]]},
    "locator": {"page": 3},
    "neighbours": [],
}
FILE = {"id": 4, "name": "a.csv", "state": 1, "model": "m", "progress": [0, 0]}
DONE = FILE | {"state": 3, "progress": [2, 2]}


@pytest.fixture
def stub() -> Stub:
    stub = Stub()
    stub.on("POST", "/retrieve", (200, {"passages": [PASSAGE], "seconds": 0.1}))
    stub.on("POST", "/embed/files", (202, FILE))
    stub.on("GET", "/embed/files/4", (200, FILE), (200, DONE))
    stub.on("GET", "/embed/files/4/vectors", (200, b"PAR1"))
    stub.on("DELETE", "/embed/files/4", (200, {"id": 4}))
    return stub


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    made = tmp_path / "a.csv"
    made.write_text("text\na\nb\n")
    return made


def run(stub: Stub, *args: Any) -> Result:
    return CliRunner().invoke(main, [str(one) for one in args], obj=stub.client())


def test_passages_are_shown_with_their_place_and_snippet(stub):
    result = run(stub, "retrieve", "how high?", "-c", "rocks", "-c", "7", "--k", "3", "--rerank")

    assert result.exit_code == 0, result.output
    assert result.stdout == "0.81  gull.pdf, page 3, Facts\n      tower is 31 metres\n"
    [body] = stub.asked("POST", "/retrieve")
    assert body["collections"] == ["rocks", "7"]
    assert (body["question"], body["k"], body["mode"]) == ("how high?", 3, "hybrid")
    assert (body["rerank"], body["filters"]) == (True, {})


def test_passages_are_records_as_json(stub):
    [told] = json.loads(run(stub, "retrieve", "how high?", "--json").stdout)
    assert (told["text"], told["snippet"]["highlights"]) == (PASSAGE["text"], [[0, 5]])


def test_nothing_found_is_said(stub):
    stub.on("POST", "/retrieve", (200, {"passages": [], "seconds": 0.1}))
    assert run(stub, "retrieve", "how high?").stdout == "nothing found\n"


@pytest.mark.parametrize(
    ("told", "filters"),
    [
        (["name=*.md", "name=a=b"], {"names": ["*.md", "a=b"]}),
        (
            ["tag=x", "kind=pdf", "document=3"],
            {"tags": ["x"], "kinds": ["pdf"], "documents": ["3"]},
        ),
        (
            ["from=2021-01-01", "to=2022-01-01"],
            {"dated_from": "2021-01-01", "dated_to": "2022-01-01"},
        ),
        (["pages=3"], {"pages": ["3", "3"]}),
        (["pages=3-"], {"pages": ["3", None]}),
        (["pages=-9"], {"pages": [None, "9"]}),
        (["meta.region=North", "meta.region=7"], {"meta": {"region": ["North", "7"]}}),
    ],
)
def test_filters_are_sent_as_the_server_knows_them(stub, told, filters):
    options = [word for one in told for word in ("--filter", one)]
    assert run(stub, "retrieve", "how high?", *options).exit_code == 0
    assert stub.asked("POST", "/retrieve")[0]["filters"] == filters


@pytest.mark.parametrize("told", ["colour=red", "name", "name="])
def test_a_filter_that_says_nothing_is_refused(stub, told):
    result = run(stub, "retrieve", "how high?", "--filter", told)
    assert result.exit_code == 2
    assert told.partition("=")[0] in result.stderr


def test_a_file_is_embedded_and_leaves_nothing_on_the_server(stub, csv, tmp_path):
    out = tmp_path / "a.parquet"

    result = run(stub, "embed", csv, "--out", out, "--column", "text", "--kind", "query")

    assert (result.exit_code, result.stdout) == (0, f"{out}: 2 vectors by m\n"), result.output
    assert out.read_bytes() == b"PAR1"
    [sent] = [one for one in stub.requests if one.method == "POST" and "embed" in str(one.url)]
    assert str(sent.url).endswith("/embed/files?name=a.csv&column=text&kind=query")
    assert csv.read_bytes() in stub.bodies
    assert stub.routes[-1] == "DELETE /embed/files/4"


def test_a_file_that_fails_says_why_and_leaves_nothing(stub, csv, tmp_path):
    failed = FILE | {"state": 4, "code": "unknown_column", "msg": "which column holds the texts?"}
    stub.on("GET", "/embed/files/4", (200, failed))

    result = run(stub, "embed", csv, "--out", tmp_path / "a.parquet")

    assert (result.exit_code, result.stderr) == (
        1,
        "redten: a.csv: which column holds the texts?\n",
    )
    assert stub.routes[-1] == "DELETE /embed/files/4"
    assert list(tmp_path.iterdir()) == [csv]


def test_texts_are_embedded_from_python(stub):
    reply = {"model": "m", "dimensions": 2, "vectors": [[0.6, 0.8]], "tokens": 3}
    stub.on("POST", "/embed", (200, reply))
    made = stub.client().embeddings.embed(["a"], kind="query")
    assert (made.vectors, made.tokens) == ([[0.6, 0.8]], 3)
    assert stub.asked("POST", "/embed") == [{"texts": ["a"], "model": None, "kind": "query"}]
