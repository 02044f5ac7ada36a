"""Where documents come from: the paths that somebody names, folders, S3 and the web."""

from ingest.sources.paths import Refused, Source, find

__all__ = ["Refused", "Source", "find"]
