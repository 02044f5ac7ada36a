"""Retrieval and embedding as services, over HTTPS and by our own commands."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest

from tests.system.commands import redten, redten_json
from tests.system.jobs import PUBLIC
from tests.system.people import Person

QUESTION = "How high is the tower of Gull Rock?"
HANDBOOK = "lighthouse-handbook.pdf"


@pytest.mark.usefixtures("examples")
def test_a_question_finds_the_page_that_answers_it(person: Person) -> None:
    narrowed = ("-c", PUBLIC, "--filter", f"name=*{HANDBOOK}", "--k", "3", "--neighbours", "1")
    found = redten_json(person, "retrieve", QUESTION, *narrowed)

    assert (HANDBOOK, 2) in {(Path(one["source"]).name, one["page"]) for one in found}
    assert {Path(one["source"]).name for one in found} == {HANDBOOK}
    best = found[0]
    assert best["text"][best["snippet"]["start"] :].startswith(best["snippet"]["text"])
    shown = redten(person, "retrieve", QUESTION, "-c", PUBLIC)
    assert HANDBOOK in shown.stdout, shown.stderr


@pytest.mark.usefixtures("examples")
def test_dify_finds_it_with_a_service_key(person: Person) -> None:
    key = redten(person, "keys", "create", "dify").stdout.strip()
    body = {
        "knowledge_id": PUBLIC,
        "query": QUESTION,
        "retrieval_setting": {"top_k": 3, "score_threshold": 0.3},
    }

    def asked(key: str) -> Any:
        headers = {"Authorization": f"Bearer {key}"}
        return person.door.send("POST", "/retrieval", json=body, headers=headers | {"Bearer": ""})

    records = asked(key).json()["records"]
    assert any("31" in one["content"] for one in records)
    assert all(0.3 <= one["score"] <= 1 and one["title"] for one in records)
    refused = asked("wrong")
    assert (refused.status_code, refused.json()["error_code"]) == (403, 1002)


def test_a_file_of_texts_comes_back_as_vectors(person: Person, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,text\n1,a tower\n2,flour and water\n")
    out = tmp_path / "a.parquet"

    ended = redten(person, "embed", tmp_path / "a.csv", "--out", out)

    assert ended.returncode == 0, ended.stderr
    rows = parquet.read_table(out).to_pylist()
    assert [(one["row"], one["text"]) for one in rows] == [(1, "a tower"), (2, "flour and water")]
    [vector] = person.door.call("POST", "/embed", {"texts": ["a tower"]})["vectors"]
    assert sum(a * b for a, b in zip(vector, rows[0]["vector"], strict=True)) > 0.98
