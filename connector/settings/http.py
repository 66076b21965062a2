"""Settings of the HTTP door: where it listens and who may come in."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings


class HttpSettings(BaseSettings):
    """What is served over HTTP, and the secrets that open it."""

    http_host: str = Field(default="127.0.0.1", description="Address the HTTP door binds.")
    http_port: int = Field(default=8080, ge=0, le=65535, description="Port of the HTTP door.")
    public_url: str = Field(
        default="",
        description="Base URL by which others reach our HTTP door (https://connector.hospital.example); the `aud` of"
        " CDS Hooks tokens begins with it. Empty: CONNECTOR_CONSOLE_URL.",
    )
    stow_token: SecretStr = Field(
        default=SecretStr(""), description="Bearer token of DICOMweb clients (STOW-RS, UPS-RS); empty: both are off."
    )
    hook_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Secret in the X-Connector-Secret header of rest-hooks; empty: the hook is off.",
    )
    fhir_token: SecretStr = Field(
        default=SecretStr(""),
        description="Bearer token of clients that read our own FHIR endpoint (`/fhir`); empty: the endpoint is off.",
    )
    console_token: SecretStr = Field(
        default=SecretStr(""), description="Bearer token for the console and /metrics; empty: loopback callers only."
    )
