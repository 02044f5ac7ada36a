"""Damage done to Office files, whose parts are XML in a ZIP."""

from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile


def rewrite(path: Path, part: str, change: Callable[[bytes], bytes]) -> None:
    """Changes one part of the file and leaves the others."""
    with ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts[part] = change(parts[part])
    with ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def without(path: Path, part: str) -> None:
    """Takes one part out of the file."""
    with ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist() if name != part}
    with ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def bomb(root: bytes) -> Callable[[bytes], bytes]:
    """Puts an entity that grows a billion times into the part, within the element `root`."""
    entities = b'<!ENTITY e0 "ha">' + b"".join(
        b'<!ENTITY e%d "%s">' % (n, b"&e%d;" % (n - 1) * 10) for n in range(1, 10)
    )

    def change(xml: bytes) -> bytes:
        declaration, rest = xml.split(b"?>", 1)
        head, tail = rest.split(b"<" + root + b">", 1)
        doctype = b"?><!DOCTYPE x [" + entities + b"]>"
        return declaration + doctype + head + b"<" + root + b">&e9;" + tail

    return change
