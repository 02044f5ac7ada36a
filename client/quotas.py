"""How much a tenant uses of what it may have."""

from pydantic import BaseModel

from client.records import CONFIG


class Usage(BaseModel):
    """How much is used of how much; 0 is no limit."""

    model_config = CONFIG

    used: int
    most: int


class Quota(BaseModel):
    """Questions and files of texts in flight, new documents in flight, and what is stored."""

    model_config = CONFIG

    jobs: Usage
    documents: Usage
    storage_bytes: Usage
