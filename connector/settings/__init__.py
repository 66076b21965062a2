"""Every setting: its name, default, unit and meaning. Read from `CONNECTOR_*` variables, secrets also from files."""

import os
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SecretsSettingsSource, SettingsConfigDict

from connector.settings.console import ConsoleSettings
from connector.settings.dicom import DicomSettings
from connector.settings.ehr import EhrSettings
from connector.settings.forms import well_formed
from connector.settings.hl7v2 import Hl7Settings
from connector.settings.http import HttpSettings
from connector.settings.watch import WatchSettings
from connector.settings.work import WorkSettings

_SECRETS_DIR = Path("/run/secrets")  # where Docker, Podman and Kubernetes put them by custom


class Settings(WatchSettings, ConsoleSettings, Hl7Settings, EhrSettings, HttpSettings, DicomSettings, WorkSettings):
    """The whole configuration; only `app.py` and what it is made of read it."""

    # A value that is refused may be a secret, and an error's text may end in a log.
    model_config = SettingsConfigDict(env_prefix="CONNECTOR_", extra="ignore", hide_input_in_errors=True)

    secrets_dir: Path = Field(
        default=_SECRETS_DIR,
        description="Folder of secret files: `connector_stow_token` holds CONNECTOR_STOW_TOKEN, and so for every"
        " setting. A variable wins over a file; systemd's credentials are read too.",
    )

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_not_set(cls, value: Any, about: ValidationInfo) -> Any:
        """A file or a port that is set to nothing, as `${NAME:-}` of a compose file does, is not set."""
        has_none = about.field_name is not None and cls.model_fields[about.field_name].default is None
        return None if value == "" and has_none else value

    @field_validator("*")
    @classmethod
    def _well_formed(cls, value: Any, about: ValidationInfo) -> Any:
        """Refuse at the start what would else fail, or be passed over, when the first study is there."""
        return well_formed(about.field_name or "", value)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - no .env is read, the signature is the library's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - replaced: the folder is itself a setting
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments first, then variables, then secret files."""
        return init_settings, env_settings, SecretsSettingsSource(settings_cls, secrets_dir=secret_folders())


class GivenSettings(Settings):
    """Settings as given, else their defaults: no variable and no secret file enters, as for the demo's service."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is the library's, here and below
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments only."""
        return (init_settings,)


def secret_folders() -> list[Path]:
    """The folders there are; one that is named and cannot be read fails loudly, the customary one is passed over."""
    asked = [os.environ.get(name, "") for name in ("CONNECTOR_SECRETS_DIR", "CREDENTIALS_DIRECTORY")]
    if not asked[0] and os.access(_SECRETS_DIR, os.R_OK | os.X_OK):
        asked[0] = str(_SECRETS_DIR)
    return [Path(folder) for folder in asked if folder and Path(folder).is_dir()]


def explain() -> list[tuple[str, str, str]]:
    """Environment variable, default and meaning of every setting, in order."""
    rows = []
    for name, setting in Settings.model_fields.items():
        default = setting.default
        shown = "(secret)" if isinstance(default, SecretStr) and default.get_secret_value() else default
        shown = "" if isinstance(default, SecretStr) or default is None else shown
        rows.append((f"CONNECTOR_{name.upper()}", str(shown), setting.description or ""))
    return rows


def in_force(settings: Settings) -> list[tuple[str, str, str]]:
    """Variable, value in force and meaning of every setting, in order; a secret says only whether it is set."""
    rows = []
    for name, setting in Settings.model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            shown = "set (hidden)" if value.get_secret_value() else "not set"
        elif name.endswith("_url") and isinstance(value, str) and "@" in value:
            shown = "set (hidden: it holds a password)"
        else:
            shown = "" if value is None else str(value)
        rows.append((f"CONNECTOR_{name.upper()}", shown, setting.description or ""))
    return rows
