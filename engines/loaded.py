"""The models in this process's memory: loaded when first asked, several at once within a budget."""

import atexit
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from engines.errors import EngineError
from settings import settings

if TYPE_CHECKING:
    from engines.generator import Generator

log = logging.getLogger(__name__)
SHARE_OF_MEMORY = 0.7
# A model takes more than its file: caches and buffers. What it takes is known once it is loaded.
OVERHEAD = 1.2


def budget_bytes() -> int:
    """Memory that all loaded models together may take."""
    return settings.model_memory or int(psutil.virtual_memory().total * SHARE_OF_MEMORY)


def need_bytes(path: Path) -> int:
    """About what the model will take, told from its file. Raises EngineError `no_model`."""
    try:
        return int(path.stat().st_size * OVERHEAD)
    except OSError as error:
        raise EngineError(
            "no_model", f"{path.name} is not in {path.parent}: `redten models add` puts it there"
        ) from error


def require_memory(name: str, need: int, budget: int) -> None:
    """Raises EngineError `no_memory`, with the numbers, for what will never fit."""
    if need > budget:
        raise EngineError(
            "no_memory",
            f"{name} takes about {need / 2**30:.1f} GiB, and models may take"
            f" {budget / 2**30:.1f} GiB here (REDTEN_MODEL_MEMORY_BYTES)",
        )


@dataclass(eq=False, slots=True)
class _Held:
    """A loaded model and who uses it; one that is leaving takes no new users."""

    path: Path
    generator: "Generator"
    users: int = 0
    leaving: bool = False
    used_at: float = field(default_factory=time.monotonic)


class Loaded:
    """The models of one process; threads share it. At most one is loading at a time."""

    def __init__(self, make: "Callable[[Path], Generator]", budget: int, idle_s: float) -> None:
        self._make, self._budget, self._idle_s = make, budget, idle_s
        # Guards all below, and is notified of every change.
        self._changed = threading.Condition()
        self._held: dict[Path, _Held] = {}
        self._kept: Path | None = None
        self._loading = False

    @contextmanager
    def borrowed(self, path: Path) -> "Iterator[Generator]":
        """The model, for as long as it is used; waits while there is no room for it.

        Raises EngineError `no_model`, `no_memory` if it can never fit, and what loading raises.
        """
        held = self._enter(path)
        try:
            yield held.generator
        finally:
            _close(self._leave(held))

    def _leave(self, held: _Held) -> list[_Held]:
        """Of a model whose engine has gone down, the last user frees it."""
        with self._changed:
            held.users -= 1
            held.used_at = time.monotonic()
            self._changed.notify_all()
            down = not held.generator.is_running and not held.users
            return self._take_out([held]) if down else []

    def keep(self, path: Path) -> None:
        """Loads a model that stays when idle, unless another one needs its room."""
        with self._changed:
            self._kept = path
        with self.borrowed(path):
            pass

    def _enter(self, path: Path) -> _Held:
        with self._changed:
            self._changed.wait_for(lambda: self._open(path) or not self._loading)
            if held := self._open(path):
                held.users += 1
                return held
            self._loading = True
        try:
            held = self._load(path)
        finally:
            with self._changed:
                self._loading = False
                for one in self._held.values():
                    one.leaving = False
                self._changed.notify_all()
        return held

    def _open(self, path: Path) -> _Held | None:
        held = self._held.get(path)
        return held if held and not held.leaving and held.generator.is_running else None

    def _load(self, path: Path) -> _Held:
        """By the one thread that may; those who use what is loaded go on meanwhile."""
        need = need_bytes(path)
        require_memory(path.name, need, self._budget)
        with self._changed:
            down = [one for one in self._held.values() if not one.generator.is_running]
            going = [*down, *(one for one in self._least_used(need) if one not in down)]
            for one in going:
                one.leaving = True
            self._changed.wait_for(lambda: not any(one.users for one in going))
            going = self._take_out(going)
        _close(going)
        log.info("loading %s", path.name)
        held = _Held(path, self._make(path), users=1)
        with self._changed:
            self._held[path] = held
        self._trim()
        return held

    def _least_used(self, need: int) -> list[_Held]:
        """What has to go so that `need` fits: idle ones first, each kind by its last use."""
        going: list[_Held] = []
        free = self._budget - sum(one.generator.memory_bytes for one in self._held.values())
        for one in sorted(self._held.values(), key=lambda one: (one.users > 0, one.used_at)):
            if free >= need:
                break
            going.append(one)
            free += one.generator.memory_bytes
        return going

    def _trim(self) -> None:
        """Lets idle ones go if the newest took more than its file had said."""
        with self._changed:
            going = self._take_out([one for one in self._least_used(0) if not one.users])
            over = sum(one.generator.memory_bytes for one in self._held.values()) - self._budget
        _close(going)
        if over > 0:
            log.warning("models take %.1f GiB more than they may", over / 2**30)

    def unload_idle(self) -> float:
        """Frees what nobody has used for long; gives the seconds until there may be more."""
        now = time.monotonic()
        with self._changed:
            others = [one for one in self._held.values() if one.path != self._kept]
            idle = [one for one in others if not one.users and now - one.used_at >= self._idle_s]
            going = self._take_out(idle)
            rest = [self._idle_s - (now - one.used_at) for one in others if one not in going]
        _close(going)
        return max(1.0, min(rest, default=self._idle_s))

    def close(self) -> None:
        """Frees everything, whoever uses it."""
        with self._changed:
            going = self._take_out(list(self._held.values()))
        _close(going)

    def _take_out(self, going: list[_Held]) -> list[_Held]:
        """Those of them that nobody else has taken out before, to be closed by the caller."""
        return [one for one in going if self._held.pop(one.path, None)]


def _close(going: list[_Held]) -> None:
    # Never with the lock held: freeing gigabytes takes its time.
    for one in going:
        log.info("unloading %s", one.path.name)
        one.generator.close()


@lru_cache(maxsize=1)
def _loaded() -> Loaded:
    """This process's, which ends with it, and a thread that looks for idle models."""
    # Imported here: whoever only names a model loads no llama.cpp.
    from engines.generator import Generator

    made = Loaded(Generator, budget_bytes(), settings.model_idle_s)
    atexit.register(made.close)
    threading.Thread(target=_unload_idle, args=(made,), name="idle-models", daemon=True).start()
    return made


def _unload_idle(loaded: Loaded) -> None:
    while True:
        time.sleep(loaded.unload_idle())


_first = threading.Lock()


def loaded() -> Loaded:
    """The models of this process."""
    with _first:
        return _loaded()


def borrowed(path: Path) -> "AbstractContextManager[Generator]":
    """See `Loaded.borrowed`."""
    return loaded().borrowed(path)
