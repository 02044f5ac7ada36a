"""The services that redten stands on: Postgres, Redis, the file store."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode

from settings.option import option


class Services(BaseSettings):
    """The services that redten stands on: Postgres, Redis, the file store."""

    database_url: SecretStr | None = option(
        "DATABASE_URL", None, "Postgres with pgvector. Unset: `redten up` starts its own."
    )
    database_admin_url: SecretStr | None = option(
        "DATABASE_ADMIN_URL", None, "Who owns the tables and migrates them; DATABASE_URL if unset."
    )
    redis_url: SecretStr | None = option(
        "REDIS_URL", None, "Redis or Valkey for messages. Unset: `redten up` starts its own."
    )
    pg_bin: Path | None = option(
        "REDTEN_PG_BIN",
        None,
        "Folder of pg_dump and pg_restore; unset: of the embedded Postgres, or those in PATH.",
    )
    blobs: str | None = option(
        "REDTEN_BLOBS", None, "Where files lie: a folder or s3://bucket/prefix."
    )
    s3_endpoint: str | None = option(
        "REDTEN_S3_ENDPOINT", None, "Address of an S3 server other than Amazon's."
    )
    s3_public_endpoint: str | None = option(
        "REDTEN_S3_PUBLIC_ENDPOINT", None, "The same as users reach it, for links to download."
    )
    s3_encryption: Literal["AES256", "aws:kms", "none"] | None = option(
        "REDTEN_S3_ENCRYPTION", None, "At rest; unset: AES256 at Amazon, elsewhere the server's."
    )
    s3_storage_class: str | None = option(
        "S3_STORAGE_CLASS", None, "Of documents and uploads; unset: the bucket's own."
    )
    upload_locations: Annotated[tuple[str, ...], NoDecode] = option(
        "REDTEN_UPLOAD_LOCATIONS",
        (),
        "s3://BUCKET/PREFIX,... below which uploads may choose a place, in <tenant id>/.",
    )
    download_link_s: int = option(
        "REDTEN_DOWNLOAD_LINK_S", 300, "Seconds that a link to download from S3 is good for."
    )

    statement_limit_s: float = option(
        "REDTEN_STATEMENT_LIMIT_S",
        30.0,
        "Seconds of one statement in Postgres, and of any wait for a lock; building an index and"
        " the like may take longer.",
    )
    idle_transaction_s: float = option(
        "REDTEN_IDLE_TRANSACTION_S", 300.0, "Seconds after which Postgres ends one that is idle."
    )

    @field_validator("upload_locations", mode="before")
    @classmethod
    def locations(cls, value: object) -> object:
        """s3://BUCKET/PREFIX,... without slashes at their ends."""
        if not isinstance(value, str):
            return value
        named = tuple(one.strip().rstrip("/") for one in value.split(",") if one.strip())
        for one in named:
            if not re.fullmatch(r"s3://[^/]+(/[^/]+)*", one):
                raise ValueError(f"{one} is not like s3://BUCKET/PREFIX")
        return named
