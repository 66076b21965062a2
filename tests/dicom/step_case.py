"""What the tests of procedure steps share: a ledger's book behind a listener, and messages of a RIS and a CT."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ledger_case import Bench
from pydicom import Dataset
from pydicom.uid import UID, generate_uid
from pynetdicom import AE
from pynetdicom.association import Association
from receive_case import AE_TITLE, MemoryInbox, listening

from connector.dicom.headers import quiet
from connector.dicom.receive import Listener

MPPS, IAN = "1.2.840.10008.3.1.2.3.3", "1.2.840.10008.5.1.4.33"
PUSH, WATCH, PULL = (f"1.2.840.10008.5.1.4.34.6.{number}" for number in (1, 2, 3))
CT = "1.2.840.10008.5.1.4.1.1.2"


@contextmanager
def door(bench: Bench, folder: Path, **settings: Any) -> Iterator[Listener]:
    """A listener whose procedure steps go to the ledger."""
    with listening(MemoryInbox(), folder, steps=bench.steps, **settings) as listener:
        yield listener


@contextmanager
def calling(listener: Listener, *contexts: str, title: str = "RIS") -> Iterator[Association]:
    """An association of a peer."""
    entity = AE(ae_title=title)
    for uid in contexts:
        entity.add_requested_context(uid, ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"])
    association = entity.associate("127.0.0.1", listener.port, ae_title=AE_TITLE)
    assert association.is_established
    assert len(association.accepted_contexts) == len(contexts)
    try:
        yield association
    finally:
        association.release()


def reference(instance: str, **more: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = UID(CT), UID(instance)
    for keyword, value in more.items():
        setattr(item, keyword, value)
    return item


def begun(study: str, *instances: str) -> Dataset:
    """An N-CREATE of a modality, as it begins."""
    step, scheduled = Dataset(), Dataset()
    with quiet():  # the study may be none
        scheduled.StudyInstanceUID, scheduled.AccessionNumber = UID(study), "A-1"
    step.ScheduledStepAttributesSequence = [scheduled]
    step.PerformedProcedureStepID, step.PerformedProcedureStepStatus = "STEP-1", "IN PROGRESS"
    step.PerformedStationAETitle, step.Modality = "CT1", "CT"
    step.PerformedSeriesSequence = series(*instances) if instances else []
    return step


def series(*instances: str) -> list[Dataset]:
    performed = Dataset()
    performed.SeriesInstanceUID = generate_uid()
    performed.ReferencedImageSequence = [reference(uid) for uid in instances]
    performed.ReferencedNonImageCompositeSOPInstanceSequence = []
    return [performed]


def ended(status: str, *instances: str) -> Dataset:
    """An N-SET of a modality, as it ends."""
    changes = Dataset()
    changes.PerformedProcedureStepStatus = status
    changes.PerformedSeriesSequence = series(*instances) if instances else []
    if status == "DISCONTINUED":
        reason = Dataset()
        reason.CodeValue, reason.CodingSchemeDesignator, reason.CodeMeaning = "110501", "DCM", "Equipment failure"
        changes.PerformedProcedureStepDiscontinuationReasonCodeSequence = [reason]
    return changes


def order(study: str = "1.2.3", *, state: str = "SCHEDULED", **more: Any) -> Dataset:
    """A workitem of a RIS."""
    item, work, code = Dataset(), Dataset(), Dataset()
    item.TypeOfInstances, item.StudyInstanceUID = "DICOM", UID(study)
    item.SeriesInstanceUID, item.ReferencedSOPSequence = UID(f"{study}.9"), [reference(f"{study}.1")]
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "CAD001", "99RIS", "Assess"
    work.ProcedureStepState, work.ScheduledProcedureStepPriority = state, "MEDIUM"
    work.ProcedureStepLabel, work.WorklistLabel = "Assess the liver", "AI"
    work.PatientName, work.PatientID, work.IssuerOfPatientID = "Test^Phantom", "P1", "TEST"
    work.ScheduledWorkitemCodeSequence, work.InputInformationSequence = [code], [item]
    work.ScheduledProcedureStepStartDateTime = "20200101080000"
    for keyword, value in more.items():
        setattr(work, keyword, value)
    return work
