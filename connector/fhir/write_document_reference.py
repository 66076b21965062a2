"""Writes the DocumentReference: the report as pages in the patient's chart, a draft that no person has signed."""

from base64 import b64encode
from hashlib import sha1

from connector.fhir.write_care_plan import DISCLAIMER
from connector.fhir.write_resource import Case, Resource, concept, new, study_reference
from connector.terminology import Concept

# What the chart files it under; the board's own note is another document with the same type and docStatus "final".
_TUMOUR_BOARD_NOTE = Concept("85232-7", "LN", "Tumor board Consult note")
_REPORT = "Report for the tumour board, draft by software"
_PDF = "application/pdf"


def write_document_reference(case: Case, pdf: bytes) -> Resource:
    """
    Write the report of one study with its pages inside; a changed result of the study replaces it in place.

    `docStatus` is preliminary until a clinician files another. The hash is SHA-1, as R4 has it (Attachment.hash).
    """
    return new(
        "DocumentReference",
        case.of_study("report"),
        says=[_REPORT, DISCLAIMER],
        status="current",
        docStatus="preliminary",
        type=concept(_TUMOUR_BOARD_NOTE, text=_REPORT),
        subject=case.subject,
        date=f"{case.day}T00:00:00Z",
        author=[case.device],
        description=f"{_REPORT}. {DISCLAIMER}",
        content=[
            {
                "attachment": {
                    "contentType": _PDF,
                    "language": "en",
                    "data": b64encode(pdf).decode("ascii"),
                    "size": len(pdf),
                    "hash": b64encode(sha1(pdf, usedforsecurity=False).digest()).decode("ascii"),
                    "title": _REPORT,
                    "creation": case.day,
                }
            }
        ],
        context={"related": [study_reference(case)]},
    )
