"""Saved states of prompts in a folder: found again after a restart, damaged ones removed."""

import hashlib
import logging
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from engines.context import State

log = logging.getLogger(__name__)

# Magic and the SHA-256 of all that follows: the number of tokens, the tokens (int32), the state.
HEAD = struct.Struct("<8s32sI")
SIGNED_FROM = 40
MAGIC = b"redtenKV"


class PrefixFiles:
    """One model's files, below a folder in which all models' together take at most `limit` bytes.

    The least recently used go first, whosever they are.
    """

    def __init__(self, folder: Path, model_key: str, limit: int) -> None:
        self._all, self._own, self._limit = folder, folder / model_key, limit
        if limit:
            try:
                # What lies here can be turned back into the documents' words.
                self._own.mkdir(parents=True, exist_ok=True, mode=0o700)
            except OSError as error:
                log.warning("no prompt is kept on disk: %s", error)
                self._limit = 0

    def known(self) -> Iterator[tuple[Path, list[int], str]]:
        """Every file with its tokens and their key, as far as the names tell."""
        for path in sorted(self._own.glob("*.kv")):
            tokens = self._tokens(path)
            if tokens is None:
                _remove(path, "cannot be read")
            else:
                yield path, tokens, path.name.partition("-")[0]

    @staticmethod
    def _tokens(path: Path) -> list[int] | None:
        """The tokens alone; whether the file is whole is seen when it is read."""
        try:
            with path.open("rb") as file:
                magic, _, count = HEAD.unpack(file.read(HEAD.size))
                largest = path.stat().st_size
                tokens = np.frombuffer(file.read(min(count * 4, largest)), "<i4")
        except (OSError, struct.error, ValueError):
            return None
        return tokens.tolist() if magic == MAGIC and len(tokens) == count else None

    def write(self, tokens: list[int], key: str, state: State) -> Path | None:
        """Stores a state; None if it is larger than all may be, or the disk takes no more."""
        body = np.asarray(tokens, "<i4").tobytes()
        if not self._make_room(HEAD.size + len(body) + len(state)):
            return None
        path = self._own / f"{key}-{hashlib.sha256(body).hexdigest()[:32]}.kv"
        half_made = path.with_suffix(f".{os.getpid()}.part")
        head = HEAD.pack(MAGIC, bytes(32), len(tokens))
        digest = hashlib.sha256(head[SIGNED_FROM:] + body)
        digest.update(state.data)
        try:
            with open(half_made, "wb", opener=_private) as file:
                file.write(MAGIC + digest.digest() + head[SIGNED_FROM:])
                file.write(body)
                file.write(state.data)
            half_made.replace(path)
        except OSError as error:
            log.warning("a prompt is not kept on disk: %s", error)
            with suppress(OSError):
                half_made.unlink(missing_ok=True)
            return None
        return path

    def read(self, path: Path, tokens: list[int]) -> State | None:
        """The state, or None if the file is gone or damaged; a damaged one is removed."""
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        body = HEAD.size + len(tokens) * 4
        rest = memoryview(content)[SIGNED_FROM:]
        signed = MAGIC + hashlib.sha256(rest).digest() + struct.pack("<I", len(tokens))
        whole = content.startswith(signed) and len(content) > body
        if not whole or content[HEAD.size : body] != np.asarray(tokens, "<i4").tobytes():
            _remove(path, "is damaged")
            return None
        return np.frombuffer(content, np.uint8, offset=body)

    def _make_room(self, size: int) -> bool:
        if size > self._limit:
            return False
        files = sorted((s.st_mtime, s.st_size, path) for path, s in self._sizes())
        total = sum(size for _, size, _ in files)
        for _, freed, path in files:
            if total + size <= self._limit:
                break
            path.unlink(missing_ok=True)
            total -= freed
        return True

    def _sizes(self) -> Iterator[tuple[Path, os.stat_result]]:
        # With what a killed process has left half made.
        for path in self._all.glob("*/*"):
            try:
                yield path, path.stat()
            except FileNotFoundError:
                continue


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, mode=0o600)


def _remove(path: Path, why: str) -> None:
    log.warning("%s %s and is removed", path.name, why)
    path.unlink(missing_ok=True)
