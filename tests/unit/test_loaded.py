"""Which models stay in memory: counting users, room, idleness. The models are fakes."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from engines.errors import EngineError
from engines.loaded import Loaded
from tests.integration.processes import until

SIZE = 100
NEED = 120  # a fifth more than the file


class Fake:
    """A model that remembers whether it was closed."""

    def __init__(self, path: Path) -> None:
        self.path, self.memory_bytes, self.closed = path, NEED, False
        self.is_running = True

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Three files of one size."""
    made = [tmp_path / f"{name}.gguf" for name in "abc"]
    for path in made:
        path.write_bytes(b"x" * SIZE)
    return made


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def open_names(loaded: Loaded) -> set[str]:
    return {path.stem for path in loaded._held}


def use(loaded: Loaded, path: Path) -> Fake:
    with loaded.borrowed(path) as model:
        return model


def test_a_model_is_loaded_once_for_all_who_ask_for_it(files, threads):
    made = []
    loaded = Loaded(lambda path: made.append(path) or Fake(path), 1000, 900)

    models = list(threads.map(lambda _: use(loaded, files[0]), range(16)))

    assert made == [files[0]]
    assert len(set(map(id, models))) == 1


def test_the_least_recently_used_one_makes_room(files):
    loaded = Loaded(Fake, 2 * NEED, 900)
    a, b = use(loaded, files[0]), use(loaded, files[1])
    use(loaded, files[0])

    use(loaded, files[2])

    assert open_names(loaded) == {"a", "c"}
    assert (a.closed, b.closed) == (False, True)


def test_who_finds_no_room_waits_until_a_model_is_given_back(files, threads):
    loaded = Loaded(Fake, NEED, 900)
    with loaded.borrowed(files[0]) as first:
        waiting = threads.submit(use, loaded, files[1])
        until(lambda: loaded._held[files[0]].leaving)
        assert not waiting.done()
        assert not first.closed

    assert waiting.result(10).path == files[1]
    assert first.closed


def test_a_model_in_steady_use_does_not_keep_another_one_out(files, threads):
    loaded = Loaded(Fake, NEED, 900)
    with loaded.borrowed(files[0]) as first:
        other = threads.submit(use, loaded, files[1])
        until(lambda: loaded._held[files[0]].leaving)
        newcomer = threads.submit(use, loaded, files[0])

    assert other.result(10).path == files[1]
    assert newcomer.result(10).path == files[0]
    assert newcomer.result() is not first


def test_a_loaded_model_serves_while_another_one_loads(files, threads):
    go_on = threading.Event()

    def slow(path: Path) -> Fake:
        assert path == files[0] or go_on.wait(10)
        return Fake(path)

    loaded = Loaded(slow, 1000, 900)
    use(loaded, files[0])
    loading: Future[Fake] = threads.submit(use, loaded, files[1])
    until(lambda: loaded._loading)

    assert use(loaded, files[0]).path == files[0]

    assert not loading.done()
    go_on.set()
    assert loading.result(10).path == files[1]


def test_what_can_never_fit_is_refused_with_the_numbers(files):
    loaded = Loaded(Fake, 2**30, 900)
    with files[0].open("r+b") as file:
        file.truncate(2**30)  # sparse

    with pytest.raises(EngineError, match=r"a\.gguf takes about 1\.2 GiB.* 1\.0 GiB") as refused:
        use(loaded, files[0])

    assert refused.value.code == "no_memory"


def test_a_model_that_cannot_be_loaded_leaves_the_others_usable(files):
    def broken(path: Path) -> Fake:
        if path == files[1]:
            raise EngineError("broken_weights", "broken")
        return Fake(path)

    loaded = Loaded(broken, 2 * NEED, 900)
    use(loaded, files[0])
    for path, code in ((files[1], "broken_weights"), (Path("gone.gguf"), "no_model")):
        with pytest.raises(EngineError) as refused:
            use(loaded, path)
        assert refused.value.code == code

    use(loaded, files[2])
    assert open_names(loaded) == {"a", "c"}


def test_idle_ones_are_freed_but_not_the_default_nor_one_in_use(files):
    loaded = Loaded(Fake, 1000, idle_s=0)
    loaded.keep(files[0])
    idle = use(loaded, files[1])
    with loaded.borrowed(files[2]):
        loaded.unload_idle()

        assert open_names(loaded) == {"a", "c"}
    assert idle.closed


def test_nothing_is_freed_before_its_time(files):
    loaded = Loaded(Fake, 1000, idle_s=3600)
    use(loaded, files[0])

    assert loaded.unload_idle() > 3000
    assert open_names(loaded) == {"a"}


def test_what_takes_more_than_its_file_says_costs_the_idle_ones_their_place(files):
    def large(path: Path) -> Fake:
        made = Fake(path)
        made.memory_bytes = 3 * NEED if path == files[2] else NEED
        return made

    loaded = Loaded(large, 3 * NEED, 900)
    with ExitStack() as stack:
        stack.enter_context(loaded.borrowed(files[0]))
        use(loaded, files[1])
        use(loaded, files[2])

        assert open_names(loaded) == {"a", "c"}


def test_all_are_closed_at_the_end(files):
    loaded = Loaded(Fake, 1000, 900)
    models = [use(loaded, path) for path in files]

    loaded.close()

    assert all(model.closed for model in models)
    assert open_names(loaded) == set()


def test_a_model_whose_engine_has_gone_down_is_loaded_again(files):
    loaded = Loaded(Fake, 3 * NEED, 1000.0)
    with loaded.borrowed(files[0]) as first:
        first.is_running = False
        assert not first.closed
    assert first.closed
    assert use(loaded, files[0]) is not first
