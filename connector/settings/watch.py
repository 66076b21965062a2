"""Settings of being watched: where traces and the audit trail go."""

from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings


class WatchSettings(BaseSettings):
    """Traces and audit repositories, all off by default."""

    otlp_endpoint: str = Field(
        default="", description="Base URL of an OpenTelemetry collector (OTLP over HTTP); empty: no traces."
    )
    audit_syslog: str = Field(
        default="", description="HOST:PORT of an IHE ATNA audit repository (syslog over TLS); empty: none."
    )
    audit_syslog_tls: bool = Field(
        default=True, description="TLS to the syslog repository; off only for a relay on the same machine."
    )
    audit_syslog_ca_file: Path | None = Field(
        default=None, description="PEM CA of the syslog repository; empty: the system's."
    )
    audit_fhir_url: str = Field(
        default="", description="Base URL of a FHIR server that keeps AuditEvents; the EHR's URL uses its sign-in."
    )

    @field_validator("audit_syslog")
    @classmethod
    def _address(cls, text: str) -> str:
        host, _, port = text.rpartition(":")
        if text and not (host and port.isdecimal()):
            raise ValueError(f"{text!r} is not HOST:PORT: write e.g. audit.hospital.example:6514")
        return text

    @property
    def audit_repositories(self) -> tuple[str, ...]:
        """The names of the repositories that are set."""
        return tuple(name for name, there in (("syslog", self.audit_syslog), ("fhir", self.audit_fhir_url)) if there)
