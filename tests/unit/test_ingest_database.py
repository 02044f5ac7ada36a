"""Tables and queries of a database become documents."""

import datetime
import importlib.util
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli import main
from ingest.database import DatabaseError, Wanted, export
from ingest.load import Page, load
from ingest.rowfile import write_rows
from tests.unit.client_stub import Stub

UPLOADS = "/collections/docs/documents"
WHOLE = importlib.util.find_spec


@pytest.fixture
def shop(tmp_path: Path) -> str:
    """The URL of a database of two tables, one of them empty, and a view."""
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.executescript(
            "create table places (id integer, place text, height real, photo blob);"
            "insert into places values (1, 'Gull Rock', 31.5, x'ff'), (2, '5% :wet', null, null);"
            'create table "odd ""names"""(x);'
            "create view low as select place from places where height < 40;"
        )
    connection.close()
    return f"sqlite:///{tmp_path}/shop.db"


def read(folder: Path, address: str, wanted: Wanted) -> dict[str, list[str]]:
    """The lines of each document by its name."""
    place = folder / "exported"
    place.mkdir()
    sources = list(export(address, wanted, place, lambda _: None))
    return {source.name: lines(source.path, source.name) for source in sources}


def lines(path: Path, name: str) -> list[str]:
    pages = (item for item in load(path, name) if isinstance(item, Page))
    return [line for page in pages for line in page.text.splitlines()]


def without_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(name: str, *more: str) -> object:
        return None if name == "pyarrow" else WHOLE(name, *more)

    monkeypatch.setattr(importlib.util, "find_spec", find)


def test_all_tables_with_rows_are_brought_out(tmp_path, shop):
    assert read(tmp_path, shop, Wanted()) == {
        "shop.places.parquet": [
            "id: 1; place: Gull Rock; height: 31.5; photo: (binary)",
            "id: 2; place: 5% :wet; photo: (binary)",
        ]
    }


def test_without_pyarrow_the_rows_are_csv(tmp_path, shop, monkeypatch):
    without_pyarrow(monkeypatch)

    assert read(tmp_path, shop, Wanted()) == {
        "shop.places.csv": [
            "id: 1; place: Gull Rock; height: 31.5; photo: (binary)",
            "id: 2; place: 5% :wet",
        ]
    }


@pytest.mark.parametrize("table", ["low", "main.low"])
def test_a_table_or_view_can_be_named(tmp_path, shop, table):
    assert read(tmp_path, shop, Wanted(tables=[table])) == {
        f"shop.{table}.parquet": ["place: Gull Rock"]
    }


def test_a_query_is_passed_on_as_it_is(tmp_path, shop):
    query = "select place as p from places where place like '5%' and place like '%:wet'"

    assert read(tmp_path, shop, Wanted(query)) == {"query-6496c347.parquet": ["p: 5% :wet"]}


def test_a_document_can_be_given_a_name(tmp_path, shop):
    assert list(read(tmp_path, shop, Wanted(tables=["low"], name="lights"))) == ["lights.parquet"]


def test_rows_are_told_as_they_come(tmp_path, shop):
    told: list[int] = []
    numbers = "with recursive n(x) as (select 1 union all select x + 1 from n limit 2500)"

    list(export(shop, Wanted(f"{numbers} select x from n"), tmp_path, told.append))

    assert told == [1000, 1000, 500]


def test_nothing_is_changed_by_a_query(tmp_path, shop):
    with pytest.raises(DatabaseError, match="must be a SELECT"):
        read(tmp_path, shop, Wanted("delete from places"))

    with sqlite3.connect(tmp_path / "shop.db") as connection:
        assert connection.execute("select count(*) from places").fetchone() == (2,)
    connection.close()


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Wanted("selec 1"), 'near "selec": syntax error'),
        (Wanted("select * from nowhere"), "no such table: nowhere"),
        (Wanted(tables=["nowhere"]), "there is no table nowhere"),
        (Wanted("select 1 where 1 = 0"), "there are no rows"),
        (Wanted(tables=['odd "names"']), "there are no rows"),
    ],
)
def test_what_cannot_be_brought_out_is_told_in_a_line(tmp_path, shop, wanted, said):
    with pytest.raises(DatabaseError) as caught:
        read(tmp_path, shop, wanted)

    assert str(caught.value) == f"sqlite:///{tmp_path}/shop.db: {said}"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("sqlite:///no/such.db", "no such file"),
        ("nonsense://ann:s3cret@example.org/x", "knows no such database"),
        ("mysql://ann:s3cret@example.org/x", "driver is missing: install the package with MySQLdb"),
        ("postgresql://ann:s3cret@example.org:port/x", "reads DIALECT"),
        ("postgresql+psycopg://ann:s3cret@localhost:1/x", "Connection refused"),
        ("postgresql+psycopg://ann:s3cret@localhost:1/x?s3cret=1", 'option "[*]{3}"'),
    ],
)
def test_a_wrong_url_is_told_without_its_password(tmp_path, address, said):
    with pytest.raises(DatabaseError, match=said) as caught:
        read(tmp_path, address, Wanted())

    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


