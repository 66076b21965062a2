"""Unified Procedure Steps that order an assessment from us: the states of PS3.4 annex CC, by whatever door."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from pydicom import DataElement, Dataset
from pydicom.uid import UID

from connector.dicom.receive_head import is_uid
from connector.dicom.receive_steps import (
    DUPLICATE_INSTANCE,
    INVALID_ATTRIBUTE_VALUE,
    MISSING_ATTRIBUTE_VALUE,
    StepFault,
    from_json,
    printable,
    to_json,
)
from connector.ports import Output, ProcedureStep, StepBook

SCHEDULED, IN_PROGRESS, COMPLETED, CANCELED = "SCHEDULED", "IN PROGRESS", "COMPLETED", "CANCELED"
FINAL = frozenset({COMPLETED, CANCELED})

# PS3.4, tables CC.2.1-3 to CC.2.5-3.
ALREADY_CANCELED, ALREADY_COMPLETED = 0xB304, 0xB306
MAY_NO_LONGER_BE_UPDATED, WRONG_TRANSACTION, ALREADY_IN_PROGRESS = 0xC300, 0xC301, 0xC302
ONLY_BY_CREATE, NOT_READY_FOR_FINAL, NO_SUCH_WORKITEM = 0xC303, 0xC304, 0xC307
NOT_SCHEDULED, NOT_IN_PROGRESS, CANCEL_OF_COMPLETED = 0xC309, 0xC310, 0xC311
NOT_REACHED, NOT_OFFERED = 0xC312, 0xC314

_TRANSACTION = 0x00081195
_RANGE = re.compile(r"^([0-9.+]*)-([0-9.+]*)$")


class StepWarning(Exception):
    """The request changes nothing, since what it asks for is so already."""

    def __init__(self, status: int, comment: str) -> None:
        super().__init__(comment)
        self.status = status
        self.comment = comment


class Workitems:
    """
    The worklist: created by others, performed by us or, when they are faster, by others.

    Each method raises StepFault with the status of its DIMSE service, and TryLater when the ledger is away.
    """

    def __init__(self, book: StepBook, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._book = book
        self._now = now

    def create(self, uid: str, attributes: Dataset, *, owner: str) -> None:
        """Take an order (N-CREATE, CC.2.5)."""
        if str(attributes.get("ProcedureStepState", "")) != SCHEDULED:
            raise StepFault(NOT_SCHEDULED, "a workitem is created SCHEDULED")
        if attributes.get("TransactionUID"):
            raise StepFault(INVALID_ATTRIBUTE_VALUE, "a workitem is created without Transaction UID")
        study = ordered_study(attributes)
        if not study:
            raise StepFault(MISSING_ATTRIBUTE_VALUE, "Input Information Sequence names no study to assess")
        if not is_uid(uid):
            raise StepFault(INVALID_ATTRIBUTE_VALUE, "the workitem's UID is malformed")
        kept = _copy(attributes)
        kept.SOPClassUID, kept.SOPInstanceUID = UID("1.2.840.10008.5.1.4.34.6.1"), UID(uid)
        kept.ScheduledProcedureStepModificationDateTime = self._stamp()
        if _TRANSACTION in kept:
            del kept[_TRANSACTION]
        step = ProcedureStep(uid, "ups", SCHEDULED, study, to_json(kept), _inputs(attributes), owner)
        if not self._book.create(step):
            raise StepFault(DUPLICATE_INSTANCE, "a workitem with this UID is here already")

    def get(self, uid: str) -> Dataset:
        """A workitem as others may see it, without the Transaction UID (N-GET, CC.2.7)."""
        return from_json(self._known(uid).attributes)

    def search(self, keys: Dataset) -> Iterator[Dataset]:
        """The workitems that match (C-FIND, CC.2.8), whole."""
        for step in self._book.of_kind("ups"):
            attributes = from_json(step.attributes)
            if matches(attributes, keys):
                yield attributes

    def update(self, uid: str, changes: Dataset, *, transaction_uid: str) -> None:
        """Set attributes (N-SET, CC.2.6); of a workitem in progress only by who performs it."""
        step = self._known(uid)
        if step.state in FINAL:
            raise StepFault(MAY_NO_LONGER_BE_UPDATED, "the workitem is final")
        if step.state == IN_PROGRESS and (not transaction_uid or transaction_uid != step.transaction_uid):
            raise StepFault(WRONG_TRANSACTION, "another Transaction UID holds the workitem")
        if step.state == SCHEDULED and transaction_uid:
            raise StepFault(NOT_IN_PROGRESS, "the workitem is not in progress")
        if "ProcedureStepState" in changes:
            raise StepFault(INVALID_ATTRIBUTE_VALUE, "the state is changed by an action, not set")
        attributes = from_json(step.attributes)
        attributes.update({tag: element for tag, element in changes.items() if tag != _TRANSACTION})
        attributes.ScheduledProcedureStepModificationDateTime = self._stamp()
        study = ordered_study(attributes) or step.study_instance_uid
        changed = replace(step, attributes=to_json(attributes), study_instance_uid=study, awaited=_inputs(attributes))
        self._change(changed, was=step.state)

    def change_state(self, uid: str, state: str, *, transaction_uid: str) -> None:
        """Claim, complete or cancel as the performer (N-ACTION type 1, CC.2.1). Raises StepWarning too."""
        step = self._known(uid)
        if state == SCHEDULED:
            raise StepFault(ONLY_BY_CREATE, "a workitem becomes SCHEDULED when it is created only")
        if state not in {IN_PROGRESS, *FINAL} or not is_uid(transaction_uid):
            raise StepFault(INVALID_ATTRIBUTE_VALUE, "a state, and a Transaction UID, are needed")
        if step.state in FINAL:
            if state == step.state and transaction_uid == step.transaction_uid:
                warning = ALREADY_CANCELED if state == CANCELED else ALREADY_COMPLETED
                raise StepWarning(warning, f"the workitem is {state} already")
            raise StepFault(MAY_NO_LONGER_BE_UPDATED, "the workitem is final")
        if state == IN_PROGRESS:
            if step.state == IN_PROGRESS:
                raise StepFault(ALREADY_IN_PROGRESS, "the workitem is in progress")
            self._change(self._with_state(step, state, transaction_uid=transaction_uid), was=SCHEDULED)
            return
        if step.state == SCHEDULED:
            raise StepFault(NOT_IN_PROGRESS, "the workitem is not in progress")
        if transaction_uid != step.transaction_uid:
            raise StepFault(WRONG_TRANSACTION, "another Transaction UID holds the workitem")
        if state == COMPLETED and not from_json(step.attributes).get("UnifiedProcedureStepPerformedProcedureSequence"):
            raise StepFault(NOT_READY_FOR_FINAL, "what was performed has not been set")
        self._change(self._with_state(step, state), was=IN_PROGRESS, settled=True)

    def request_cancel(self, uid: str, information: Dataset) -> None:
        """Ask that a workitem be cancelled (N-ACTION type 2, CC.2.2). Raises StepWarning too."""
        step = self._known(uid)
        if step.state == COMPLETED:
            raise StepFault(CANCEL_OF_COMPLETED, "the workitem is COMPLETED")
        if step.state == CANCELED:
            raise StepWarning(ALREADY_CANCELED, "the workitem is CANCELED already")
        if step.state == IN_PROGRESS and not step.ours:
            raise StepFault(NOT_REACHED, "who performs the workitem is not reached from here")
        # Its free text may hold a name; the code is told to people, the text stays in the workitem.
        codes = information.get("ProcedureStepDiscontinuationReasonCodeSequence") or []
        code = next((f"{item.get('CodeValue', '')} {item.get('CodingSchemeDesignator', '')}" for item in codes), "")
        self._cancel(step, f"cancellation requested {code}".strip(), information)

    # What we do as the performer.

    def open_orders(self) -> Sequence[ProcedureStep]:
        """Workitems that are ours to begin, or begun by us."""
        return [
            step
            for step in self._book.of_kind("ups", open_only=True)
            if step.ours or (step.state == SCHEDULED and self._is_due(step))
        ]

    def begin(self, step: ProcedureStep, transaction_uid: str) -> bool:
        """Claim a workitem for us; False when another was faster."""
        claimed = replace(self._with_state(step, IN_PROGRESS, transaction_uid=transaction_uid), ours=True)
        return self._book.change(claimed, was=SCHEDULED)

    def complete(self, step: ProcedureStep, outputs: Sequence[Output], *, retrieve_ae_title: str) -> bool:
        """Finish a workitem of ours with what was made."""
        attributes = from_json(step.attributes)
        performed = Dataset()
        performed.PerformedStationNameCodeSequence = []
        performed.PerformedProcedureStepStartDateTime = str(
            attributes.get("ScheduledProcedureStepModificationDateTime", "") or self._stamp()
        )
        performed.PerformedProcedureStepEndDateTime = self._stamp()
        performed.PerformedWorkitemCodeSequence = list(attributes.get("ScheduledWorkitemCodeSequence") or [])
        performed.OutputInformationSequence = list(_output_items(step, outputs, retrieve_ae_title))
        attributes.UnifiedProcedureStepPerformedProcedureSequence = [performed]
        progress = Dataset()
        progress.ProcedureStepProgress = "100"
        attributes.ProcedureStepProgressInformationSequence = [progress]
        done = self._with_state(replace(step, attributes=to_json(attributes)), COMPLETED)
        return self._book.change(done, was=IN_PROGRESS, settled=True)

    def give_up(self, step: ProcedureStep, reason: str) -> bool:
        """Cancel a workitem of ours because it cannot be done."""
        return self._cancel(step, reason, Dataset())

    def _cancel(self, step: ProcedureStep, reason: str, information: Dataset) -> bool:
        attributes = from_json(step.attributes)
        progress = Dataset()
        progress.ProcedureStepCancellationDateTime = self._stamp()
        reason = printable(reason)
        progress.ReasonForCancellation = str(information.get("ReasonForCancellation", "") or reason)[:1024]
        codes = information.get("ProcedureStepDiscontinuationReasonCodeSequence")
        progress.ProcedureStepDiscontinuationReasonCodeSequence = list(codes or [_unspecified()])
        attributes.ProcedureStepProgressInformationSequence = [progress]
        canceled = replace(self._with_state(replace(step, attributes=to_json(attributes)), CANCELED), reason=reason)
        return self._change(canceled, was=step.state, settled=True)

    def _known(self, uid: str) -> ProcedureStep:
        step = self._book.get(uid)
        if step is None or step.kind != "ups":
            raise StepFault(NO_SUCH_WORKITEM, "no workitem with this UID is here")
        return step

    def _change(self, step: ProcedureStep, *, was: str, settled: bool = False) -> bool:
        if not self._book.change(step, was=was, settled=settled):
            raise StepFault(MAY_NO_LONGER_BE_UPDATED, "the workitem was changed by another at this moment")
        return True

    def _with_state(self, step: ProcedureStep, state: str, *, transaction_uid: str | None = None) -> ProcedureStep:
        attributes = from_json(step.attributes)
        attributes.ProcedureStepState = state
        attributes.ScheduledProcedureStepModificationDateTime = self._stamp()
        return replace(
            step, state=state, attributes=to_json(attributes), transaction_uid=transaction_uid or step.transaction_uid
        )

    def _is_due(self, step: ProcedureStep) -> bool:
        """Whether its scheduled start has come; local times without an offset are taken as UTC."""
        start = re.sub(r"[^0-9].*", "", str(from_json(step.attributes).get("ScheduledProcedureStepStartDateTime", "")))
        return start <= self._now().strftime("%Y%m%d%H%M%S")[: len(start)]

    def _stamp(self) -> str:
        return self._now().strftime("%Y%m%d%H%M%S")


def ordered_study(attributes: Dataset) -> str:
    """The study that a workitem's input names, or nothing; with several, the first."""
    for item in attributes.get("InputInformationSequence") or []:
        uid = str(item.get("StudyInstanceUID", ""))
        if is_uid(uid):
            return uid
    return ""


