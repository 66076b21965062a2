"""Settings of the EHR side: the FHIR server, the sign-in, and how patients are matched."""

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings


class EhrSettings(BaseSettings):
    """The FHIR server, and whose identifiers mean what."""

    ehr_url: str = Field(default="", description="Base URL of the FHIR R4 server; empty: no EHR, DICOM objects only.")
    ehr_token_url: str = Field(
        default="", description="Token endpoint; empty: asked from .well-known/smart-configuration."
    )
    ehr_client_id: str = Field(default="", description="SMART Backend Services client id; empty: no sign-in.")
    ehr_private_key_file: Path | None = Field(default=None, description="PEM private key for the client assertion.")
    ehr_key_id: str = Field(default="", description="`kid` of that key as registered with the EHR.")
    ehr_algorithm: Literal["RS384", "ES384"] = Field(default="RS384", description="Signature of the client assertion.")
    ehr_scope: str = Field(default="system/*.cruds", description="Scopes asked for, separated by blanks.")
    ehr_vendor: str = Field(
        default="auto",
        description="EHR product, a file of `connector/fhir/vendors/` (`plain`, `epic`, `oracle_health`);"
        " `auto`: by the name that the server gives itself.",
    )
    ehr_write: Literal["auto", "full", "results", "document"] = Field(
        default="auto",
        description="How much is written: `auto` what the server declares, `full` everything whatever it declares,"
        " `results` no CarePlan and RiskAssessment, `document` the report with the FHIR resources in it.",
    )
    ehr_board: str = Field(
        default="", description="Reference of the tumour board in the EHR (Organization/17) that owns the Tasks."
    )
    ehr_poll_seconds: float = Field(default=60.0, gt=0, description="Seconds between two looks for new Observations.")
    ehr_hook_url: str = Field(
        default="",
        description="Address under which the EHR reaches our HTTP door (https://connector.hospital.example); with it"
        " and CONNECTOR_HOOK_SECRET a Subscription is made and watched where the EHR offers one.",
    )
    ehr_subscription_topic: str = Field(
        default="",
        description="Canonical URL of a topic on Observations (Subscriptions R5 Backport); empty: by R4 criteria.",
    )
    ehr_follow_days: int = Field(
        default=365, ge=1, description="Days after a study for which new Observations are looked for."
    )
    patient_issuers: str = Field(
        default="", description="IssuerOfPatientID to FHIR identifier system: `ISSUER=system`, several with commas."
    )

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
