"""Settings of the HL7 v2 door: where it listens, who may send, and what becomes of results."""

from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings


class Hl7Settings(BaseSettings):
    """Messages of laboratory and RIS over MLLP."""

    hl7_host: str = Field(default="127.0.0.1", description="Address the HL7 v2 listener (MLLP) binds.")
    hl7_port: int | None = Field(default=None, ge=0, le=65535, description="Port of the HL7 v2 listener; empty: off.")
    hl7_tls: bool = Field(
        default=False, description="Whether MLLP speaks TLS, with CONNECTOR_TLS_CERTIFICATE_FILE and its key."
    )
    hl7_allowed_senders: str = Field(
        default="",
        description="Comma-separated sending applications that may send, as MSH-3 or MSH-3/MSH-4; empty: every one (set"
        " it in production).",
    )
    hl7_maximum_connections: int = Field(default=32, ge=1, description="MLLP connections served at once.")
    hl7_results: Literal["hint", "record"] = Field(
        default="hint",
        description="What becomes of results: `hint` looks at the EHR, where they arrive by themselves; `record` keeps"
        " those that are read here as Observations beside the EHR's.",
    )
    hl7_keep_days: int = Field(
        default=90, ge=1, description="Days that kept results wait for images of a patient of whom there are none yet."
    )
    hl7_local_codes: str = Field(
        default="", description="LOINC codes of the laboratory's own: `CODE=LOINC`, several with commas."
    )
    hl7_charset: str = Field(default="utf-8", description="Character set of messages without MSH-18 (Python's name).")
    hl7_time_zone: str = Field(default="UTC", description="Zone of times that are sent without an offset (IANA name).")

    @field_validator("hl7_time_zone")
    @classmethod
    def _zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{name!r} is no zone: write e.g. Europe/Vienna") from None
        return name

    @field_validator("hl7_charset")
    @classmethod
    def _codec(cls, name: str) -> str:
        try:
            "".encode(name)
        except LookupError:
            raise ValueError(f"{name!r} is no character set: write e.g. iso8859-1") from None
        return name

    @property
    def hl7_senders(self) -> frozenset[str]:
        """The sending applications that may send; empty means every one."""
        return frozenset(part.strip() for part in self.hl7_allowed_senders.split(",") if part.strip())