# --- rows of every kind --------------------------------------------------------------------------


def as_file(folder: Path, *batches: list[tuple[object, ...]]) -> list[str]:
    path = write_rows(folder, ["x"], batches)
    return lines(path, path.name)


MIXED = [
    ([[(1,), (None,)], [(2.5,)]], ["x: 1", "x: 2.5"]),
    ([[(1,)], [("two",)]], ["x: 1", "x: two"]),
    ([[(1,), ("two",)], [(3,)]], ["x: 1", "x: two", "x: 3"]),
    ([[(2**70,)], [(True,)]], [f"x: {2**70}", "x: true"]),
    ([[(datetime.date(2024, 5, 1),)], [("soon",)]], ["x: 2024-05-01", "x: soon"]),
    ([[({"a": [1]},)], [(["é"],)]], ['x: {"a": [1]}', 'x: ["é"]']),
]


@pytest.mark.parametrize("has_pyarrow", [True, False])
@pytest.mark.parametrize(("batches", "told"), MIXED)
def test_values_of_all_kinds_go_into_one_column(tmp_path, monkeypatch, has_pyarrow, batches, told):
    if not has_pyarrow:
        without_pyarrow(monkeypatch)

    assert as_file(tmp_path, *batches) == told


def test_cells_with_delimiters_stay_one_cell_in_csv(tmp_path, monkeypatch):
    without_pyarrow(monkeypatch)

    assert as_file(tmp_path, [("a;b;c\nd",), ("e;f;g",)]) == ["x: a;b;c d", "x: e;f;g"]


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def stub() -> Stub:
    stub = Stub()
    there = {"id": 1, "name": "docs", "visibility": "private", "mine": True}
    stub.on("GET", "/collections", (200, {"collections": [there]}))
    stored = {"id": 1, "name": "x", "state": 3, "pages": 1, "chunks": 1}
    stub.on("POST", UPLOADS, (200, stored))
    return stub


@pytest.fixture
def run(stub: Stub) -> Callable[..., Result]:
    def run(*args: str) -> Result:
        return CliRunner().invoke(main, ["ingest", *args, "-c", "docs"], obj=stub.client())

    return run


def test_a_table_is_uploaded_like_a_file(stub, run, shop):
    result = run(shop, "--table", "places", "--name", "lights")

    assert result.exit_code == 0, result.output
    [upload] = [request for request in stub.requests if "documents" in str(request.url)]
    assert str(upload.url).endswith("name=lights.parquet")
    assert any(body.startswith(b"PAR1") for body in stub.bodies)


def test_files_and_databases_go_together(stub, run, shop, tmp_path):
    (tmp_path / "a.txt").write_text("the text of a.txt")

    assert run(shop, str(tmp_path / "a.txt")).exit_code == 0

    assert stub.routes.count(f"POST {UPLOADS}") == 2


def test_a_wrong_url_ends_the_command_before_anything_is_sent(stub, run):
    result = run("nonsense://ann:s3cret@example.org/x")

    assert result.exit_code == 1
    assert result.stderr.startswith("redten: nonsense://example.org/x: SQLAlchemy knows no such")
    assert "s3cret" not in result.output
    assert stub.routes == []


@pytest.mark.parametrize(
    "options",
    [
        ("--query", "select 1", "--table", "low"),
        ("--name", "x"),
        ("--name", "x", "--table", "low", "--table", "places"),
        ("--query", "select 1", "sqlite:///other.db"),
    ],
)
def test_options_that_do_not_go_together_are_told(run, shop, options):
    assert run(shop, *options).exit_code == 2


def test_the_options_of_databases_need_one(run, tmp_path):
    result = run(str(tmp_path), "--query", "select 1")

    assert result.exit_code == 2
    assert "URL of one database" in result.stderr


def test_two_documents_of_one_name_are_not_taken_for_versions_of_one(stub, run, shop):
    result = run(shop, shop)

    assert result.exit_code == 1
    assert "would be called shop.places.parquet" in result.stderr
    assert stub.routes == []


def test_without_sqlalchemy_it_is_told_what_to_install(run, shop, monkeypatch):
    monkeypatch.delitem(sys.modules, "ingest.database")
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)

    result = run(shop)

    assert result.exit_code == 1
    assert "pip install 'redten[database]'" in result.stderr
