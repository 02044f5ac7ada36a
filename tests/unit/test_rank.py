"""The signals that rank chunks."""

import pytest

from tasks.rank import coverage, fuse, in_order, joined_pairs, named, with_whole_years


def ranked(wanted, *candidates, measured=None):
    measured = range(len(candidates)) if measured is None else measured
    return [first for first, _ in coverage(wanted, candidates, measured)]


def test_a_chunk_with_all_the_words_has_the_whole_share_and_one_with_none_nothing():
    assert ranked({"height", "tower"}, {"height", "tower", "sea"}, {"sea"}) == [1.0, 0.0]


def test_the_rarer_a_word_is_among_the_candidates_the_more_it_counts():
    rare, common, both, _ = ranked({"acme", "lease"}, {"lease"}, {"acme"}, {"acme"}, {"acme"})

    assert rare > common == both
    assert rare + common == pytest.approx(1)


def test_rarity_is_counted_among_those_measured_only():
    few = ranked({"a", "b"}, {"a"}, {"b"}, {"b"}, measured=[0, 1])

    assert few == pytest.approx([0.5, 0.5, 0.5])


def test_a_word_that_nobody_has_counts_only_against_the_second_share():
    [(first, second)] = coverage({"capital", "mongolia"}, [{"capital"}], [0])

    assert first == 1.0
    assert second == pytest.approx(0.5)


@pytest.mark.parametrize("wanted", [set(), {"elsewhere"}])
def test_without_a_word_in_common_there_is_no_share(wanted):
    assert coverage(wanted, [{"a"}, set()], [0, 1]) == [(0.0, 0.0), (0.0, 0.0)]
    assert coverage(wanted, [], []) == []


def test_the_document_that_the_question_names_stands_out():
    scores = named(
        11, {1: {"acme": 1.0, "2022": 1.0}, 2: {"acme": 1.0}, 3: {"2022": 0.5}, 4: {"2022": 1.0}}
    )

    assert max(scores, key=scores.__getitem__) == 1
    assert scores[1] == pytest.approx(1.0)
    assert scores[2] > scores[4] > scores[3] > 0  # two have the name, three the year


def test_no_document_is_named_where_no_word_hits():
    assert named(11, {}) == {}
    assert named(3, {1: {"report": 1.0}, 2: {"report": 1.0}, 3: {"report": 1.0}})[1] <= 1


def test_the_signals_add_up():
    assert fuse(0.3, 0, 0) == 0.3
    assert fuse(0.3, 1, 0) > fuse(0.3, 0.5, 0) > 0.3
    assert fuse(0.3, 0, 1) > 0.3


def test_a_second_chunk_of_a_page_gives_way_to_another_page_that_is_nearly_as_good():
    assert in_order([0.9, 0.85, 0.8, 0.7], ["a", "a", "b", "a"]) == [0, 2, 1, 3]
    assert in_order([0.9, 0.85, 0.5], ["a", "a", "b"]) == [0, 1, 2]
    assert in_order([], []) == []


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Revenue in FY22?", "Revenue in FY22 2022?"),
        ("Revenue in fy'19?", "Revenue in fy19 2019?"),
        ("Revenue in FY2022?", "Revenue in FY2022?"),
    ],
)
def test_a_short_year_is_also_a_whole_one(question, expected):
    assert with_whole_years(question) == expected


def test_neighbouring_words_are_joined_as_names_of_files_are():
    assert joined_pairs("Gull Rock's 2nd tower") == ["gullrock", "rocks", "snd", "ndtower"]
    assert joined_pairs("tower") == []
