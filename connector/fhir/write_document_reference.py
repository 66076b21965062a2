"""Writes the DocumentReference: the report as pages in the patient's chart, a draft that no person has signed."""

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha1

from connector.fhir.identity import canonical_json
from connector.fhir.resource import Json
from connector.fhir.write_care_plan import DISCLAIMER
from connector.fhir.write_resource import Case, Resource, concept, new, study_reference
from connector.terminology import Concept

# What the chart files it under; the board's own note is another document with the same type and docStatus "final".
TUMOUR_BOARD_NOTE = Concept("85232-7", "LN", "Tumor board Consult note")
_REPORT = "Report for the tumour board, draft by software"
_RESOURCES = "The FHIR resources of the report"
REPORT_SLOT = "report"
_PDF = "application/pdf"


def write_document_reference(case: Case, pdf: bytes) -> Resource:
    """
    Write the report of one study with its pages inside; a changed result of the study replaces it in place.

    `docStatus` is preliminary until a clinician files another.
    """
    return new(
        "DocumentReference",
        case.of_study(REPORT_SLOT),
        says=[_REPORT, DISCLAIMER],
        **_head(case.day),
        subject=case.subject,
        author=[case.device],
        content=[_attached(pdf, _PDF, title=_REPORT, day=case.day)],
        context={"related": [study_reference(case)]},
    )


def with_resources(entries: Sequence[Json]) -> Resource:
    """
    The report of a transaction's entries with those resources inside, for an EHR that does not take them as they are.

    The report's pages stay the first content; the second is a Bundle as JSON. Where no report was made, the resources
    are the only content. `entries` hold a RiskAssessment, as all our transactions do.
    """
    given = next((one["resource"] for one in entries if one["resource"]["resourceType"] == "DocumentReference"), None)
    kept = [
        {"fullUrl": one["fullUrl"], "resource": one["resource"]}
        for one in entries
        if one["resource"]["resourceType"] != "DocumentReference"
    ]
    risk = next(one["resource"] for one in entries if one["resource"]["resourceType"] == "RiskAssessment")
    day = str(risk["occurrenceDateTime"])
    inside = _attached(
        canonical_json({"resourceType": "Bundle", "type": "collection", "entry": kept}),
        "application/fhir+json", title=_RESOURCES, day=day,
    )  # fmt: skip
    if given is not None:
        return {**given, "content": [*given["content"], inside]}
    study = str(risk["identifier"][0]["value"]).split(":", maxsplit=1)[0]
    return new(
        "DocumentReference",
        f"{study}:{REPORT_SLOT}",
        says=[_REPORT, DISCLAIMER],
        **_head(day),
        subject=risk["subject"],
        author=[risk["performer"]],
        content=[inside],
        context={"related": [risk["basis"][0]]},
    )


def _head(day: str) -> Resource:
    return {
        "status": "current",
        "docStatus": "preliminary",
        "type": concept(TUMOUR_BOARD_NOTE, text=_REPORT),
        "date": f"{day}T00:00:00Z",
        "description": f"{_REPORT}. {DISCLAIMER}",
    }


def _attached(content: bytes, content_type: str, *, title: str, day: str) -> Resource:
    """An Attachment with its bytes inside; the hash is SHA-1, as R4 has it (Attachment.hash)."""
    return {
        "attachment": {
            "contentType": content_type,
            "language": "en",
            "data": b64encode(content).decode("ascii"),
            "size": len(content),
            "hash": b64encode(sha1(content, usedforsecurity=False).digest()).decode("ascii"),
            "title": title,
            "creation": day,
        }
    }
