"""How the bytes of a text file become characters, whatever the file says of itself."""

import codecs
import re
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, TextIO

from charset_normalizer import from_bytes

from ingest.load.page import LoadError

BLOCK_BYTES = 1 << 20
SAMPLE_BYTES = 1 << 16
# UTF-32 first: its little-endian mark begins with that of UTF-16.
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
CONTROL_BYTES = bytes([*range(9), *range(14, 27), *range(28, 32), 127])
MOST_CONTROLS = 0.1
# Scripts other than Latin; offered every codec, charset-normalizer takes Japanese for Korean.
LEGACY = (
    *("cp1251", "koi8_r", "cp1253", "cp1255", "cp1256"),
    *("shift_jis", "euc_jp", "gb18030", "big5", "euc_kr"),
)

# Whatever is called so is UTF-8 if it can be, else something else; or no encoding of a text.
TELL_NOTHING = {
    *("ascii", "utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32"),
    *("idna", "punycode", "unicode-escape", "raw-unicode-escape"),
}
# All of their bytes are ASCII, so that they pass for UTF-8.
ESCAPING = {"iso2022_jp", "iso2022_jp_2", "iso2022_kr", "hz", "utf-7"}
AS_BROWSERS = {
    **{"iso8859-1": "cp1252", "iso8859-9": "cp1254", "gb2312": "gb18030", "gbk": "gb18030"},
    **{"shift_jis": "cp932", "euc_kr": "cp949"},
}


def open_text(path: Path, newline: str | None = None) -> TextIO:
    """The file as characters; what cannot be decoded reads as U+FFFD. Raises LoadError."""
    with path.open("rb") as file:
        codec = encoding_of(file)
    return path.open(encoding=codec, errors="replace", newline=newline)


def decoded(content: bytes, said: str) -> str:
    """A text of which something else says the encoding, rightly or not. Raises LoadError."""
    return content.decode(encoding_of(BytesIO(content), said), "replace")


def encoding_of(file: BinaryIO, said: str = "") -> str:
    """Name of the codec that reads the file; LoadError `binary_document` if it is no text.

    What the file shows counts for more than what is `said`.
    """
    head = next(_blocks(file), b"")
    for mark, codec in MARKS:
        if head.startswith(mark):
            return codec
    if _is_binary(file, head[:SAMPLE_BYTES]):
        raise LoadError("binary_document", "the file is binary, not text")
    named = _codec(said)
    if named not in ESCAPING and _is_utf8(file):
        return "utf-8"
    return named or _legacy(_non_ascii_lines(file))


def _codec(said: str) -> str:
    """The codec of that name, as browsers understand it; "" if it tells nothing."""
    try:
        known = codecs.lookup(said.strip().strip("\"'")).name if said else ""
        "".encode(known or "ascii")
    except (LookupError, ValueError):
        return ""
    return "" if known in TELL_NOTHING else AS_BROWSERS.get(known, known)


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    yield from iter(partial(file.read, BLOCK_BYTES), b"")


def _is_binary(file: BinaryIO, head: bytes) -> bool:
    controls = len(head) - len(head.translate(None, CONTROL_BYTES))
    return controls > MOST_CONTROLS * len(head) or any(b"\0" in block for block in _blocks(file))


def _is_utf8(file: BinaryIO) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for block in _blocks(file):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _non_ascii_lines(file: BinaryIO) -> bytes:
    """The lines that tell encodings apart, up to a sample's worth."""
    sample = b""
    file.seek(0)
    for line in file:
        if not line.isascii():
            sample += line
        if len(sample) >= SAMPLE_BYTES:
            break
    return sample


def _legacy(sample: bytes) -> str:
    """The codec of bytes that are not clean UTF-8."""
    decoded = sample.decode("utf-8", "replace")
    broken = decoded.count("\ufffd")
    if sum(not char.isascii() for char in decoded) > 2 * broken:
        return "utf-8"
    # Accents stand alone among ASCII letters; other scripts fill whole words.
    runs = re.findall(rb"[\x80-\xff]+", sample)
    if sum(map(len, runs)) < 2 * len(runs):
        return "cp1252"
    return _guess(sample)


def _guess(sample: bytes) -> str:
    best = from_bytes(sample, cp_isolation=list(LEGACY)).best()
    if best is None:
        raise LoadError("binary_document", "the file is neither text in a known encoding nor a PDF")
    return best.encoding
