"""Routes with a name in them."""

from urllib.parse import quote


def documents_of(collection: str) -> str:
    """The documents of a collection, named by name or id."""
    return f"/collections/{quoted(collection)}/documents"


def quoted(name: str) -> str:
    """As one part of a path; half characters, as a broken argument gives them, become `?`."""
    return quote(name, safe="", errors="replace")
