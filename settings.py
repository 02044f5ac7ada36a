"""Every option of redten, read once from the environment and documented where it is declared."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import (
    BeforeValidator,
    Field,
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

DATA_ROOT = platformdirs.user_data_path("redten", appauthor=False)
# Beside a checkout, where `make setup` puts them.
PROJECT_WEIGHTS = Path(__file__).resolve().with_name(".weights")


def option(env: str, default: object, description: str) -> Any:
    """A field read from the variable `env`; an empty variable counts as unset."""
    return Field(default=default, validation_alias=env, description=description)


class Settings(BaseSettings):
    """What a process of redten was told; frozen, so nothing drifts after the start."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, case_sensitive=True
    )

    # --- services -------------------------------------------------------------------------------
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

    # --- what is read from outside: nothing, unless it is named here ----------------------------
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

    # --- one machine ----------------------------------------------------------------------------
    data_dir: Path = option(
        "REDTEN_DATA_DIR", DATA_ROOT / "data", "Everything `redten up` keeps between two starts."
    )
    host: str = option("REDTEN_HOST", "127.0.0.1", "Address the API listens on.")
    port: int = option("REDTEN_PORT", 3000, "Port the API listens on, TLS.")
    api_workers: int = option("REDTEN_API_WORKERS", 2, "gunicorn processes of the API.")
    api_threads: int = option("REDTEN_API_THREADS", 16, "Threads in each gunicorn process.")
    client_silence_s: float = option(
        "REDTEN_CLIENT_SILENCE_S",
        30.0,
        "Seconds that a connection over TLS may stand still in the middle of a request or a reply.",
    )
    max_streams: int = option(
        "REDTEN_MAX_STREAMS",
        0,
        "Streams that a gunicorn process holds open, each in a thread; 0: all threads but two.",
    )
    tls_cert: Path | None = option(
        "API_TLS_CERT", None, "The API's certificate (PEM); `redten up` makes and sets its own."
    )
    tls_key: Path | None = option("API_TLS_KEY", None, "The private key of that certificate.")
    tls_client_ca: Path | None = option(
        "API_TLS_CLIENT_CA", None, "Authorities (PEM) whose client certificates the API checks."
    )
    tls_client: Literal["optional", "required"] = option(
        "API_TLS_CLIENT", "optional", "Whether clients must have one, if API_TLS_CLIENT_CA is set."
    )
    metrics_dir: Path | None = option(
        "PROMETHEUS_MULTIPROC_DIR", None, "Where the API's processes add up their counters."
    )
    api_env: str = option("AI_ENV", "dev", "Name in the prefix /v1/<env>/ that clients are told.")

    # --- weights --------------------------------------------------------------------------------
    weights_dir: Path = option(
        "REDTEN_WEIGHTS_DIR",
        PROJECT_WEIGHTS if PROJECT_WEIGHTS.is_dir() else DATA_ROOT / "weights",
        "GGUF files and converted embedding models.",
    )
    model: str = option(
        "REDTEN_MODEL", "SmolLM2-135M-Instruct.Q8_0.gguf", "File name of the GGUF that answers."
    )
    model_aliases: Annotated[dict[str, str], NoDecode] = option(
        "REDTEN_MODEL_ALIASES", {}, "Other names of installed models: NAME=FILE,NAME=FILE."
    )
    model_memory: int = option(
        "REDTEN_MODEL_MEMORY_BYTES", 0, "Memory for loaded models; 0: 70 % of the machine's."
    )
    model_idle_s: float = option(
        "REDTEN_MODEL_IDLE_S", 900.0, "Seconds a model but the default one stays loaded unused."
    )
    embed_model: str = option(
        "REDTEN_EMBED_MODEL",
        "sentence-transformers/all-MiniLM-L6-v2",
        "Embedding model of new collections.",
    )
    embed_precision: Literal["auto", "float32", "int8"] = option(
        "REDTEN_EMBED_PRECISION",
        "auto",
        "What vectors are computed in; auto: as measured when the model was installed.",
    )
    reranker: str | None = option(
        "REDTEN_RERANKER", None, "Cross-encoder that orders passages anew; unset: none does."
    )
    rerank_budget_s: float = option(
        "REDTEN_RERANK_BUDGET_S", 1.0, "Seconds that it may take for one question."
    )
    threads: int = option("REDTEN_THREADS", 0, "CPU threads of an engine; 0: the cores there are.")
    n_ctx: int = option("REDTEN_N_CTX", 4096, "Largest context in tokens that a job may ask for.")
    max_tokens: int = option("REDTEN_MAX_TOKENS", 1024, "Largest answer in tokens.")
    answers_at_once: int = option(
        "REDTEN_ANSWERS_AT_ONCE", 8, "Answers that an inference worker writes at the same time."
    )
    kv_cells: int = option(
        "REDTEN_KV_CELLS", 16_384, "Tokens that the running answers of one model hold together."
    )
    turn_limit_s: float = option(
        "REDTEN_TURN_LIMIT_S",
        600.0,
        "Seconds after which an engine that computes one batch has hung, and its worker ends.",
    )
    flash_attention: bool = option(
        "REDTEN_FLASH_ATTENTION",
        True,
        "Attention in one pass; turn it off for a model that it does not work for.",
    )
    prefix_ram_bytes: int = option(
        "REDTEN_PREFIX_RAM_BYTES", 536_870_912, "Memory for prompts computed before; 0: none kept."
    )
    prefix_disk_bytes: int = option(
        "REDTEN_PREFIX_DISK_BYTES", 1_073_741_824, "Disk for those that were asked for again."
    )
    prefix_dir: Path | None = option(
        "REDTEN_PREFIX_DIR", None, "Where those lie; `prefixes` in REDTEN_DATA_DIR if unset."
    )
    deadline_s: float = option("REDTEN_DEADLINE_S", 900.0, "Seconds one generation may take.")

    # --- work -----------------------------------------------------------------------------------
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

    # --- who may do what ------------------------------------------------------------------------
    signup_enabled: bool = option("REDTEN_SIGNUP", True, "Whether strangers may make an account.")
    email_verification: bool | None = option(
        "USER_EMAIL_VERIFICATION_ENABLED",
        None,
        "Whether new and changed emails are to be verified by a link; unset: if mail can be sent.",
    )
    email_verification_required: bool = option(
        "USER_EMAIL_VERIFICATION_REQUIRED", False, "Whether nobody gets in before that."
    )
    email_verification_expiry_s: int = option(
        "USER_EMAIL_VERIFICATION_EXP_IN_SECONDS",
        2_592_000,
        "Seconds such a link is good for (30 days).",
    )
    otp_expiry_s: int = option(
        "USER_OTP_EXP_IN_SECONDS", 3600, "Seconds a one-time password is good for."
    )
    mail_from: str | None = option("REDTEN_MAIL_FROM", None, "Whom mail comes from, an address.")
    smtp_url: SecretStr | None = option(
        "REDTEN_SMTP_URL",
        None,
        "smtp://USER:PASSWORD@HOST (STARTTLS), smtps:// (TLS) or smtp+plain:// (neither, for a"
        " relay on this machine) sends mail; unset: the log of the ingest worker shows it.",
    )
    public_url: str | None = option(
        "REDTEN_PUBLIC_URL", None, "How users reach the API, for links in mail; https://HOST."
    )
    tenant_creation: Literal["anyone", "admin"] = option(
        "REDTEN_TENANT_CREATION",
        "anyone",
        "Who may make a tenant: anyone with a verified account, or administrators only.",
    )
    tenants_each: int = option("REDTEN_TENANTS_EACH", 5, "Most tenants that one user may own.")
    invitation_days: int = option(
        "REDTEN_INVITATION_DAYS", 14, "Days that an invitation to a tenant is good for."
    )
    invitations_per_day: int = option(
        "REDTEN_INVITATIONS_PER_DAY", 50, "Most invitations of one tenant in a day."
    )
    closing_every_s: float = option(
        "REDTEN_CLOSING_EVERY_S", 60.0, "Seconds between two looks for tenants to be removed."
    )
    token_header: str = option("TOKEN_HEADER", "Bearer", "Header that carries the bare token.")
    token_org: str = option("TOKEN_ORG", "redten", "The token's `org` claim.")
    token_expiry_s: int = option(
        "TOKEN_EXPIRATION_SECONDS_INTO_FUTURE", 2_592_000, "Seconds a token is good for (30 days)."
    )
    token_private_key: Path = option(
        "TOKEN_ALGO_PRIVATE_KEY", Path("jwt/private-key-pkcs8.pem"), "ES256 key that signs tokens."
    )
    token_public_key: Path = option(
        "TOKEN_ALGO_PUBLIC_KEY", Path("jwt/public-key.pem"), "ES256 key that checks tokens."
    )
    failed_tries: int = option(
        "REDTEN_FAILED_TRIES",
        10,
        "Times that logging in, signing up and the like may fail for an account, and for an"
        " address; 0: no limit.",
    )
    failed_tries_s: int = option(
        "REDTEN_FAILED_TRIES_S", 300, "Seconds within which so many may fail (5 minutes)."
    )
    proxies: int = option(
        "REDTEN_PROXIES",
        0,
        "Proxies before the API that add the client's address to X-Forwarded-For; 0: nobody may.",
    )
    # Each tenant may have another quota: `redten quotas set`.
    quota_jobs: int = option(
        "REDTEN_QUOTA_JOBS", 1000, "Questions and files of texts in flight per tenant; 0: no limit."
    )
    quota_documents: int = option(
        "REDTEN_QUOTA_DOCUMENTS", 10_000, "New documents in flight per tenant; 0: no limit."
    )
    quota_storage_bytes: int = option(
        "REDTEN_QUOTA_STORAGE_BYTES",
        107_374_182_400,
        "Documents, uploads and files of texts that a tenant may store; 0: no limit (100 GiB).",
    )
    max_upload_bytes: int = option("REDTEN_MAX_UPLOAD_BYTES", 268_435_456, "Largest file.")
    max_body_bytes: int = option("REDTEN_MAX_BODY_BYTES", 1_048_576, "Largest JSON body.")

    # --- the client; the same names as the published one ------------------------------------------
    ai_api: str = option("AI_API", "localhost:3000", "HOST:PORT of the server.")
    use_local: bool = option("USE_LOCAL", False, "Leave out the prefix /v1/<env>.")
    ai_api_ca: str | None = option("AI_API_CA", None, "File with the authority to trust.")
    ai_api_cert: str | None = option("AI_API_CERT", None, "Client certificate.")
    ai_api_key: str | None = option("AI_API_KEY", None, "Key of the client certificate.")
    ai_email: str | None = option("AI_EMAIL", None, "Who asks.")
    ai_password: SecretStr | None = option("AI_PASSWORD", None, "Their password.")
    ai_user: str | None = option("AI_USER", None, "Their name, for a new account.")
    ai_collection: str = option("AI_COLLECTION_ID", "embed-security", "Collection to ask.")
    ai_tenant: str | None = option(
        "REDTEN_TENANT", None, "Tenant acted for, by name or id; the user's default one if unset."
    )
    log: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(str.lower)] = (
        option("LOG", "info", "The least that is worth a line of log.")
    )

    @property
    def verifies_email(self) -> bool:
        """Whether accounts get a link by mail."""
        if self.email_verification is not None:
            return self.email_verification
        return self.smtp_url is not None

    @property
    def requires_verified_email(self) -> bool:
        """Whether an account is shut until its link was followed."""
        return self.email_verification_required and self.verifies_email

    @field_validator("smtp_url")
    @classmethod
    def mail_server(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        """One that can be spoken to, and somebody whom its mail comes from."""
        if value is None:
            return None
        url = urlsplit(value.get_secret_value())
        if url.scheme not in ("smtp", "smtps", "smtp+plain") or not url.hostname:
            raise ValueError("is not like smtp://USER:PASSWORD@HOST:PORT")
        if info.data.get("mail_from") is None:
            raise ValueError("needs REDTEN_MAIL_FROM beside it")
        return value

    @field_validator("model_aliases", mode="before")
    @classmethod
    def pairs(cls, value: object) -> object:
        """NAME=FILE,NAME=FILE as a dictionary."""
        if not isinstance(value, str):
            return value
        return dict(pair.split("=", 1) for pair in value.split(",") if "=" in pair)

    @field_validator("source_dirs", "s3_sources", "web_sources", "web_networks", mode="before")
    @classmethod
    def several(cls, value: object) -> object:
        """ONE,ANOTHER as a tuple."""
        if not isinstance(value, str):
            return value
        return tuple(one.strip() for one in value.split(",") if one.strip())

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


def inherited_environment() -> dict[str, str]:
    """A copy of this process's environment, for the programs it starts."""
    return dict(os.environ)


def forget_variables(prefix: str) -> None:
    """Takes variables from this process, and so from the programs it starts."""
    for name in [name for name in os.environ if name.startswith(prefix)]:
        del os.environ[name]


def _read() -> Settings:
    """The settings, or the end of the process with a line that names the variable at fault."""
    try:
        return Settings()
    except ValidationError as exc:
        wrong = "; ".join(f"{error['loc'][0]}: {error['msg']}" for error in exc.errors())
        raise SystemExit(f"redten: {wrong}") from exc


settings = _read()
