"""Markdown has a page per section, and its headings where they stand."""

from datetime import UTC, datetime

from ingest.load import Facts
from tests.unit.loading import facts, pages, saved, texts, titles


def test_a_page_begins_at_headings_of_level_one_and_two(tmp_path):
    text = """intro

# Lamp
oil
### Wick
cotton
```
# a comment
```
## Horn
air
#hashtag
"""
    read = pages(saved(tmp_path, text), "a.md")

    assert [page.text for page in read] == [
        "intro\n\n",
        "# Lamp\noil\n### Wick\ncotton\n```\n# a comment\n```\n",
        "## Horn\nair\n#hashtag\n",
    ]
    assert [page.locator for page in read] == [
        {"lines": lines} for lines in ([1, 1], [3, 9], [10, 12])
    ]
    assert [titles(page) for page in read] == [
        [],
        [(1, "Lamp", "# Lamp"), (3, "Wick", "### Wick")],
        [(2, "Horn", "## Horn")],
    ]


def test_a_title_stays_with_the_section_below_it(tmp_path):
    path = saved(tmp_path, "# Signals\n\n## Horn\nair\n## Bell\nbronze\n")

    assert texts(path, "a.md") == ["# Signals\n\n## Horn\nair\n", "## Bell\nbronze\n"]


def test_a_line_that_is_underlined_is_a_heading(tmp_path):
    text = """Signals
=======

Horn
----
air

- a list
---
| a |
---

a rule above
"""
    read = pages(saved(tmp_path, text), "a.md")

    assert [titles(page) for page in read] == [[(1, "Signals", "Signals"), (2, "Horn", "Horn")]]


def test_marks_that_close_a_heading_are_no_part_of_it(tmp_path):
    [page] = pages(saved(tmp_path, "## Horn ##\n### C#\n###\nair\n"), "a.md")

    assert titles(page) == [(2, "Horn", "## Horn ##"), (3, "C#", "### C#")]


def test_a_fence_ends_with_marks_like_those_it_began_with(tmp_path):
    [page] = pages(saved(tmp_path, "# x\n~~~~\n# a\n```\n~~~\n# b\n~~~~\n### c\n"), "a.md")

    assert titles(page) == [(1, "x", "# x"), (3, "c", "### c")]


def test_where_all_headings_are_low_each_begins_a_page(tmp_path):
    path = saved(tmp_path, "#### Horn\nair\n##### loud\nyes\n#### Bell\nbronze\n")

    assert texts(path, "a.md") == ["#### Horn\nair\n##### loud\nyes\n", "#### Bell\nbronze\n"]


def test_without_headings_pages_go_by_size(tmp_path):
    read = texts(saved(tmp_path, "A line of words.\n" * 1000), "a.md")

    assert len(read) > 5
    assert max(map(len, read)) <= 3000


def test_the_front_matter_tells_the_facts_and_holds_no_headings(tmp_path):
    text = "---\ntitle: 'Fog signals'\nauthor: The keepers\ndate: 2024-03-01\n---\n# Horn\nair\n"
    path = saved(tmp_path, text)

    assert facts(path, "a.md") == Facts(
        "Fog signals", "The keepers", datetime(2024, 3, 1, tzinfo=UTC)
    )
    assert [title for page in pages(path, "a.md") for title in titles(page)] == [
        (1, "Horn", "# Horn")
    ]


def test_the_first_heading_is_the_title_where_nothing_else_is(tmp_path):
    assert facts(saved(tmp_path, "---\n\n## a\n# Horn\nair\n"), "a.md") == Facts("Horn")
