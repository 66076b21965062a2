"""Settings of the EHR side: the FHIR server, the sign-in, and how patients are matched."""

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings


class EhrSettings(BaseSettings):
    """The FHIR server, and whose identifiers mean what."""

    ehr_url: str = Field(default="", description="Base URL of the FHIR R4 server; empty: no EHR, DICOM objects only.")
    ehr_ca_file: Path | None = Field(
        default=None,
        description="PEM CA of the EHR's certificate and of its token endpoint's; empty: the public ones and the"
        " system's.",
    )
    ehr_proxy: str = Field(
        default="",
        description="Proxy (http://HOST:PORT) that the EHR is reached through; empty: none, whatever HTTP_PROXY and"
        " HTTPS_PROXY say.",
    )
    ehr_token_url: str = Field(
        default="", description="Token endpoint; empty: asked from .well-known/smart-configuration."
    )
    ehr_client_id: str = Field(default="", description="SMART Backend Services client id; empty: no sign-in.")
    ehr_private_key_file: Path | None = Field(
        default=None,
        description="PEM private key for the client assertion; RSA signs RS384, P-384 signs ES384 (`connector keys`).",
    )
    ehr_key_id: str = Field(
        default="", description="`kid` of that key as registered with the EHR; empty: its RFC 7638 thumbprint."
    )
    ehr_next_private_key_file: Path | None = Field(
        default=None,
        description="PEM private key that will follow: published beside the first, and used when the EHR takes it and"
        " no longer the first.",
    )
    ehr_next_key_id: str = Field(default="", description="`kid` of the key that will follow; empty: its thumbprint.")
    ehr_jwks_file: Path | None = Field(
        default=None,
        description="Public JWK Set to serve where this part holds no private key (`connector keys public` prints it).",
    )
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
    cds_issuers: str = Field(
        default="",
        description="EHRs that may ask for CDS Hooks cards: `ISS=place`, several with commas; a place is the https URL"
        " of their JWK Set, or a file that pins it. Empty: only callers on this machine are answered.",
    )
    cds_fhir_servers: str = Field(
        default="",
        description="Further base URLs by which the EHR names its FHIR server (`fhirServer`), besides"
        " CONNECTOR_EHR_URL; comma-separated.",
    )
    cds_origins: str = Field(
        default="", description="Origins of browser-based EHRs that may call CDS Hooks (CORS); comma-separated."
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
