"""What the client is told, by the same names as the published one, and how much is logged."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, SecretStr
from pydantic_settings import BaseSettings

from settings.option import option


class ClientOptions(BaseSettings):
    """What the client is told, by the same names as the published one, and how much is logged."""

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