def _inputs(attributes: Dataset) -> tuple[str, ...]:
    """The instances that a workitem's input names, each once."""
    named = (
        str(reference.get("ReferencedSOPInstanceUID", ""))
        for item in attributes.get("InputInformationSequence") or []
        for reference in item.get("ReferencedSOPSequence") or []
    )
    return tuple(dict.fromkeys(uid for uid in named if is_uid(uid)))


def _output_items(step: ProcedureStep, outputs: Sequence[Output], retrieve_ae_title: str) -> Iterator[Dataset]:
    by_series: dict[str, list[Dataset]] = {}
    for output in outputs:
        reference = Dataset()
        reference.ReferencedSOPClassUID = UID(output.sop_class_uid)
        reference.ReferencedSOPInstanceUID = UID(output.sop_instance_uid)
        by_series.setdefault(output.series_instance_uid, []).append(reference)
    for series, references in by_series.items():
        item, retrieval = Dataset(), Dataset()
        item.TypeOfInstances = "DICOM"
        item.StudyInstanceUID, item.SeriesInstanceUID = UID(step.study_instance_uid), UID(series)
        item.ReferencedSOPSequence = references
        retrieval.RetrieveAETitle = retrieve_ae_title
        item.DICOMRetrievalSequence = [retrieval]
        yield item


