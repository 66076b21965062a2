"""Writes an event of the audit trail as a FHIR AuditEvent in the shape of IHE BALP, and sends it to a repository."""

from typing import Any

from connector.audit import SENT, TEXTS, Speaker, meaning_of
from connector.fhir.ehr import EhrClient
from connector.fhir.identity import DICOM_UID_SYSTEM, OUR_NAME
from connector.ports import AuditRecord

Json = dict[str, Any]

_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_TYPE = "http://terminology.hl7.org/CodeSystem/audit-event-type"
_INTERACTION = "http://hl7.org/fhir/restful-interaction"
_OBJECT_TYPE = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_OBJECT_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
_SOURCE_TYPE = "http://terminology.hl7.org/CodeSystem/security-source-type"
_SUCCESS, _MINOR_FAILURE = "0", "4"
_MACHINE_NAME = "1"


class AuditEventRepository:
    """A FHIR server that keeps AuditEvents; sent twice, one is there twice, as an audit trail may."""

    def __init__(self, client: EhrClient, speaker: Speaker) -> None:
        self._client = client
        self._speaker = speaker

    def send(self, record: AuditRecord) -> None:
        """Create the AuditEvent. Raises TryLater or Refused."""
        self._client.create(audit_event(record, self._speaker))


def audit_event(record: AuditRecord, speaker: Speaker) -> Json:
    """The resource: it names the patient by reference or ID, never by name; the event's own words stay with us."""
    meaning = meaning_of(record)
    event: Json = {
        "resourceType": "AuditEvent",
        "type": _coding(_DCM, meaning.event, TEXTS[meaning.event]),
        "action": meaning.action,
        "recorded": record.at.isoformat(timespec="milliseconds"),
        "outcome": _SUCCESS if record.succeeded else _MINOR_FAILURE,
        "agent": _agents(record, speaker),
        "source": {
            "site": speaker.host,
            "observer": {"identifier": {"value": speaker.ae_title}, "display": OUR_NAME},
            "type": [_coding(_SOURCE_TYPE, "4", "Application Server")],
        },
    }
    if record.kind == "record_read" or (record.kind in SENT and record.destination == "ehr"):
        interaction = "read" if record.kind == "record_read" else "update"
        event["type"] = _coding(_TYPE, "rest", "RESTful Operation")
        event["subtype"] = [_coding(_INTERACTION, interaction, interaction)]
    elif meaning.event_type:
        event["subtype"] = [_coding(_DCM, meaning.event_type, TEXTS[meaning.event_type])]
    entities = _entities(record)
    return event | ({"entity": entities} if entities else {})


def _agents(record: AuditRecord, speaker: Speaker) -> list[Json]:
    ours = speaker.ae_title
    there = {"pacs": speaker.pacs_ae_title, "ehr": speaker.ehr}
    match record.kind:
        case "received":
            return [
                _agent(record.actor, "110153", requestor=True),
                _agent(ours, "110152", requestor=False, host=speaker.host),
            ]
        case "priors_read" | "record_read":
            whence = there["pacs" if record.kind == "priors_read" else "ehr"]
            return [
                _agent(whence, "110153", requestor=False),
                _agent(ours, "110152", requestor=True, host=speaker.host),
            ]
        case kind if kind in SENT and record.destination:
            return [
                _agent(ours, "110153", requestor=True, host=speaker.host),
                _agent(there[record.destination], "110152", requestor=False),
            ]
        case _:
            person = [_agent(record.actor, "", requestor=True)] if record.actor else []
            return [*person, _agent(ours, "110150", requestor=not record.actor, host=speaker.host)]


def _agent(who: str, role: str, *, requestor: bool, host: str = "") -> Json:
    agent: Json = {"who": {"identifier": {"value": who or "unknown"}}, "requestor": requestor}
    if role:
        agent["type"] = {"coding": [_coding(_DCM, role, TEXTS[role])]}
    if host:
        agent["network"] = {"address": host, "type": _MACHINE_NAME}
    return agent


def _entities(record: AuditRecord) -> list[Json]:
    entities: list[Json] = []
    if record.study_instance_uid:
        study: Json = {
            "what": {"identifier": {"system": DICOM_UID_SYSTEM, "value": f"urn:oid:{record.study_instance_uid}"}},
            "type": _coding(_OBJECT_TYPE, "2", "System Object"),
            "role": _coding(_OBJECT_ROLE, "3", "Report"),
        }
        if record.instances:
            study["detail"] = [
                {"type": f"instances of {sop_class_uid}", "valueString": str(count)}
                for sop_class_uid, count in record.instances
            ]
        entities.append(study)
    if record.record_reference or record.patient_id:
        identifier: Json = {"value": record.patient_id}
        if record.issuer_of_patient_id:
            identifier |= {"assigner": {"display": record.issuer_of_patient_id}}
        what = {"reference": record.record_reference} if record.record_reference else {"identifier": identifier}
        entities.append(
            {
                "what": what,
                "type": _coding(_OBJECT_TYPE, "1", "Person"),
                "role": _coding(_OBJECT_ROLE, "1", "Patient"),
            }
        )
    return entities


def _coding(system: str, code: str, display: str) -> Json:
    return {"system": system, "code": code, "display": display}
