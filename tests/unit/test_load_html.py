"""Of an HTML page that is loaded which a reader sees, under its headings."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.load import Facts
from tests.unit.loading import facts, pages, refusal, saved, texts, titles


def text(folder: Path, body: str) -> str:
    return "\n\n".join(texts(saved(folder, f"<html><body>{body}"), "a.html"))


def test_each_block_is_a_line_without_its_markup(tmp_path):
    body = "<p>The  <b>tower</b>\n is&nbsp;31&#32;m &lt; 32 m.<br>It is white.<div>Built in 1888"

    assert text(tmp_path, body) == "The tower is 31 m < 32 m.\nIt is white.\n\nBuilt in 1888"


def test_a_table_row_is_a_line_and_an_empty_cell_keeps_its_place(tmp_path):
    body = """<table><caption>Stations</caption>
      <thead><tr><th></th><th>Height</th><th>Lit</th></tr></thead>
      <tr><td>Gull Rock</td><td><p>31</p><p>m</p></td><td>1888</td></tr>
      <tr><td></td><td> </td></tr>
      <tr><td colspan=3>In all</td></tr>
      <tr><td>Sum</td><td></td><td>62</td></tr></table>"""

    assert text(tmp_path, body) == (
        "Stations\n\n| Height | Lit\nGull Rock | 31 m | 1888\nIn all\nSum | | 62"
    )


def test_a_table_made_for_looks_is_read_block_by_block(tmp_path):
    body = """<table><tr><td>menu</td><td><h2>Horn</h2><p>air</p><p>brass</p>
      <table><tr><td>a</td><td>b</td></tr></table></td></tr></table>"""

    assert text(tmp_path, body) == "menu\n\nHorn\n\nair\n\nbrass\n\na | b"


def test_list_items_terms_and_code_keep_together(tmp_path):
    body = """<ul><li>lamp<li><p>horn</p><ul><li>brass</ul></ul>
      <dl><dt>Wick<dd>cotton</dl><pre>\ndef f():\n    return 1\n</pre>"""

    assert text(tmp_path, body) == (
        "- lamp\n- horn\n- brass\n\nWick\ncotton\n\ndef f():\n    return 1"
    )


@pytest.mark.parametrize(
    "hidden",
    [
        "<script>x = '<p>secret'</script>",
        "<style>secret</style>",
        "<nav><p>secret</p></nav>",
        "<div role=navigation>secret</div>",
        "<template><p>secret</p></template>",
        "<noscript>secret</noscript>",
        "<div hidden><p>secret</p></div>",
        "<p aria-hidden=true>secret</p>",
        "<p style='color: red; DISPLAY : none'>secret</p>",
        "<svg><title>secret</title></svg>",
        "<select><option>secret</select>",
        "<!-- secret -->",
    ],
)
def test_what_nobody_sees_is_left_out(tmp_path, hidden):
    assert text(tmp_path, f"<p>before</p>{hidden}<p>after</p>") == "before\n\nafter"


def test_headings_make_the_pages_and_their_sections(tmp_path):
    path = saved(
        tmp_path,
        "<title>Handbook</title><p>intro<h1>Signals</h1><h2>The <i>horn</i></h2><p>air"
        "<h3>Loud</h3><p>yes<h2>Bell</h2><p>bronze",
    )
    read = pages(path, "a.html")

    assert [page.locator["section"] for page in read] == [
        "Handbook",
        "Signals › The horn",
        "Signals › Bell",
    ]
    assert [titles(page) for page in read] == [
        [],
        [(1, "Signals", "Signals"), (2, "The horn", "The horn"), (3, "Loud", "Loud")],
        [(2, "Bell", "Bell")],
    ]


def test_a_section_goes_on_over_its_pages(tmp_path):
    body = "<h1>Log</h1><h3>May</h3>" + "<p>The lamp was lit at dusk and put out at dawn.</p>" * 200

    read = pages(saved(tmp_path, body), "a.html")

    assert len(read) > 3
    assert {page.locator["section"] for page in read} == {"Log › May"}
    assert max(len(page.text) for page in read) < 3500


def test_a_page_tells_its_title_author_and_day(tmp_path):
    head = """<head><title>
      Fog &amp; signals</title><meta name=Author content="The keepers">
      <meta property="article:published_time" content="2024-03-01T10:00:00Z"></head><p>air"""

    assert facts(saved(tmp_path, head), "a.html") == Facts(
        "Fog & signals", "The keepers", datetime(2024, 3, 1, 10, tzinfo=UTC)
    )


@pytest.mark.parametrize(
    ("said", "encoding"),
    [
        ("utf-8", "utf-8"),
        ("iso-8859-1", "cp1252"),
        ("utf-8", "cp1252"),
        ("nonsense", "utf-8"),
        ("utf-16", "utf-16"),
        ("", "utf-8-sig"),
    ],
)
def test_umlauts_survive_whatever_the_page_says_of_its_encoding(tmp_path, said, encoding):
    html = f"<html><head><meta charset='{said}'></head><p>Höhe über Grün – für 5 €"

    path = saved(tmp_path, html.encode(encoding))

    assert texts(path, "a.html") == ["Höhe über Grün – für 5 €"]


@pytest.mark.parametrize("encoding", ["shift_jis", "iso-2022-jp", "euc-jp"])
def test_a_declared_encoding_is_believed_where_nothing_speaks_against_it(tmp_path, encoding):
    html = f'<html><meta http-equiv="Content-Type" content="text/html; charset={encoding}"><p>灯台'

    assert texts(saved(tmp_path, html.encode(encoding)), "a.html") == ["灯台"]


def test_deep_nesting_is_read(tmp_path):
    assert text(tmp_path, "<div>" * 5000 + "lit") == "lit"


def test_nesting_that_would_take_for_ever_is_refused(tmp_path):
    error = refusal(saved(tmp_path, "<html>" + "<div><b>" * 500_000), "a.html")

    assert error.code == "nested_too_deep"
    assert "20,000" in str(error)


def test_many_tags_that_are_closed_again_are_not_deep(tmp_path):
    assert text(tmp_path, "<p>a<b>b</b>" * 15_000).startswith("ab\n\nab")


def test_a_page_that_a_script_fills_is_told_to_be_empty(tmp_path):
    error = refusal(saved(tmp_path, "<html><script>render()</script></html>"), "a.html")

    assert error.code == "empty_document"
    assert "script" in str(error)
