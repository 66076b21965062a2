"""Takes what modalities report of their work (MPPS, PS3.4 annex F) and what archives offer (IAN, PS3.4 annex R)."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace

from pydicom import Dataset

from connector.core.errors import ImpossibleInput
from connector.dicom.receive_head import is_uid
from connector.ports import ProcedureStep, StepBook

SUCCESS = 0x0000
INVALID_ATTRIBUTE_VALUE = 0x0106
PROCESSING_FAILURE = 0x0110
DUPLICATE_INSTANCE = 0x0111
NO_SUCH_INSTANCE = 0x0112
MISSING_ATTRIBUTE_VALUE = 0x0121
NOT_AUTHORISED = 0x0124

IN_PROGRESS, COMPLETED, DISCONTINUED = "IN PROGRESS", "COMPLETED", "DISCONTINUED"
_FINAL = frozenset({COMPLETED, DISCONTINUED})
_HERE_TO_STAY = frozenset({"ONLINE", "NEARLINE"})


class StepFault(Exception):
    """A request that is refused: its status, and why."""

    def __init__(self, status: int, comment: str) -> None:
        super().__init__(comment)
        self.status = status
        self.comment = comment


def create_mpps(book: StepBook, *, uid: str, attributes: Dataset, owner: str) -> None:
    """A modality begins (N-CREATE). Raises StepFault, TryLater."""
    if str(attributes.get("PerformedProcedureStepStatus", "")) != IN_PROGRESS:
        raise StepFault(INVALID_ATTRIBUTE_VALUE, "a step is created IN PROGRESS")
    study = next(_studies(attributes.get("ScheduledStepAttributesSequence")), "")
    if not study:
        raise StepFault(MISSING_ATTRIBUTE_VALUE, "Scheduled Step Attributes name no study")
    step = ProcedureStep(
        uid=uid, kind="mpps", state=IN_PROGRESS, study_instance_uid=study, attributes=to_json(attributes),
        awaited=tuple(_performed(attributes)), owner=owner,
    )  # fmt: skip
    if not book.create(step):
        raise StepFault(DUPLICATE_INSTANCE, "this step is known already")


def set_mpps(book: StepBook, *, uid: str, changes: Dataset, owner: str) -> None:
    """A modality goes on, or ends (N-SET); only who created the step may. Raises StepFault, TryLater."""
    step = book.get(uid)
    if step is None or step.kind != "mpps":
        raise StepFault(NO_SUCH_INSTANCE, "this step was not created here")
    if step.owner != owner:
        raise StepFault(NOT_AUTHORISED, "the step was created by another AE title")
    if step.state in _FINAL:
        raise StepFault(PROCESSING_FAILURE, "the step may no longer be updated")
    attributes = from_json(step.attributes)
    attributes.update(changes)
    state = str(attributes.get("PerformedProcedureStepStatus", ""))
    if state not in {IN_PROGRESS, *_FINAL}:
        raise StepFault(INVALID_ATTRIBUTE_VALUE, "the status is none of IN PROGRESS, COMPLETED, DISCONTINUED")
    changed = replace(
        step, state=state, attributes=to_json(attributes), awaited=tuple(dict.fromkeys(_performed(attributes))),
        reason=_why(attributes) if state == DISCONTINUED else "",
    )  # fmt: skip
    if not book.change(changed, was=step.state):
        raise StepFault(PROCESSING_FAILURE, "the step may no longer be updated")


def create_ian(book: StepBook, *, uid: str, attributes: Dataset, owner: str) -> None:
    """An archive tells which instances of a study can be had (N-CREATE). Raises StepFault, TryLater."""
    study = str(attributes.get("StudyInstanceUID", ""))
    if not is_uid(study):
        raise StepFault(MISSING_ATTRIBUTE_VALUE, "no Study Instance UID")
    members = [
        item
        for series in attributes.get("ReferencedSeriesSequence") or []
        for item in series.get("ReferencedSOPSequence") or []
    ]
    if not members:
        raise StepFault(MISSING_ATTRIBUTE_VALUE, "no referenced instance")
    can_be_had = [item for item in members if str(item.get("InstanceAvailability", "")) in _HERE_TO_STAY]
    step = ProcedureStep(
        uid=uid, kind="ian", state="AVAILABLE" if can_be_had else "UNAVAILABLE", study_instance_uid=study,
        attributes=to_json(attributes), awaited=tuple(dict.fromkeys(_references(can_be_had))), owner=owner,
    )  # fmt: skip
    if not book.create(step):
        raise StepFault(DUPLICATE_INSTANCE, "this notification is known already")


def to_json(attributes: Dataset) -> str:
    """A data set in the DICOM JSON model, PS3.18 annex F. Raises ImpossibleInput."""
    try:
        return json.dumps(attributes.to_json_dict(), sort_keys=True)
    except Exception as fault:  # pydicom raises whatever a value that does not fit its VR leads it to
        raise ImpossibleInput("an attribute holds a value that its VR does not allow") from fault


def from_json(text: str) -> Dataset:
    """The data set of a DICOM JSON text. Raises ImpossibleInput."""
    try:
        return Dataset.from_json(text)
    except Exception as fault:  # pydicom raises whatever the text leads it to
        raise ImpossibleInput("the body is no DICOM JSON") from fault


def printable(text: str) -> str:
    """A text without control characters, which no database, log or page should be given."""
    return "".join(letter for letter in text if letter.isprintable()).strip()


def _studies(items: Iterable[Dataset] | None) -> Iterator[str]:
    for item in items or ():
        uid = str(item.get("StudyInstanceUID", ""))
        if is_uid(uid):
            yield uid


def _performed(attributes: Dataset) -> Iterator[str]:
    """The instances of all performed series, images and others."""
    for series in attributes.get("PerformedSeriesSequence") or []:
        yield from _references(series.get("ReferencedImageSequence") or [])
        yield from _references(series.get("ReferencedNonImageCompositeSOPInstanceSequence") or [])


def _references(items: Iterable[Dataset]) -> Iterator[str]:
    for item in items:
        uid = str(item.get("ReferencedSOPInstanceUID", ""))
        if is_uid(uid):
            yield uid


def _why(attributes: Dataset) -> str:
    """The coded reason of a discontinuation: a free text could hold a name."""
    for item in attributes.get("PerformedProcedureStepDiscontinuationReasonCodeSequence") or []:
        return printable(f"{item.get('CodeValue', '')} {item.get('CodingSchemeDesignator', '')}")
    return ""
