"""A model's file on its way into the weights folder: fetched, checked, put in place, registered."""

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy.orm import Session
from tqdm import tqdm

from engines.errors import EngineError
from engines.gguf_file import ADAPTER, GgufFacts, inspect, mismatch
from engines.hub import SCHEME, download
from engines.loaded import budget_bytes, need_bytes, require_memory
from engines.weights import requantize
from local.landing import landing
from models.model import default_model
from models.registry import Traits, Weights, add_adapter, add_model, require_free, require_model
from settings import settings

Registry = Callable[[], AbstractContextManager[Session]]

PIECE_BYTES = 1 << 20
ADAPTERS = "adapters"
LONGEST_LICENCE = 128

Quantization = Literal["Q8_0", "Q4_0"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `redten models add` was told."""

    source: str
    name: str | None
    requantize: Quantization | None
    base: str | None


def add(registry: Registry, wanted: Wanted) -> str:
    """Fetches, checks and registers a model or an adapter; gives its name.

    Raises EngineError and RedtenError, and then leaves the registry and the weights as they were.
    """
    settings.weights_dir.mkdir(parents=True, exist_ok=True)
    with _source(wanted.source) as source:
        facts = inspect(source)
        name = _name(source, wanted)
        with registry() as session:
            require_free(session, name)
        if facts.kind == ADAPTER:
            _add_adapter(registry, source, facts, wanted, name)
        else:
            _add_model(registry, source, facts, wanted, name)
    return name


@contextmanager
def _source(named: str) -> Iterator[Path]:
    """The file itself, or the one that is fetched, for as long as the block lasts."""
    if not named.startswith(SCHEME):
        path = Path(named).expanduser()
        if not path.is_file():
            raise EngineError("no_file", f"{named} is no file; hf:OWNER/REPO/FILE fetches one")
        yield path.resolve()
        return
    with landing(named) as folder:
        yield download(named, folder)


def _name(source: Path, wanted: Wanted) -> str:
    stem = source.name.removesuffix(".gguf")
    if wanted.requantize:
        stem = f"{_without_quantization(stem)}.{wanted.requantize}"
    name = wanted.name or stem
    if "/" in name:
        raise EngineError("bad_name", f"{name!r} names a file as well: leave the slash out")
    return name


def _without_quantization(stem: str) -> str:
    return re.sub(r"[.-](I?Q\d\w*|B?F\d+)$", "", stem, flags=re.IGNORECASE)


def _add_model(
    registry: Registry, source: Path, facts: GgufFacts, wanted: Wanted, name: str
) -> None:
    if wanted.base:
        raise EngineError("no_adapter", f"{source.name} is a whole model: leave --base out")
    if not facts.n_ctx_train or not facts.architecture:
        raise EngineError("no_model", f"{source.name} is no language model: it has no context")
    if not wanted.requantize:
        require_memory(name, need_bytes(source), budget_bytes())
    with _in_place(source, _target(source, name, wanted), name, wanted.requantize) as weights:
        made = settings.weights_dir / weights.file
        require_memory(name, need_bytes(made), budget_bytes())
        traits = _traits(inspect(made) if wanted.requantize else facts)
        with registry() as session:
            add_model(session, weights, traits)


def _target(source: Path, name: str, wanted: Wanted) -> Path:
    """A file that lies in the weights folder already is registered where it is."""
    folder = settings.weights_dir.resolve()
    return source if source.parent == folder and not wanted.requantize else folder / f"{name}.gguf"


def _traits(facts: GgufFacts) -> Traits:
    return Traits(
        architecture=facts.architecture,
        quantization=facts.quantization,
        n_ctx_train=facts.n_ctx_train,
        parameters=facts.parameters,
        has_chat_template=facts.has_chat_template,
        licence=facts.licence and facts.licence[:LONGEST_LICENCE],
    )


def _add_adapter(
    registry: Registry, source: Path, facts: GgufFacts, wanted: Wanted, name: str
) -> None:
    if wanted.requantize:
        raise EngineError("no_model", f"{source.name} is an adapter: leave --requantize out")
    with registry() as session:
        base = require_model(session, wanted.base or default_model(session).name)
    if why := mismatch(facts, inspect(settings.weights_dir / base.file)):
        said = f"{source.name} is no adapter of {base.name}: {why} (--base names another)"
        raise EngineError("wrong_base", said)
    # Apart from the models: a job that names a file must not be answered by half of one.
    target = settings.weights_dir.resolve() / ADAPTERS / f"{name}.gguf"
    target.parent.mkdir(exist_ok=True)
    with _in_place(source, target, name, None) as weights, registry() as session:
        add_adapter(session, weights, base)


@contextmanager
def _in_place(
    source: Path, target: Path, name: str, kind: Quantization | None
) -> Iterator[Weights]:
    """The file in the weights folder, taken out again if what follows fails."""
    there = source == target
    if target.exists() and not there:
        raise EngineError("file_exists", f"{target} is there already: choose another --name")
    file = target.relative_to(settings.weights_dir.resolve())
    with ExitStack() as undo:
        if not there:
            undo.callback(target.unlink, missing_ok=True)
        if kind:
            requantize(source, target, kind)
        sha256 = _digest(target) if there or kind else _copied(source, target)
        yield Weights(name, str(file), sha256, target.stat().st_size)
        undo.pop_all()


def _copied(source: Path, target: Path) -> str:
    half_made = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        sha256 = _digest(source, half_made)
        half_made.replace(target)
    finally:
        half_made.unlink(missing_ok=True)
    return sha256


def _digest(source: Path, copy: Path | None = None) -> str:
    """The SHA-256 of a file, copied on the way if that is asked for."""
    digest = hashlib.sha256()
    with (
        source.open("rb") as file,
        (copy or Path(os.devnull)).open("wb") as out,
        tqdm(total=source.stat().st_size, unit="B", unit_scale=True, disable=None) as bar,
    ):
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
            out.write(piece)
            bar.update(len(piece))
    return digest.hexdigest()
