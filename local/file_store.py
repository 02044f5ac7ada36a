"""The file store of a deployment, as backup and restore see it: by place."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from local.layout import Layout
from models.errors import RedtenError
from settings import settings
from tasks.blobs import Blobs, FolderBlobs, get_blobs
from tasks.uploads import S3
from tasks.uploads import place as elsewhere


@dataclass(frozen=True)
class FileStore:
    """A deployment's own store, and the locations in S3 that its users have chosen."""

    own: Blobs

    @classmethod
    def of(cls, layout: Layout) -> "FileStore":
        """That of REDTEN_BLOBS, else of the data directory."""
        return cls(get_blobs() if settings.blobs else FolderBlobs(layout.blobs))

    @property
    def location(self) -> str:
        """s3://bucket/prefix/, or nothing for a folder."""
        return self.own.location("")

    def below(self, place: str) -> Iterator[str]:
        """The files that a place stands for; those in its own store by key."""
        place = self._key(place)
        if not place.endswith("/"):
            yield place
        else:
            yield from self.own.keys(place.rstrip("/"))

    def get(self, place: str, path: Path) -> None:
        """Fetches a file. Raises KeyError if it is not there."""
        store, key = self._find(place)
        store.get(key, path)

    def put(self, place: str, path: Path) -> None:
        """Puts a file back; what lies at a place that a user chose stays as it is."""
        store, key = self._find(place, chosen=True)
        if store is self.own:
            return store.put(key, path)
        try:
            with path.open("rb") as file:
                store.put_stream(key, iter(lambda: file.read(1 << 20), b""))
        except RedtenError as error:
            if error.code != "location_taken":
                raise

    def _key(self, place: str) -> str:
        return place.removeprefix(self.location) if self.location else place

    def _find(self, place: str, *, chosen: bool = False) -> tuple[Blobs, str]:
        key = self._key(place)
        return elsewhere(key, chosen=chosen) if key.startswith(S3) else (self.own, key)
