"""Settings of the HTTP door: where it listens and who may come in."""

import re
from ipaddress import ip_network

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

_CLIENT = re.compile(r"(?:([A-Za-z0-9._-]{1,64}):)?([A-Za-z0-9._~+/-]+=*)")  # the token as in RFC 6750, section 2.1


class HttpSettings(BaseSettings):
    """What is served over HTTP, and the secrets that open it."""

    http_host: str = Field(default="127.0.0.1", description="Address the HTTP door binds.")
    http_port: int = Field(default=8080, ge=0, le=65535, description="Port of the HTTP door.")
    public_url: str = Field(
        default="",
        description="Base URL by which others reach our HTTP door (https://connector.hospital.example); the `aud` of"
        " CDS Hooks tokens begins with it. Empty: CONNECTOR_CONSOLE_URL.",
    )
    trusted_proxies: str = Field(
        default="127.0.0.1",
        description="Addresses or networks of reverse proxies whose X-Forwarded-For is believed; comma-separated. Name"
        " yours: without it all its callers share one address, and 30 wrong sign-ins of anybody close sign-in for all"
        " of them for five minutes.",
    )
    stow_token: SecretStr = Field(
        default=SecretStr(""),
        description="Bearer token of DICOMweb clients (STOW-RS, UPS-RS), or one for each: `NAME:TOKEN`, several with"
        " commas; empty: both are off.",
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

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies(cls, text: str) -> str:
        for part in _parts(text):
            try:
                network = ip_network(part)
            except ValueError:
                raise ValueError(
                    f"{part!r} is no address or network: write e.g. 10.0.0.5 or 10.244.0.0/16, several with commas"
                ) from None
            if not network.prefixlen:
                raise ValueError(
                    f"{part!r} believes every caller, who may then be another at each try to sign in: name your proxy"
                )
        return text

    @field_validator("stow_token")
    @classmethod
    def _clients(cls, text: SecretStr) -> SecretStr:
        written = text.get_secret_value()
        found = [_CLIENT.fullmatch(part) for part in _parts(written)]
        tokens = [one[2] for one in found if one]
        # The text itself is a secret, and is not told. One token alone may be of any letters.
        if not {":", ","}.isdisjoint(written) and (not all(found) or len(set(tokens)) < len(found)):
            raise ValueError("is neither a token nor NAME:TOKEN with commas, each token once: write e.g. ris:s3cret")
        return text

    @property
    def dicomweb_clients(self) -> dict[str, str]:
        """Bearer token → name of the client; without a name it is `client`."""
        pairs = (part.rpartition(":") for part in _parts(self.stow_token.get_secret_value()))
        return {token: name or "client" for name, _, token in pairs}


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
