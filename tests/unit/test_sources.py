"""Which files a folder, a pattern or a path means, and which it does not."""

import os
from pathlib import Path

import pytest

from ingest.sources import Source, SourceError, find

FILES = ("b.md", "a.pdf", "sub/c.csv", "sub/deep/d.txt", ".hidden.txt", ".git/config", "sub/.e.md")


@pytest.fixture
def docs(tmp_path) -> Path:
    for name in FILES:
        path = tmp_path / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "docs"


def names(*paths: object) -> list[str]:
    return [source.name for source in find([str(path) for path in paths])]


def test_a_file_goes_by_its_own_name(docs):
    path = docs / "sub/c.csv"

    assert list(find([str(path)])) == [Source(path, "c.csv")]


def test_a_folder_gives_all_its_files_sorted_by_the_name_within_it(docs):
    assert list(find([str(docs)])) == [
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


def test_what_does_not_exist_is_told_before_any_file_is_given(docs):
    with pytest.raises(SourceError, match=r"no such file: .*nowhere\.pdf; "):
        next(find([str(docs), str(docs / "nowhere.pdf")]))
    with pytest.raises(SourceError, match=r"no file matches: .*\*\.docx"):
        next(find([str(docs / "*.docx")]))


def test_two_files_of_one_name_are_refused(docs):
    (docs / "sub/a.pdf").write_text("another")

    with pytest.raises(SourceError, match=r"both be called a\.pdf"):
        names(docs / "a.pdf", docs / "sub/a.pdf")


def test_a_name_that_is_no_utf8_can_still_travel(docs):
    raw = os.fsencode(docs) + b"/sub/deep/\xff.txt"
    Path(os.fsdecode(raw)).write_text("x")

    assert names(docs / "sub/deep") == ["d.txt", "\ufffd.txt"]
