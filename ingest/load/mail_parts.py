"""The parts of an e-mail, as broken as they come: headers, the text to read, attachments.

By the policy `compat32`, since the newer ones fail on headers that nobody has foreseen.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from mimetypes import guess_extension
from pathlib import PurePosixPath

from ingest.load.encoding import decoded
from ingest.load.html import text_of
from ingest.load.page import Attachment, LoadError

TEXTS = ("text/plain", "text/html")
SIGNATURES = {
    *("application/pgp-signature", "application/pkcs7-signature"),
    *("application/x-pkcs7-signature", "application/pgp-encrypted"),
}
MEDIA = {"image", "audio", "video"}
UNNAMEABLE = re.compile(r"[\x00-\x1f\x7f/\\]+")
NAME_CHARS, SUFFIX_CHARS = 150, 20


def header(message: Message, name: str) -> str:
    """The header on one line, decoded as far as that goes; "" if there is none."""
    values = (value for key, value in message.raw_items() if key.lower() == name.lower())
    return _decoded(next(values, ""))


def body(part: Message) -> str:
    """The text of the message: plain if there is such, else from HTML."""
    if part.get_content_type() == "multipart/alternative":
        return _preferred(part)
    if _is_container(part):
        texts = [body(inner) for inner in _inner(part) if _is_container(inner) or _is_text(inner)]
        return "\n\n".join(filter(None, texts))
    return _text(part) if part.get_content_type() in TEXTS else ""


def attachments(message: Message) -> Iterator[Attachment]:
    """Everything that is not shown with the text, under names that differ; messages as .eml."""
    taken: set[str] = set()
    for number, part in enumerate(filter(_is_attachment, _leaves(message)), 1):
        name = _free(_name(part, number), taken)
        taken.add(name)
        yield Attachment(name, _content(part))


def _decoded(raw: object) -> str:
    # Bytes that are not ASCII have come as surrogates; nowadays they are UTF-8.
    text = str(raw).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    with suppress(MessageError, LookupError, ValueError):
        text = str(make_header(decode_header(text)))
    return " ".join(text.split())


def _said(read: Callable[[], str | None]) -> str:
    """A parameter of a header; a charset with a NUL in its name makes it unreadable."""
    try:
        return read() or ""
    except ValueError:
        return ""


def _preferred(alternatives: Message) -> str:
    texts = [(part.get_content_type(), body(part).strip()) for part in _inner(alternatives)]
    plain = [text for kind, text in texts if kind == "text/plain" and text]
    # The best comes last.
    return next(iter(plain), "") or next((text for _, text in reversed(texts) if text), "")


def _inner(part: Message) -> list[Message]:
    payload = part.get_payload() if part.is_multipart() else []
    return [one for one in payload if isinstance(one, Message)]


def _is_message(part: Message) -> bool:
    return part.get_content_type() in ("message/rfc822", "message/global")


def _is_container(part: Message) -> bool:
    return part.is_multipart() and not _is_message(part)


def _is_text(part: Message) -> bool:
    """Whether it is part of what is read, rather than a file sent along."""
    is_file = part.get_content_disposition() == "attachment" or _said(part.get_filename)
    return part.get_content_type() in TEXTS and not is_file


def _text(part: Message) -> str:
    try:
        text = decoded(_payload(part), _said(part.get_content_charset))
    except LoadError:
        return ""
    if part.get_content_type() == "text/html":
        return text_of(text)
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _payload(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _leaves(message: Message) -> Iterator[Message]:
    for part in _inner(message):
        if _is_container(part):
            yield from _leaves(part)
        else:
            yield part


def _is_attachment(part: Message) -> bool:
    is_inline_medium = (
        part.get_content_maintype() in MEDIA and part.get_content_disposition() != "attachment"
    )
    is_signature = part.get_content_type() in SIGNATURES
    return not (_is_text(part) or is_inline_medium or is_signature)


def _content(part: Message) -> bytes:
    messages = _inner(part)
    return messages[0].as_bytes() if messages else _payload(part)


def _name(part: Message, number: int) -> str:
    said = _decoded(_said(part.get_filename)).replace("\\", "/").rpartition("/")[2].strip()
    if _is_message(part):
        subject = header(_inner(part)[0], "Subject") if _inner(part) else ""
        said = (said or subject or f"message-{number}").removesuffix(".eml") + ".eml"
    elif not said.strip(". "):
        said = f"attachment-{number}{guess_extension(part.get_content_type()) or ''}"
    path = PurePosixPath(UNNAMEABLE.sub(" ", said))
    return path.stem[:NAME_CHARS] + path.suffix[:SUFFIX_CHARS]


def _free(name: str, taken: set[str]) -> str:
    path, number = PurePosixPath(name), 2
    while name in taken:
        name = f"{path.stem} ({number}){path.suffix}"
        number += 1
    return name
