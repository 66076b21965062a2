"""Every setting: its name, default, unit and meaning. Read from `CONNECTOR_*` variables, secrets also from files."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SecretsSettingsSource, SettingsConfigDict

_SECRETS_DIR = Path("/run/secrets")  # where Docker, Podman and Kubernetes put them by custom


class Settings(BaseSettings):
    """The whole configuration; only `app.py` reads it."""

    model_config = SettingsConfigDict(env_prefix="CONNECTOR_", extra="ignore")

    secrets_dir: Path = Field(
        default=_SECRETS_DIR,
        description="Folder of secret files: `connector_stow_token` holds CONNECTOR_STOW_TOKEN, and so for every"
        " setting. A variable wins over a file; systemd's credentials are read too.",
    )
    data_dir: Path = Field(
        default=Path("connector-data"),
        description="Folder for received instances, documents waiting, and the SQLite ledger.",
    )
    database_url: str = Field(default="", description="SQLAlchemy URL of the ledger; empty: SQLite in the data folder.")
    broker_url: str = Field(
        default="memory://", description="Celery broker; `memory://` is for `serve` only, else redis://."
    )

    ae_title: str = Field(
        default="CONNECTOR", max_length=16, description="Our AE title; a called AE title must equal it."
    )
    dicom_host: str = Field(default="127.0.0.1", description="Address the DICOM listener binds.")
    dicom_port: int = Field(default=11112, ge=0, le=65535, description="Port of the DICOM listener.")
    allowed_calling_ae_titles: str = Field(
        default="", description="Comma-separated AE titles that may send; empty: every one (set it in production)."
    )
    maximum_associations: int = Field(
        default=64, ge=1, description="Associations served at once; the next is rejected."
    )
    disk_reserve_mb: int = Field(
        default=2048, ge=0, description="Free disk space in MB below which storage answers A700."
    )
    quiet_seconds: float = Field(
        default=30.0, ge=0, description="Seconds without a new instance after which a study counts as complete."
    )
    offer_storage_commitment: bool = Field(
        default=False,
        description="Promise senders to keep what they sent; only where the data folder is kept as an archive.",
    )
    tls_certificate_file: Path | None = Field(
        default=None, description="PEM certificate; with a key, DICOM and HTTP use TLS."
    )
    tls_key_file: Path | None = Field(default=None, description="PEM private key of the certificate.")
    tls_client_ca_file: Path | None = Field(
        default=None, description="PEM CA that DICOM senders' certificates must chain to."
    )

    http_host: str = Field(default="127.0.0.1", description="Address the HTTP door binds.")
    http_port: int = Field(default=8080, ge=0, le=65535, description="Port of the HTTP door.")
    stow_token: SecretStr = Field(
        default=SecretStr(""), description="Bearer token that STOW-RS clients send; empty: STOW off."
    )
    hook_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Secret in the X-Connector-Secret header of rest-hooks; empty: the hook is off.",
    )

    pacs_host: str = Field(
        default="", description="Host of the PACS; empty: DICOM objects stay in the ledger's outbox."
    )
    pacs_port: int = Field(default=104, ge=1, le=65535, description="Port of the PACS.")
    pacs_ae_title: str = Field(default="PACS", max_length=16, description="AE title of the PACS.")
    pacs_storage_commitment: bool = Field(
        default=True, description="Ask the PACS, where it offers storage commitment, to commit what it was sent."
    )
    pacs_tls_ca_file: Path | None = Field(default=None, description="PEM CA of the PACS; set: the connection uses TLS.")
    pacs_priors: bool = Field(
        default=True, description="Ask the PACS (C-FIND, C-GET) for a patient's earlier SR, SEG and RT Dose."
    )
    rt_dose_bits: Literal[16, 32] = Field(
        default=32, description="Bits of a stored RT Dose pixel; 16 for old workstations."
    )

    ehr_url: str = Field(default="", description="Base URL of the FHIR R4 server; empty: no EHR, DICOM objects only.")
    ehr_token_url: str = Field(
        default="", description="Token endpoint; empty: asked from .well-known/smart-configuration."
    )
    ehr_client_id: str = Field(default="", description="SMART Backend Services client id; empty: no sign-in.")
    ehr_private_key_file: Path | None = Field(default=None, description="PEM private key for the client assertion.")
    ehr_key_id: str = Field(default="", description="`kid` of that key as registered with the EHR.")
    ehr_algorithm: Literal["RS384", "ES384"] = Field(default="RS384", description="Signature of the client assertion.")
    ehr_scope: str = Field(default="system/*.cruds", description="Scopes asked for, separated by blanks.")
    ehr_board: str = Field(
        default="", description="Reference of the tumour board in the EHR (Organization/17) that owns the Tasks."
    )
    ehr_poll_seconds: float = Field(default=60.0, gt=0, description="Seconds between two looks for new Observations.")
    ehr_follow_days: int = Field(
        default=365, ge=1, description="Days after a study for which new Observations are looked for."
    )
    patient_issuers: str = Field(
        default="", description="IssuerOfPatientID to FHIR identifier system: `ISSUER=system`, several with commas."
    )

    sweep_seconds: float = Field(
        default=1.0, gt=0, description="Seconds between two sweeps of the ledger for due work."
    )
    lease_seconds: float = Field(default=900.0, gt=0, description="Seconds a worker may hold one piece of work.")
    maximum_attempts: int = Field(
        default=12, ge=1, description="Tries of one delivery before it is parked for a person."
    )
    console_token: SecretStr = Field(
        default=SecretStr(""), description="Bearer token for the console and /metrics; empty: loopback callers only."
    )

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
        return init_settings, env_settings, SecretsSettingsSource(settings_cls, secrets_dir=_secret_folders())

    @field_validator("patient_issuers")
    @classmethod
    def _pairs(cls, text: str) -> str:
        for pair in filter(None, (part.strip() for part in text.split(","))):
            issuer, equals, system = pair.partition("=")
            if not (issuer.strip() and equals and system.strip()):
                raise ValueError(
                    f"{pair!r} is not ISSUER=system: write e.g. HOSPITAL=urn:oid:1.2.3, several with commas"
                )
        return text

    @property
    def issuers(self) -> dict[str, str]:
        """IssuerOfPatientID → FHIR identifier system."""
        pairs = (part.partition("=") for part in self.patient_issuers.split(",") if part.strip())
        return {issuer.strip(): system.strip() for issuer, _, system in pairs}

    @property
    def calling_ae_titles(self) -> frozenset[str]:
        """The AE titles that may send; empty means every one."""
        return frozenset(title.strip() for title in self.allowed_calling_ae_titles.split(",") if title.strip())

    @property
    def ledger_url(self) -> str:
        """The SQLAlchemy URL in force."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'ledger.sqlite').absolute()}"


def _secret_folders() -> list[Path]:
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
