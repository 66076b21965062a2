"""Every kind of audit event, judged: DICOM messages by the schema of PS3.15, AuditEvents by the FHIR judges."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from judge_fhir import findings

from connector.audit import Speaker
from connector.dicom.write_audit import audit_message
from connector.fhir.write_audit_event import audit_event
from connector.ports import AuditRecord
from connector.store.trail import AUDITED

# The Relax NG schema of DICOM PS3.15, section A.5.1.1, without its comments.
SCHEMA = Path(__file__).parents[1] / "data" / "audit" / "audit_message.rnc"
SPEAKER = Speaker("CONNECTOR", "host.example", "PACS", "https://ehr.example/fhir")
AT = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
CT = "1.2.840.10008.5.1.4.1.1.2"


def record(
    kind: str, destination: str = "", *, of_case: bool = True, actor: str = "alice", ok: bool = True
) -> AuditRecord:
    about = {
        "study_instance_uid": "1.2.3", "instances": ((CT, 2),), "patient_id": "P1", "issuer_of_patient_id": "TEST",
        "record_reference": "Patient/17",
    }  # fmt: skip
    return AuditRecord(
        1, AT, kind, "1.2.3", "case" if of_case else "", actor, ok, "words of ours", destination=destination,
        **(about if of_case else {}),
    )  # fmt: skip


WITHOUT_CASE = {"signed_in", "signed_out", "sign_in_failed", "started", "stopped"}
RECORDS = {
    **{kind: record(kind, of_case=kind not in WITHOUT_CASE) for kind in sorted(AUDITED)},
    "received <A&B>": record("received", actor='<A&"B>'),
    "delivered to the PACS": record("delivered", "pacs", actor=""),
    "delivered to the EHR": record("delivered", "ehr", actor=""),
    "a delivery that failed": record("parked", "pacs", actor="", ok=False),
    "a deed with a kind of its own": record("noted"),
    "a document that a person opened": record("document_opened"),
    "a name that a person had shown": record("identity_shown"),
    "a case without a record": AuditRecord(
        1, AT, "assessed", "1.2.3", "case", "", True, "", study_instance_uid="1.2.3", patient_id="P1"
    ),
}


@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("audit")
    written = {}
    for number, (name, told) in enumerate(RECORDS.items()):
        written[name] = folder / f"{number}.xml"
        written[name].write_bytes(audit_message(told, SPEAKER))
    return written


def jing(*paths: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["jing", "-c", SCHEMA, *paths], capture_output=True, text=True, check=False, timeout=60)


def test_every_message_fits_the_schema(messages: dict[str, Path]) -> None:
    judged = jing(*messages.values())
    assert judged.returncode == 0, judged.stdout


def test_the_schema_finds_a_message_without_its_source(messages: dict[str, Path], tmp_path: Path) -> None:
    tree = ET.parse(messages["viewed"])  # noqa: S314 - our own message
    tree.getroot().remove(tree.getroot().find("AuditSourceIdentification"))
    tree.write(tmp_path / "broken.xml")
    assert jing(tmp_path / "broken.xml").returncode != 0


@pytest.mark.parametrize("name", RECORDS)
def test_every_audit_event_is_clean(name: str) -> None:
    assert findings(audit_event(RECORDS[name], SPEAKER)) == []


@pytest.mark.parametrize(
    ("name", "event", "action", "outcome", "why"),
    [
        ("received", "110104", "C", "0", "instances came that were not here"),
        ("record_read", "110110", "R", "0", "the patient's record was read"),
        ("assessed", "110103", "R", "0", "the instances were used"),
        ("delivered to the PACS", "110104", "C", "0", "instances went out"),
        ("delivered to the EHR", "110110", "U", "0", "the record was added to"),
        ("a delivery that failed", "110104", "C", "4", "a minor failure"),
        ("viewed", "110103", "R", "0", "a person looked at a case"),
        ("identity_released", "110110", "U", "0", "a person decided on a case"),
        ("sign_in_failed", "110114", "E", "0", "told by its own outcome"),
        ("erased", "110105", "D", "0", "our copy is gone"),
    ],
)
def test_each_kind_is_the_standards_event(messages, name, event, action, outcome, why) -> None:
    identified = ET.parse(messages[name]).getroot().find("EventIdentification")  # noqa: S314 - our own message
    assert identified.find("EventID").get("csd-code") == event, why
    assert (identified.get("EventActionCode"), identified.get("EventOutcomeIndicator")) == (action, outcome), why
    told = audit_event(RECORDS[name], SPEAKER)
    assert (told["action"], told["outcome"]) == (action, outcome), why


@pytest.mark.parametrize(
    ("name", "roles", "requestors"),
    [
        ("received", {"alice": "110153", "CONNECTOR": "110152"}, {"alice"}),
        ("priors_read", {"PACS": "110153", "CONNECTOR": "110152"}, {"CONNECTOR"}),
        ("delivered to the PACS", {"CONNECTOR": "110153", "PACS": "110152"}, {"CONNECTOR"}),
        ("viewed", {"alice": None, "CONNECTOR": "110150"}, {"alice"}),
    ],
)
def test_who_took_part_is_told_to_both(messages, name, roles, requestors) -> None:
    root = ET.parse(messages[name]).getroot()  # noqa: S314 - our own message
    said = {}
    for participant in root.findall("ActiveParticipant"):
        role = participant.find("RoleIDCode")
        said[participant.get("UserID")] = role.get("csd-code") if role is not None else None
    asking = {one.get("UserID") for one in root.findall("ActiveParticipant") if one.get("UserIsRequestor") == "true"}
    assert (said, asking) == (roles, requestors)
    agents = audit_event(RECORDS[name], SPEAKER)["agent"]
    assert {one["who"]["identifier"]["value"]: one.get("type", {}).get("coding", [{"code": None}])[0]["code"]
            for one in agents} == roles  # fmt: skip
    assert {one["who"]["identifier"]["value"] for one in agents if one["requestor"]} == requestors


def test_the_patient_is_named_by_id_only_and_our_words_stay_with_us(messages) -> None:
    text = messages["assessed"].read_text()
    assert 'ParticipantObjectID="P1^^^TEST"' in text
    assert "words of ours" not in text
    told = audit_event(RECORDS["assessed"], SPEAKER)
    assert told["entity"][1]["what"] == {"reference": "Patient/17"}
    assert "words of ours" not in str(told)
