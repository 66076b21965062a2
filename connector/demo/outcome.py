"""What the demo shows at its end: what became of each patient, and what arrived where."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread

from connector.app import App
from connector.console.glance import glance_at
from connector.demo.archive import Archive
from connector.demo.record_store import Json
from connector.report import words
from connector.shown import StudyFiles
from connector.store.newest import Newest
from connector.store.worklist import Wanted, Worklist

_REPORT = "1.2.840.10008.5.1.4.1.1.104.1"
_DICOM_OUT = {
    "1.2.840.10008.5.1.4.1.1.88.34": "measurement reports (SR)",
    "1.2.840.10008.5.1.4.1.1.481.2": "dose maps (RT Dose)",
    "1.2.840.10008.5.1.4.1.1.88.68": "administrations (Radiation Dose SR)",
    _REPORT: "board reports (PDF)",
}
_FHIR_OUT = (
    "CarePlan", "RiskAssessment", "DocumentReference", "Observation", "BodyStructure", "Device", "Task", "Provenance",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Concluded:
    """What the worklist says of one patient."""

    patient: str
    response: str
    said: str  # the proposal, or why the study waits for a person


@dataclass(frozen=True, slots=True)
class Arrived:
    """One kind of thing that reached the archive."""

    where: str
    what: str
    count: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that there is to look at."""

    concluded: Sequence[Concluded]
    arrived: Sequence[Arrived]


def outcome(app: App, archive: Archive, folder: Path) -> Outcome:
    """Gather it, and keep what the EHR holds and the newest report of each patient as files in `folder`."""
    _keep_resources(archive, folder / "archive" / "ehr")
    _keep_reports(archive, folder / "reports")
    return Outcome(_concluded(app), _arrived(archive))


def _concluded(app: App) -> list[Concluded]:
    engine = app.ledger.engine
    rows = Worklist(engine).page(Wanted(order="oldest")).rows
    glances = Newest(engine, glance_at).of_cases([row["case_ref"] for row in rows])
    files = StudyFiles(app.ledger)
    found = []
    for row in rows:
        identity, glance = files.identity(row["study_instance_uid"]), glances.get(row["case_ref"])
        waits = f"Set aside for a person: {row['reason'].partition(':')[0]}" if row["state"] == "set_aside" else ""
        found.append(
            Concluded(
                words.full_name(identity) if identity else row["case_ref"],
                "" if waits or glance is None else glance.response_in_words,
                waits or (glance.treatment if glance else ""),
            )
        )
    return found


def _arrived(archive: Archive) -> list[Arrived]:
    receipts = list(archive.shelf.receipts.values())
    rows = [
        Arrived("PACS", text, sum(one.sop_class_uid == sop_class_uid for one in receipts))
        for sop_class_uid, text in _DICOM_OUT.items()
    ]
    rows += [Arrived("EHR", kind, len(ours)) for kind in _FHIR_OUT if (ours := _ours(archive, kind))]
    return rows


def _keep_resources(archive: Archive, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for kind in _FHIR_OUT:
        for resource in _ours(archive, kind):
            text = json.dumps(resource, indent=2, ensure_ascii=False)
            (folder / f"{kind}-{resource['id'][:8]}.json").write_text(text + "\n", encoding="utf-8")


def _keep_reports(archive: Archive, folder: Path) -> None:
    """The newest report of each patient as a PDF, by the made-up number of the patient."""
    folder.mkdir(parents=True, exist_ok=True)
    for receipt in list(archive.shelf.receipts.values()):  # in the order in which they came
        if receipt.sop_class_uid == _REPORT:
            stored = dcmread(receipt.path)
            pdf = stored.EncapsulatedDocument[: stored.EncapsulatedDocumentLength]
            (folder / f"{stored.PatientID}.pdf").write_bytes(pdf)


def _ours(archive: Archive, kind: str) -> list[Json]:
    """Resources the service wrote: those marked as asserted by software, and the software itself."""
    found = archive.records.search(kind, [])
    return [one for one in found if one["meta"].get("security") or kind in ("Device", "Provenance")]
