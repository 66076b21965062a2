"""Settings of the PACS side: our listener, its TLS, and the PACS we deliver to and ask."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

_LARGEST_PORT = 65535


class DicomSettings(BaseSettings):
    """What we are to DICOM senders, and the PACS."""

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
    routing_file: Path | None = Field(
        default=None,
        description="TOML file of routing rules (which study gets which assessment); empty: every study is assessed.",
    )
    offer_storage_commitment: bool = Field(
        default=False,
        description="Promise senders to keep what they sent; only where the data folder is kept as an archive.",
    )
    storage_commitment_peers: str = Field(
        default="",
        description="Where senders take the results of storage commitment, `AE_TITLE=HOST:PORT`, several with commas:"
        " they are told on a new association. A sender that is not listed is told on the association of its request.",
    )
    tls_certificate_file: Path | None = Field(
        default=None, description="PEM certificate; with a key, DICOM and HTTP use TLS."
    )
    tls_key_file: Path | None = Field(default=None, description="PEM private key of the certificate.")
    tls_client_ca_file: Path | None = Field(
        default=None, description="PEM CA that DICOM senders' certificates must chain to."
    )

    pacs_host: str = Field(
        default="", description="Host of the PACS; empty: DICOM objects stay in the ledger's outbox."
    )
    pacs_port: int = Field(default=104, ge=1, le=65535, description="Port of the PACS.")
    pacs_ae_title: str = Field(default="PACS", max_length=16, description="AE title of the PACS.")
    pacs_storage_commitment: bool = Field(
        default=True, description="Ask the PACS, where it offers storage commitment, to commit what it was sent."
    )
    pacs_tls_ca_file: Path | None = Field(
        default=None,
        description="PEM CA of the PACS; set: associations that we open use TLS, and its DICOMweb certificate is"
        " checked by it.",
    )
    pacs_priors: bool = Field(
        default=True,
        description="Ask the PACS (QIDO-RS and WADO-RS where set, else C-FIND and C-GET or C-MOVE) for a patient's"
        " earlier SR, SEG and RT Dose.",
    )
    pacs_move: bool = Field(
        default=True,
        description="Where the PACS refuses C-GET, have it send to our listener by C-MOVE; it must know our AE title.",
    )
    pacs_dicomweb_url: str = Field(
        default="",
        pattern=r"^(https?://.+)?$",
        description="Root of the PACS's DICOMweb service, e.g. https://pacs/dicom-web; empty: DIMSE only.",
    )
    pacs_dicomweb_user: str = Field(default="", description="User name (HTTP Basic) at the PACS's DICOMweb service.")
    pacs_dicomweb_password: SecretStr = Field(default=SecretStr(""), description="Password of that user.")
    pacs_dicomweb_token: SecretStr = Field(
        default=SecretStr(""), description="Bearer token for the PACS's DICOMweb service, instead of user and password."
    )
    rt_dose_bits: Literal[16, 32] = Field(
        default=32, description="Bits of a stored RT Dose pixel; 16 for old workstations."
    )
    rt_dose_plan: bool = Field(
        default=False, description="Write a minimal RT Plan too, for planning systems that show no dose without one."
    )

    @field_validator("storage_commitment_peers")
    @classmethod
    def _well_formed_peers(cls, text: str) -> str:
        """Refuse a peer that cannot be called."""
        _peers(text)
        return text

    @property
    def commitment_peers(self) -> dict[str, tuple[str, int]]:
        """Host and port of each sender that takes results of storage commitment on a new association."""
        return _peers(self.storage_commitment_peers)

    @property
    def calling_ae_titles(self) -> frozenset[str]:
        """The AE titles that may send; empty means every one."""
        return frozenset(title.strip() for title in self.allowed_calling_ae_titles.split(",") if title.strip())


def _peers(text: str) -> dict[str, tuple[str, int]]:
    peers = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        title, _, place = part.partition("=")
        host, _, port = place.strip().rpartition(":")
        if not (title.strip() and host and port.isdecimal() and 0 < int(port) <= _LARGEST_PORT):
            raise ValueError("write AE_TITLE=HOST:PORT, several with commas")
        peers[title.strip()] = (host.strip("[]"), int(port))
    return peers
