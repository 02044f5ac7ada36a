"""What is read from outside: nothing, unless it is named here."""

from typing import Annotated

from pydantic import IPvAnyNetwork, field_validator
from pydantic_settings import BaseSettings, NoDecode

from settings.option import option


class Sources(BaseSettings):
    """What is read from outside: nothing, unless it is named here."""

    # `{tenant}` in a folder or prefix stands for the id of the tenant that reads.
    source_dirs: Annotated[tuple[str, ...], NoDecode] = option(
        "REDTEN_SOURCE_DIRS", (), "Folders of the worker that sources may lie in: /srv/docs,..."
    )
    s3_sources: Annotated[tuple[str, ...], NoDecode] = option(
        "REDTEN_S3_SOURCES", (), "s3://BUCKET/PREFIX,... that sources may lie in."
    )
    web_sources: Annotated[tuple[str, ...], NoDecode] = option(
        "REDTEN_WEB_SOURCES",
        (),
        "Hosts whose pages and feeds may be read, HOST or HOST:PORT,...; 1: any, over https.",
    )
    web_networks: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = option(
        "REDTEN_WEB_NETWORKS", (), "Private addresses that those hosts may have: 10.1.0.0/16,..."
    )
    web_bytes: int = option("REDTEN_WEB_BYTES", 20_971_520, "Largest page, unpacked.")
    web_limit_s: float = option("REDTEN_WEB_LIMIT_S", 60.0, "Seconds that reading one may take.")
    source_items: int = option("REDTEN_SOURCE_ITEMS", 100_000, "Most documents of one source.")
    source_fresh_s: float = option(
        "REDTEN_SOURCE_FRESH_S",
        300.0,
        "Seconds that a question's own sources are taken as they were read last.",
    )
    rag_kept_s: float = option(
        "REDTEN_RAG_KEPT_S",
        604_800.0,
        "Seconds that those stay searchable after the last question that named them (7 days).",
    )

    @field_validator("source_dirs", "s3_sources", "web_sources", "web_networks", mode="before")
    @classmethod
    def several(cls, value: object) -> object:
        """ONE,ANOTHER as a tuple."""
        if not isinstance(value, str):
            return value
        return tuple(one.strip() for one in value.split(",") if one.strip())
