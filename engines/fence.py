"""Text from documents, put into a prompt so that it cannot pass for a part of the prompt itself."""

import re

# Nobody sees them, but a model reads them: marks of direction, blanks without width, tag letters.
# Joiners (U+200C, U+200D) stay: Persian and Hindi are spelt with them.
UNSEEN = re.compile(
    "[\u00ad\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
# Where a line begins, to whoever shows it; loaders leave of these what is no control character.
LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
# What a prompt is made of, and how chats are written down.
LABEL = re.compile(
    r"^(?=[^\w\n]{0,20}(?:sources?|question|answer|system|user|assistant|human)\W{0,5}:)",
    re.IGNORECASE | re.MULTILINE,
)
QUOTED = "> "
LONGEST_NAME = 200


def quoted(text: str) -> str:
    """The text with a quotation mark before each line that looks like a label of the prompt."""
    return LABEL.sub(QUOTED, LINE_ENDS.sub("\n", UNSEEN.sub("", text)))


def named(name: str) -> str:
    """A name on one line, cut where no name needs to go on."""
    return " ".join(UNSEEN.sub("", name).split())[:LONGEST_NAME]
