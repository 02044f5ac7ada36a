"""Who may do what: accounts, mail, tenants, tokens, limits, quotas."""

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings

from settings.option import option


class Access(BaseSettings):
    """Who may do what: accounts, mail, tenants, tokens, limits, quotas."""

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