def _unspecified() -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = "110513", "DCM"
    item.CodeMeaning = "Discontinued for unspecified reason"
    return item


def _copy(attributes: Dataset) -> Dataset:
    copied = Dataset()
    copied.update(attributes)
    return copied


def matches(attributes: Dataset, keys: Dataset) -> bool:
    """Whether a data set fits the keys of a query (PS3.4, C.2.2.2): empty keys fit everything."""
    return all(_fits(attributes.get(element.tag), element) for element in keys if element.tag.group > 0x0002)  # noqa: PLR2004 - command and meta groups are no keys


def _fits(held: DataElement | None, key: DataElement) -> bool:
    if key.VR == "SQ":
        wanted = [item for item in key.value or [] if len(item)]
        items = list(held.value or []) if held is not None else []
        return all(any(matches(item, want) for item in items) for want in wanted)
    wanted_texts = [text for text in _texts(key) if text]
    if not wanted_texts or key.keyword == "SpecificCharacterSet":
        return True
    texts = _texts(held) if held is not None else []
    return any(_text_fits(text, want, key.VR) for text in texts for want in wanted_texts)


def _text_fits(text: str, want: str, vr: str) -> bool:
    if vr in {"DA", "TM", "DT"} and (between := _RANGE.match(want)):
        first, last = between.groups()
        return (not first or text >= first) and (not last or text[: len(last)] <= last)
    if vr == "PN":
        return fnmatchcase(text.casefold(), want.casefold())
    return fnmatchcase(text, want.replace("[", "[[]")) if "*" in want or "?" in want else text == want


def _texts(element: DataElement) -> list[str]:
    value = element.value
    if value is None:
        return []
    values = value if isinstance(value, list | tuple) or type(value).__name__ == "MultiValue" else [value]
    return [str(each) for each in values]


def asked_attributes(attributes: Dataset, asked: Sequence[int | DataElement]) -> Dataset:
    """Of a data set what an N-GET names by tag, or a query by keys: these empty where it has no value."""
    answer = Dataset()
    for one in asked:
        tag = one.tag if isinstance(one, DataElement) else one
        if tag in attributes:
            answer[tag] = attributes[tag]
        elif isinstance(one, DataElement):
            answer.add_new(one.tag, one.VR, None)
    return answer
