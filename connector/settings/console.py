"""Settings of the console: who signs in, how long, and through which OpenID provider."""

from typing import Literal, get_args

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

RoleName = Literal["operator", "clinician", "physicist"]


class ConsoleSettings(BaseSettings):
    """Sessions and sign-in of people; machines use the console token."""

    console_url: str = Field(
        default="",
        description="Address people use for the console (https://…), when a proxy stands before it; empty: as asked.",
    )
    made_up_patients: bool = Field(
        default=False,
        description="Every patient here is made up (training, demo): without a sign-in, callers on this machine see"
        " names, open documents and decide. Never where a real patient may come in.",
    )
    console_idle_minutes: float = Field(
        default=30.0, gt=0, description="Minutes without use after which a person signs in again."
    )
    console_session_hours: float = Field(
        default=10.0, gt=0, description="Hours after which a person signs in again, however busy."
    )
    oidc_issuer: str = Field(
        default="", description="Issuer URL of the OpenID provider for the console; empty: no OpenID sign-in."
    )
    oidc_client_id: str = Field(default="", description="Client id of the console at the OpenID provider.")
    oidc_client_secret: SecretStr = Field(
        default=SecretStr(""), description="Client secret at the OpenID provider; empty: a public client (PKCE only)."
    )
    oidc_scope: str = Field(default="openid profile", description="Scopes asked for, separated by blanks.")
    oidc_name_claim: str = Field(
        default="preferred_username", description="Claim that names the person in the logbook; without it `sub`."
    )
    oidc_role_claim: str = Field(
        default="roles", description="Claim that holds the person's groups; a dot goes one level deeper."
    )
    oidc_roles: str = Field(
        default="operator=operator,clinician=clinician,physicist=physicist",
        description="Group to role: `GROUP=operator|clinician|physicist`, several with commas.",
    )

    @field_validator("oidc_roles")
    @classmethod
    def _known_roles(cls, text: str) -> str:
        for pair in filter(None, (part.strip() for part in text.split(","))):
            group, equals, role = pair.rpartition("=")
            if not (group.strip() and equals and role.strip() in get_args(RoleName)):
                raise ValueError(
                    f"{pair!r} is not GROUP=role: write e.g. irt-doctors=clinician; roles are"
                    f" {', '.join(get_args(RoleName))}"
                )
        return text

    @property
    def roles_of_groups(self) -> dict[str, tuple[str, ...]]:
        """Group of the OpenID provider → roles of the console."""
        found: dict[str, tuple[str, ...]] = {}
        for pair in filter(None, (part.strip() for part in self.oidc_roles.split(","))):
            group, _, role = pair.rpartition("=")
            found[group.strip()] = (*found.get(group.strip(), ()), role.strip())
        return found
