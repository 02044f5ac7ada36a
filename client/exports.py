"""Answers and their reviews as a file."""

from dataclasses import dataclass
from typing import BinaryIO, Literal
from urllib.parse import urlencode

from client.account import Account

Format = Literal["csv", "jsonl"]


@dataclass(frozen=True, slots=True)
class Exports:
    """What can be taken away."""

    account: Account

    def answers(
        self, file: BinaryIO, format: Format = "csv", collection: str | None = None
    ) -> None:
        """Writes all answers that one may see to `file`, of one collection if it is named."""
        wanted = {"format": format} | ({"collection": collection} if collection else {})
        query = urlencode(wanted, errors="replace")
        for piece in self.account.pieces(f"/ai/result/export?{query}"):
            file.write(piece)
