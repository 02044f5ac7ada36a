"""The command that takes answers away as a file."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli import main
from tests.unit.client_stub import Stub

ROUTE = ("GET", "/ai/result/export")


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stub:
    monkeypatch.chdir(tmp_path)
    stub = Stub()
    stub.on(*ROUTE, (200, b"id\r\n1\r\n"))
    return stub


def run(stub: Stub, *args: str) -> Result:
    return CliRunner().invoke(main, ("export", "answers", *args), obj=stub.client())


@pytest.mark.parametrize(
    ("name", "asked"),
    [("a.csv", "format=csv"), ("b.jsonl", "format=jsonl")],
)
def test_the_name_of_the_file_says_how_it_is_written(stub: Stub, name: str, asked: str) -> None:
    result = run(stub, "-o", name)

    assert (result.exit_code, result.stderr) == (0, f"{name}, 7 bytes\n")
    assert Path(name).read_bytes() == b"id\r\n1\r\n"
    assert str(stub.requests[-1].url).endswith(f"/ai/result/export?{asked}")


def test_a_collection_is_named_as_it_is(stub: Stub) -> None:
    run(stub, "-c", "sea & land", "--out", "a.csv")

    assert str(stub.requests[-1].url).endswith("?format=csv&collection=sea+%26+land")


def test_any_other_name_is_refused_before_anything_is_asked(stub: Stub) -> None:
    result = run(stub, "-o", "a.xlsx")

    assert result.exit_code == 2
    assert ".csv or .jsonl" in result.stderr
    assert stub.requests == []


def test_an_export_that_fails_leaves_the_file_that_is_there(stub: Stub) -> None:
    Path("a.csv").write_text("earlier")
    stub.on(*ROUTE, (404, {"code": "collection_not_found", "message": "there is none"}))

    result = run(stub, "-o", "a.csv")

    assert (result.exit_code, Path("a.csv").read_text()) == (1, "earlier")
    assert [path.name for path in Path().iterdir()] == ["a.csv"]
