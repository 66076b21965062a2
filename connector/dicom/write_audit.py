"""Writes an event of the audit trail as a DICOM audit message (PS3.15, annex A.5), for an IHE ATNA repository."""

from xml.etree import ElementTree as ET

from connector.audit import SENT, TEXTS, Speaker, meaning_of
from connector.ports import AuditRecord

_PERSON, _SYSTEM = "1", "2"
_PATIENT, _REPORT, _SECURITY_USER = "1", "3", "11"
_SUCCESS, _MINOR_FAILURE = "0", "4"
_APPLICATION_SERVER = "4"
_MACHINE_NAME = "1"


def audit_message(record: AuditRecord, speaker: Speaker) -> bytes:
    """The message in UTF-8. It holds the patient's ID and no name; the event's own words stay with us."""
    meaning = meaning_of(record)
    message = ET.Element("AuditMessage")
    event = ET.SubElement(
        message,
        "EventIdentification",
        EventActionCode=meaning.action,
        EventDateTime=record.at.isoformat(timespec="milliseconds"),
        EventOutcomeIndicator=_SUCCESS if record.succeeded else _MINOR_FAILURE,
    )
    _code(event, "EventID", meaning.event)
    if meaning.event_type:
        _code(event, "EventTypeCode", meaning.event_type)
    _participants(message, record, speaker)
    source = ET.SubElement(message, "AuditSourceIdentification", AuditSourceID=f"{speaker.ae_title}@{speaker.host}")
    ET.SubElement(source, "AuditSourceTypeCode", {"csd-code": _APPLICATION_SERVER})
    _objects(message, record)
    return bytes(ET.tostring(message, encoding="UTF-8", xml_declaration=True))


def _participants(message: ET.Element, record: AuditRecord, speaker: Speaker) -> None:
    ours, pacs, ehr = speaker.ae_title, speaker.pacs_ae_title, speaker.ehr
    match record.kind:
        case "received":
            _participant(message, record.actor, "110153", requestor=True)
            _participant(message, ours, "110152", host=speaker.host)
        case "priors_read":
            _participant(message, pacs, "110153")
            _participant(message, ours, "110152", requestor=True, host=speaker.host)
        case "record_read":
            _participant(message, ehr, "110153")
            _participant(message, ours, "110152", requestor=True, host=speaker.host)
        case kind if kind in SENT and record.destination:
            _participant(message, ours, "110153", requestor=True, host=speaker.host)
            _participant(message, pacs if record.destination == "pacs" else ehr, "110152")
        case _:
            if record.actor:
                _participant(message, record.actor, "", requestor=True)
            _participant(message, ours, "110150", requestor=not record.actor, host=speaker.host)


def _participant(message: ET.Element, user: str, role: str, *, requestor: bool = False, host: str = "") -> None:
    given = {"UserID": user or "unknown", "UserIsRequestor": "true" if requestor else "false"}
    if host:
        given |= {"NetworkAccessPointID": host, "NetworkAccessPointTypeCode": _MACHINE_NAME}
    participant = ET.SubElement(message, "ActiveParticipant", given)
    if role:
        _code(participant, "RoleIDCode", role)


def _objects(message: ET.Element, record: AuditRecord) -> None:
    if record.study_instance_uid:
        study = _object(message, record.study_instance_uid, _SYSTEM, _REPORT)
        _code(study, "ParticipantObjectIDTypeCode", "110180")
        ET.SubElement(study, "ParticipantObjectName").text = record.kind
        if record.instances:
            described = ET.SubElement(study, "ParticipantObjectDescription")
            for sop_class_uid, count in record.instances:
                ET.SubElement(described, "SOPClass", UID=sop_class_uid, NumberOfInstances=str(count))
    if record.patient_id:
        issuer = f"^^^{record.issuer_of_patient_id}" if record.issuer_of_patient_id else ""
        patient = _object(message, record.patient_id + issuer, _PERSON, _PATIENT)
        _code(patient, "ParticipantObjectIDTypeCode", "2", system="RFC-3881", text="Patient Number")
        ET.SubElement(patient, "ParticipantObjectName").text = record.case_ref
    elif record.kind in ("signed_in", "signed_out", "sign_in_failed"):
        user = _object(message, record.actor or "unknown", _PERSON, _SECURITY_USER)
        _code(user, "ParticipantObjectIDTypeCode", "11", system="RFC-3881", text="User Identifier")
        ET.SubElement(user, "ParticipantObjectName").text = record.kind


def _object(message: ET.Element, identifier: str, kind: str, role: str) -> ET.Element:
    return ET.SubElement(
        message, "ParticipantObjectIdentification",
        ParticipantObjectID=identifier, ParticipantObjectTypeCode=kind, ParticipantObjectTypeCodeRole=role,
    )  # fmt: skip


def _code(parent: ET.Element, name: str, code: str, *, system: str = "DCM", text: str = "") -> None:
    given = {"csd-code": code, "codeSystemName": system, "originalText": text or TEXTS[code]}
    ET.SubElement(parent, name, given)
