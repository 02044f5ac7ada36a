"""Work: leases, limits, and how often the clock looks."""

from pydantic_settings import BaseSettings

from settings.option import option


class Work(BaseSettings):
    """Work: leases, limits, and how often the clock looks."""

    lease_s: float = option("REDTEN_LEASE_S", 30.0, "Seconds a running step is trusted unheard.")
    sweep_every_s: float = option("REDTEN_SWEEP_EVERY_S", 3.0, "Seconds between two sweeps.")
    stale_after_s: float = option(
        "REDTEN_STALE_AFTER_S",
        15.0,
        "Seconds work waits on an empty queue before it is sent again.",
    )
    drain_s: float = option(
        "REDTEN_DRAIN_S", 8.0, "Seconds a worker that is stopped finishes in; then it hands back."
    )
    stream_length: int = option(
        "REDTEN_STREAM_LENGTH", 2048, "Events of one job that can be read again, about."
    )
    stream_kept_s: int = option(
        "REDTEN_STREAM_KEPT_S", 3600, "Seconds after its last event that a job's are kept."
    )
    max_losses: int = option("REDTEN_MAX_LOSSES", 3, "Times work may be lost while running.")
    max_resent: int = option(
        "REDTEN_MAX_RESENT", 100, "Times work that waits in vain is sent again before it fails."
    )
    blobs_wait_s: float = option(
        "REDTEN_BLOBS_WAIT_S", 120.0, "Seconds a step waits for a file store that is full or away."
    )
    loose_every_s: float = option(
        "REDTEN_LOOSE_EVERY_S", 60.0, "Seconds between two removals of files nobody refers to."
    )
    loose_after_s: float = option(
        "REDTEN_LOOSE_AFTER_S",
        900.0,
        "Seconds after which such a file goes; no upload may stand still for so long.",
    )
    ingest_at_once: int = option(
        "REDTEN_INGEST_AT_ONCE",
        0,
        "Documents that an ingest worker takes at once; 0: one more than cores, at most 16.",
    )
    exact_below: int = option(
        "REDTEN_EXACT_BELOW",
        10_000,
        "Chunks up to which a collection is searched without an index; more get one of their own.",
    )
    index_every_s: float = option(
        "REDTEN_INDEX_EVERY_S", 60.0, "Seconds between two looks for what needs an index."
    )
    index_memory_mb: int = option(
        "REDTEN_INDEX_MEMORY_MB", 1024, "Memory of Postgres for building one, at most."
    )
    parse_limit_s: float = option("REDTEN_PARSE_LIMIT_S", 300.0, "Seconds to read one file in.")
    parse_memory_bytes: int = option(
        "REDTEN_PARSE_MEMORY_BYTES", 2_147_483_648, "Memory to read one file in."
    )
    parse_pages: int = option("REDTEN_PARSE_PAGES", 20_000, "Most pages of one file.")
    parse_unpacked_bytes: int = option(
        "REDTEN_PARSE_UNPACKED_BYTES", 1 << 30, "Most that one file may hold once it is unpacked."
    )

    openai_wait_s: float = option(
        "REDTEN_OPENAI_WAIT_S", 600.0, "Seconds a completion that is not streamed is waited for."
    )
    embeddings_wait_s: float = option(
        "REDTEN_EMBEDDINGS_WAIT_S", 30.0, "Seconds that texts sent to be embedded are waited for."
    )
    retrieve_wait_s: float = option(
        "REDTEN_RETRIEVE_WAIT_S", 30.0, "Seconds that a search without an answer is waited for."
    )
    embed_texts: int = option("REDTEN_EMBED_TEXTS", 1_000_000, "Most texts of one file to embed.")
