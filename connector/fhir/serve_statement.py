"""The CapabilityStatement of our own FHIR endpoint."""

from typing import Any

from connector import __version__
from connector.fhir import identity
from connector.fhir.serve import SERVED_KINDS

SERVED_SINCE = "2026-11-28"  # the day when what is served last changed; FHIR wants a date
# What a search may name; a patient is named by the reference that the EHR knows.
_SEARCH_TYPES = {"_id": "token", "identifier": "token", "patient": "reference", "subject": "reference"}
_BY_SUBJECT = ("Observation", "RiskAssessment", "CarePlan", "DocumentReference", "Task")
_SECURITY_SERVICES = "http://terminology.hl7.org/CodeSystem/restful-security-service"


def served_statement(base_url: str) -> dict[str, Any]:
    """What can be read at `base_url`."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": SERVED_SINCE,
        "publisher": identity.OUR_NAME,
        "kind": "instance",
        "software": {"name": identity.OUR_NAME, "version": __version__},
        "implementation": {"description": "Drafts for a tumour board, as they were made", "url": base_url},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [
            {
                "mode": "server",
                "documentation": "Read-only: every draft that was made, also where the EHR does not take it.",
                "security": {
                    "service": [{"coding": [{"system": _SECURITY_SERVICES, "code": "OAuth"}]}],
                    "description": "A bearer token, set as CONNECTOR_FHIR_TOKEN.",
                },
                "resource": [_stated(kind) for kind in SERVED_KINDS],
            }
        ],
    }


def searched_by(kind: str) -> list[str]:
    """The search parameters of a type."""
    if kind == "Provenance":
        return ["_id", "patient"]
    if kind == "Device":
        return ["_id", "identifier"]
    return ["_id", "identifier", "patient", *(["subject"] if kind in _BY_SUBJECT else [])]


def _stated(kind: str) -> dict[str, Any]:
    return {
        "type": kind,
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "versioning": "versioned",
        "searchParam": [{"name": name, "type": _SEARCH_TYPES[name]} for name in searched_by(kind)],
    }
