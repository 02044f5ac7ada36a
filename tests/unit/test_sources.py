"""Which files a folder, a pattern or a path means, and which it does not."""

import os
from pathlib import Path

import pytest

from ingest.sources import Source, find

FILES = ("b.md", "a.pdf", "sub/c.csv", "sub/deep/d.txt", ".hidden.txt", ".git/config", "sub/.e.md")


@pytest.fixture
def docs(tmp_path) -> Path:
    for name in FILES:
        path = tmp_path / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "docs"


def names(*paths: object) -> list[str]:
    found, refused = find([str(path) for path in paths])
    assert refused == []
    return [source.name for source in found]


def test_a_file_goes_by_its_own_name(docs):
    path = docs / "sub/c.csv"

    assert find([str(path)]) == ([Source(path, "c.csv")], [])


def test_a_folder_gives_all_its_files_sorted_by_the_name_within_it(docs):
    found, _ = find([str(docs)])

    assert found == [
        Source(docs / "a.pdf", "a.pdf"),
        Source(docs / "b.md", "b.md"),
        Source(docs / "sub/c.csv", "sub/c.csv"),
        Source(docs / "sub/deep/d.txt", "sub/deep/d.txt"),
    ]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.pdf", ["a.pdf"]),
        ("*", ["a.pdf", "b.md"]),
        ("*/*.csv", ["sub/c.csv"]),
        ("**/*.[ct]*", ["sub/c.csv", "sub/deep/d.txt"]),
        ("**", ["a.pdf", "b.md", "sub/c.csv", "sub/deep/d.txt"]),
        ("sub/**/*.txt", ["deep/d.txt"]),
        (".hid*", [".hidden.txt"]),
    ],
)
def test_a_pattern_gives_names_below_its_fixed_part(docs, pattern, expected):
    assert names(docs / pattern) == expected


def test_a_pattern_may_be_relative(docs, monkeypatch):
    monkeypatch.chdir(docs)

    assert names("sub/*.csv") == ["c.csv"]
    assert names("*.md") == ["b.md"]


def test_a_file_named_in_several_ways_is_given_once(docs):
    assert names(docs, docs / "a.pdf", docs / "*.pdf", docs) == names(docs)


def test_links_within_a_folder_are_not_followed(docs, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret.txt").write_text("secret")
    (docs / "link.txt").symlink_to(tmp_path / "outside/secret.txt")
    (docs / "linked").symlink_to(tmp_path / "outside", target_is_directory=True)

    assert not any("secret" in name or "link" in name for name in names(docs))
    assert not any("secret" in name or "link" in name for name in names(docs / "**"))


def test_a_link_that_is_named_itself_is_followed(docs, tmp_path):
    (tmp_path / "link").symlink_to(docs, target_is_directory=True)

    assert names(tmp_path / "link") == names(docs)


def test_a_hidden_file_that_is_named_itself_is_given(docs):
    assert names(docs / ".hidden.txt") == [".hidden.txt"]


def test_a_name_with_wildcards_that_exists_is_no_pattern(docs):
    (docs / "a[1].txt").write_text("x")

    assert names(docs / "a[1].txt") == ["a[1].txt"]


def test_what_does_not_exist_is_told_and_the_others_are_found(docs):
    nowhere, pattern = str(docs / "nowhere.pdf"), str(docs / "*.docx")

    found, refused = find([nowhere, str(docs / "a.pdf"), pattern])

    assert [source.name for source in found] == ["a.pdf"]
    assert [(one.path, one.code) for one in refused] == [
        (nowhere, "no_such_file"),
        (pattern, "no_such_file"),
    ]
    assert f"no such file: {nowhere}; " in refused[0].reason
    assert f"no file matches: {pattern}; " in refused[1].reason


def test_of_two_files_of_one_name_the_later_one_is_refused(docs):
    (docs / "sub/a.pdf").write_text("another")

    found, [refused] = find([str(docs / "a.pdf"), str(docs / "sub/a.pdf"), str(docs / "b.md")])

    assert found == [Source(docs / "a.pdf", "a.pdf"), Source(docs / "b.md", "b.md")]
    assert (refused.path, refused.code) == (str(docs / "sub/a.pdf"), "same_name")
    assert "both be called a.pdf" in refused.reason


def test_a_name_that_is_no_utf8_can_still_travel(docs):
    raw = os.fsencode(docs) + b"/sub/deep/\xff.txt"
    Path(os.fsdecode(raw)).write_text("x")

    assert names(docs / "sub/deep") == ["d.txt", "\ufffd.txt"]
