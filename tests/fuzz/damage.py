"""Files as nobody should make them: valid ones damaged at random, in the parts of archives too."""

import re
from io import BytesIO
from random import Random
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

from hypothesis import strategies as st

from tests.fuzz.seeds import MAKERS

# What parsers trip over.
TOKENS = (
    *(b"", b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\x1b", b"\r", b"\f", b"-1", b"1e999", b"NaN"),
    *(
        b"99999999999999999999",
        b"4294967296",
        b"2147483648",
        b"0x",
        b"\xe2\x80\xae",
        b"\xef\xbb\xbf",
    ),
    *(b"<", b"</", b"<![CDATA[", b"<!--", b"-->", b"&e;", b"&#0;", b"&#xD800;", b'"', b"'", b"\\u"),
    *(b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>", b"]]>", b"<?xml version='9'?>"),
    *(
        b"[",
        b"{",
        b"(",
        b"%",
        b">>",
        b"<<",
        b"endobj",
        b"stream",
        b"xref",
        b"/Kids",
        b"0 R",
        b"obj",
    ),
    *(b"Content-Type: multipart/mixed; boundary=x\n\n--x\n", b"=?utf-8?b?", b"--x--", b"\nFrom "),
    *(
        b"charset=utf-7",
        b"charset=\0",
        b"Content-Transfer-Encoding: uuencode\n",
        b"PAR1",
        b"PK\3\4",
    ),
    *(b"../../", b"```", b"#", b"---\n", b"|", b";", b"\t", b"\xc2\xa0", b"\xf0\x9f\x92\xa1"),
)
NUMBER = re.compile(rb"\d+")
NUMBERS = (b"0", b"-1", b"65536", b"2147483647", b"9" * 20, b"9" * 5000, b"1e308", b"x")
MOST_TIMES = (2, 50, 3000)
MOST_BYTES = 1 << 20
# Made beforehand: the libraries draw random numbers, and hypothesis wants to draw them all itself.
SEEDS = {name: make() for name, make in MAKERS.items()}


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    """A name and a file that is called so."""
    name, other = draw(st.sampled_from(sorted(SEEDS))), draw(st.sampled_from(sorted(SEEDS)))
    chance = draw(st.randoms(use_true_random=True))
    content = SEEDS[name]
    parts = _parts(content) if chance.random() < 0.8 else {}
    if parts:
        part = chance.choice(sorted(parts))
        parts[part] = _damage(chance, parts[part], SEEDS[other])
        return name, _zipped(parts)
    return name, _damage(chance, content, SEEDS[other])


def _damage(chance: Random, content: bytes, other: bytes) -> bytes:
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        content = _once(chance, content, other)[:MOST_BYTES]
    return content


def _once(chance: Random, content: bytes, other: bytes) -> bytes:
    start = chance.randrange(len(content) + 1)
    end = min(len(content), start + chance.choice((1, 4, 30, 300)))
    before, cut, after = content[:start], content[start:end], content[end:]
    match chance.randrange(8):
        case 0:
            return before + bytes(chance.randrange(256) for _ in cut) + after
        case 1:
            return before + after
        case 2:
            return before + cut * chance.choice(MOST_TIMES) + after
        case 3:
            return before + chance.choice(TOKENS) * chance.choice((1, *MOST_TIMES)) + cut + after
        case 4:
            return before
        case 5:
            place = chance.randrange(len(other) + 1)
            return before + other[place : place + 300] + after
        case 6:
            return before + NUMBER.sub(chance.choice(NUMBERS), content[start:], count=1)
    return before + _nested(chance) + after


def _nested(chance: Random) -> bytes:
    """The same thing within itself, often."""
    times = chance.choice(MOST_TIMES)
    begin, end = chance.choice(((b"[", b"]"), (b"{", b"}"), (b"<b>", b"</b>"), (b"<<", b">>")))
    return begin * times + end * times


def _parts(content: bytes) -> dict[str, bytes]:
    try:
        with ZipFile(BytesIO(content)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except BadZipFile:
        return {}


def _zipped(parts: dict[str, bytes]) -> bytes:
    out = BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()
