"""What each event of the audit trail is in the terms of DICOM PS3.15, annex A.5, which FHIR's AuditEvent shares."""

from collections.abc import Mapping
from dataclasses import dataclass

from connector.ports import AuditRecord

TEXTS: Mapping[str, str] = {  # PS3.16, CID 400 to 403
    "110100": "Application Activity", "110103": "DICOM Instances Accessed", "110104": "DICOM Instances Transferred",
    "110105": "DICOM Study Deleted", "110110": "Patient Record", "110114": "User Authentication",
    "110120": "Application Start", "110121": "Application Stop", "110122": "Login", "110123": "Logout",
    "110150": "Application", "110152": "Destination Role ID", "110153": "Source Role ID",
    "110180": "Study Instance UID",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a kind of event is in the standard's terms; `action` is C, R, U, D or E."""

    event: str
    action: str
    event_type: str = ""


MEANINGS: Mapping[str, Meaning] = {
    "received": Meaning("110104", "C"),
    "priors_read": Meaning("110104", "C"),
    "record_read": Meaning("110110", "R"),
    "assessed": Meaning("110103", "R"),
    "viewed": Meaning("110103", "R"),
    "document_opened": Meaning("110103", "R"),
    "identity_shown": Meaning("110110", "R"),
    "erased": Meaning("110105", "D"),
    "tidied": Meaning("110105", "D"),
    "signed_in": Meaning("110114", "E", "110122"),
    "sign_in_failed": Meaning("110114", "E", "110122"),
    "signed_out": Meaning("110114", "E", "110123"),
    "started": Meaning("110100", "E", "110120"),
    "stopped": Meaning("110100", "E", "110121"),
}
SENT = ("delivered", "parked", "set_aside")


def meaning_of(record: AuditRecord) -> Meaning:
    """The standard's event of a record; what a person did to a case is an update of the patient's record."""
    if record.kind in SENT and record.destination == "pacs":
        return Meaning("110104", "C")
    if record.kind in SENT:
        return Meaning("110110", "U") if record.destination else Meaning("110103", "R")
    of_case = Meaning("110110", "U") if record.case_ref else Meaning("110100", "E")
    return MEANINGS.get(record.kind, of_case)


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who tells: our AE title and host, and the neighbours' names."""

    ae_title: str
    host: str
    pacs_ae_title: str
    ehr: str
