"""Computed prompts that are kept: in memory, on disk, found again, damaged, too many."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engines.prefix_files import PrefixFiles, State
from engines.prefix_store import PrefixStore

KEY = "none.1"
LARGE = 1_000_000
ONE, TWO, THREE = ([first, *range(200)] for first in (1001, 1002, 1003))


def state(size: int = 5000, fill: int = 7) -> State:
    return np.full(size, fill, np.uint8)


def kept_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*.kv"))


def used_at(path: Path, seconds: int) -> None:
    """Sets when the file was last used."""
    os.utime(path, (seconds, seconds))


# --- files --------------------------------------------------------------------------------------


def test_a_state_is_found_by_the_next_process(tmp_path):
    written = PrefixFiles(tmp_path, "model", LARGE).write(ONE, KEY, state())

    files = PrefixFiles(tmp_path, "model", LARGE)

    assert list(files.known()) == [(written, ONE, KEY)]
    np.testing.assert_array_equal(files.read(written, ONE), state())


def test_models_do_not_find_each_others(tmp_path):
    PrefixFiles(tmp_path, "model", LARGE).write(ONE, KEY, state())
    assert list(PrefixFiles(tmp_path, "other", LARGE).known()) == []


def test_the_same_tokens_under_two_keys_are_two_files(tmp_path):
    files = PrefixFiles(tmp_path, "model", LARGE)
    one, two = files.write(ONE, "none.1", state(fill=1)), files.write(ONE, "none.2", state(fill=2))
    assert {(path, key) for path, _, key in files.known()} == {(one, "none.1"), (two, "none.2")}
    np.testing.assert_array_equal(files.read(one, ONE), state(fill=1))


def test_nobody_else_can_read_them(tmp_path):
    path = PrefixFiles(tmp_path / "prefixes", "model", LARGE).write(ONE, KEY, state())
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def flip(place: int) -> Callable[[bytes], bytes]:
    def damaged(content: bytes) -> bytes:
        made = bytearray(content)
        made[place] ^= 0x10
        return bytes(made)

    return damaged


DAMAGE = {
    "magic": flip(0),
    "digest": flip(20),
    "count": flip(40),
    "tokens": flip(50),
    "state": flip(2000),
    "last byte": flip(-1),
    "cut in the head": lambda content: content[:30],
    "cut in the tokens": lambda content: content[:100],
    "cut in the state": lambda content: content[:-1],
    "longer": lambda content: content + b"x",
    "empty": lambda content: b"",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_never_used_and_goes(tmp_path, damage):
    path = PrefixFiles(tmp_path, "model", LARGE).write(ONE, KEY, state())
    path.write_bytes(damage(path.read_bytes()))
    files = PrefixFiles(tmp_path, "model", LARGE)

    # Some damage shows at once, the rest when the file is read.
    found = [files.read(path, tokens) for path, tokens, _ in files.known()]

    assert not any(one is not None for one in found)
    assert not path.exists()


def test_a_file_that_is_gone_is_no_error(tmp_path):
    files = PrefixFiles(tmp_path, "model", LARGE)
    path = files.write(ONE, KEY, state())
    path.unlink()
    assert files.read(path, ONE) is None


def test_the_least_recently_used_file_makes_room_whosever_it_is(tmp_path):
    mine, other = (PrefixFiles(tmp_path, name, 13_000) for name in ("model", "other"))
    first, second = mine.write(ONE, KEY, state()), other.write(TWO, KEY, state())
    used_at(first, 1000)
    used_at(second, 2000)
    mine.read(first, ONE)  # used again, so the other one is the older

    third = mine.write(THREE, KEY, state())

    assert kept_files(tmp_path) == sorted([first, third])
    assert sum(path.stat().st_size for path in kept_files(tmp_path)) <= 13_000


def test_what_is_larger_than_all_may_be_is_refused_and_costs_nobody_their_place(tmp_path):
    files = PrefixFiles(tmp_path, "model", 13_000)
    first = files.write(ONE, KEY, state())
    assert files.write(TWO, KEY, state(13_000)) is None
    assert kept_files(tmp_path) == [first]


def test_a_folder_that_cannot_be_written_only_warns(tmp_path, caplog):
    files = PrefixFiles(tmp_path, "model", LARGE)
    (tmp_path / "model").rmdir()

    assert files.write(ONE, KEY, state()) is None

    assert "not kept on disk" in caplog.text


def test_a_limit_of_nothing_touches_no_disk(tmp_path):
    files = PrefixFiles(tmp_path / "prefixes", "model", 0)
    assert files.write(ONE, KEY, state()) is None
    assert list(files.known()) == []
    assert not (tmp_path / "prefixes").exists()


# --- the store ----------------------------------------------------------------------------------


def store(folder: Path, ram: int = LARGE, disk: int = LARGE) -> PrefixStore:
    return PrefixStore(PrefixFiles(folder, "model", disk), ram)


def ask(store: PrefixStore, tokens: list[int]) -> State | None:
    """As the engine does for a prompt that begins like these tokens."""
    _, entry = store.find(KEY, [*tokens, 1])
    return store.state(entry) if entry else None


def found(store: PrefixStore, tokens: list[int]) -> int:
    return store.find(KEY, tokens)[0]


def test_what_is_kept_is_found_by_its_beginning_under_its_key_only(tmp_path):
    kept = store(tmp_path)
    kept.keep(KEY, ONE, state)
    assert found(kept, [*ONE[:150], 7777]) == 150
    assert kept.find("none.2", ONE) == (0, None)
    np.testing.assert_array_equal(ask(kept, ONE), state())


def test_what_is_hardly_new_is_not_even_saved(tmp_path):
    kept = store(tmp_path)
    kept.keep(KEY, ONE, state)

    def save() -> State:
        raise AssertionError("nothing new to save")

    kept.keep(KEY, [*ONE, *range(100)], save)
    kept.keep(KEY, [1, 2, 3], save)
    assert found(kept, [*ONE, *range(100)]) == len(ONE)


def test_memory_holds_the_most_recently_used(tmp_path):
    kept = store(tmp_path, ram=11_000, disk=0)
    kept.keep(KEY, ONE, state)
    kept.keep(KEY, TWO, state)
    ask(kept, ONE)

    kept.keep(KEY, THREE, state)

    assert [found(kept, tokens) > 0 for tokens in (ONE, TWO, THREE)] == [True, False, True]


def test_what_memory_could_never_hold_is_not_kept(tmp_path):
    kept = store(tmp_path, ram=4000)
    kept.keep(KEY, ONE, state)
    assert found(kept, ONE) == 0


def test_without_memory_nothing_is_kept(tmp_path):
    kept = store(tmp_path, ram=0)
    kept.keep(KEY, ONE, state)
    assert found(kept, ONE) == 0


def test_what_is_asked_for_a_second_time_goes_to_disk(tmp_path):
    kept = store(tmp_path)
    kept.keep(KEY, ONE, state)
    kept.keep(KEY, TWO, state)
    assert kept_files(tmp_path) == []

    ask(kept, ONE)
    kept.close()

    assert len(kept_files(tmp_path)) == 1
    again = store(tmp_path)
    assert (found(again, ONE), found(again, TWO)) == (len(ONE), 0)
    np.testing.assert_array_equal(ask(again, ONE), state())


def test_what_has_left_memory_comes_back_from_disk(tmp_path):
    first = store(tmp_path)
    first.keep(KEY, ONE, state)
    ask(first, ONE)
    first.close()
    kept = store(tmp_path, ram=5500)
    ask(kept, ONE)

    kept.keep(KEY, TWO, lambda: state(fill=2))

    np.testing.assert_array_equal(ask(kept, ONE), state())
    assert found(kept, TWO) == 0  # it was in memory only, and had to go


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"x")])
def test_an_entry_whose_file_is_gone_or_damaged_is_forgotten(tmp_path, damage):
    first = store(tmp_path)
    first.keep(KEY, ONE, state)
    ask(first, ONE)
    first.close()
    kept = store(tmp_path)
    damage(kept_files(tmp_path)[0])

    assert ask(kept, ONE) is None

    assert found(kept, ONE) == 0
    assert kept_files(tmp_path) == []
