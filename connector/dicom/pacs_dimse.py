"""Asks the PACS by C-FIND, and gets by C-GET, or by C-MOVE to our own listener where C-GET is refused."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import evt

from connector.core.errors import Refused, TryLater
from connector.dicom.pacs_association import Pacs, Proposal, association
from connector.dicom.pacs_priors import FoundSeries, FoundStudy, Visit
from connector.dicom.receive_head import is_uid
from connector.dicom.receive_part10 import Announced
from connector.logs import get_logger

log = get_logger("dicom.priors")

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
_PENDING = frozenset({0xFF00, 0xFF01})
_SUCCESS = 0x0000
_CANCELLED = 0xFE00
_WARNING = 0xB000
_MOVE_DESTINATION_UNKNOWN = 0xA801

PRIOR_SOP_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.88.11",  # Basic Text SR
    "1.2.840.10008.5.1.4.1.1.88.22",  # Enhanced SR
    "1.2.840.10008.5.1.4.1.1.88.33",  # Comprehensive SR
    "1.2.840.10008.5.1.4.1.1.88.34",  # Comprehensive 3D SR
    "1.2.840.10008.5.1.4.1.1.88.35",  # Extensible SR
    "1.2.840.10008.5.1.4.1.1.88.68",  # Radiopharmaceutical Radiation Dose SR
    "1.2.840.10008.5.1.4.1.1.66.4",  # Segmentation
    "1.2.840.10008.5.1.4.1.1.66.7",  # Label Map Segmentation
    "1.2.840.10008.5.1.4.1.1.481.2",  # RT Dose
    "1.2.840.10008.5.1.4.1.1.481.3",  # RT Structure Set
)
# What a whole study is retrieved for, besides the above.
IMAGE_SOP_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.2",  # CT
    "1.2.840.10008.5.1.4.1.1.2.1",  # Enhanced CT
    "1.2.840.10008.5.1.4.1.1.2.2",  # Legacy Converted Enhanced CT
    "1.2.840.10008.5.1.4.1.1.4",  # MR
    "1.2.840.10008.5.1.4.1.1.4.1",  # Enhanced MR
    "1.2.840.10008.5.1.4.1.1.4.4",  # Legacy Converted Enhanced MR
    "1.2.840.10008.5.1.4.1.1.128",  # PET
    "1.2.840.10008.5.1.4.1.1.130",  # Enhanced PET
    "1.2.840.10008.5.1.4.1.1.128.1",  # Legacy Converted Enhanced PET
    "1.2.840.10008.5.1.4.1.1.20",  # Nuclear Medicine
)
# The PACS sends under one syntax for each class: those that regions and doses are stored in, uncompressed first.
PRIOR_SYNTAXES = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5")
# Images are stored compressed too, and a PACS need not decompress: each syntax in a context of its own.
IMAGE_SYNTAXES = (
    ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2"),
    ("1.2.840.10008.1.2.4.70",),  # JPEG Lossless SV1
    ("1.2.840.10008.1.2.4.80",),  # JPEG-LS Lossless
    ("1.2.840.10008.1.2.4.90",),  # JPEG 2000 Lossless
    ("1.2.840.10008.1.2.5",),  # RLE Lossless
)


class DimseArchive:
    """
    Query and retrieve at study root.

    With `move_to` (our AE title as the PACS knows it), what does not come by C-GET comes by C-MOVE: our listener knows
    of it by the visit's inbox, stores it, and its own checks stand for those of a visit.
    """

    way = "DIMSE"

    def __init__(self, pacs: Pacs, *, move_to: str = "") -> None:
        self._pacs = pacs
        self._move_to = move_to

    def studies_of(self, patient_id: str) -> list[FoundStudy]:
        """Studies that match a patient ID."""
        keys = _keys("STUDY", PatientID=patient_id, IssuerOfPatientID="", StudyInstanceUID="", StudyDate="")
        return [
            FoundStudy(*(str(answer.get(name) or "") for name in (
                "StudyInstanceUID", "StudyDate", "PatientID", "IssuerOfPatientID",
            )))
            for answer in self._find(keys)
        ]  # fmt: skip

    def series_of(self, study_instance_uid: str) -> list[FoundSeries]:
        """Series of a study."""
        keys = _keys("SERIES", StudyInstanceUID=study_instance_uid, SeriesInstanceUID="", Modality="")
        return [
            FoundSeries(study_instance_uid, str(answer.SeriesInstanceUID), str(answer.get("Modality", "")))
            for answer in self._find(keys)
            if is_uid(str(answer.get("SeriesInstanceUID", "")))
        ]

    def retrieve(self, wanted: Sequence[FoundSeries], visit: Visit) -> None:
        """Retrieve series or studies."""
        left = dict.fromkeys(wanted, 0)  # what C-MOVE is still to bring, with how many instances came already
        try:
            for each, came, failed in self._get(list(left), visit):
                if failed and self._move_to:
                    left[each] = came
                    continue
                del left[each]
                visit.failed += failed
        except (Refused, TryLater) as fault:  # Orthanc refuses a C-GET by hanging up
            if not self._move_to:
                raise
            log.info("get_failed_trying_move", reason=str(fault))
        if left:
            self._move(left, visit)

    def _find(self, keys: Dataset) -> Iterator[Dataset]:
        with association(self._pacs, [Proposal(STUDY_ROOT_FIND)]) as opened:
            for status, answer in opened.send_c_find(keys, UID(STUDY_ROOT_FIND)):
                code = status.get("Status")
                if code in _PENDING and answer is not None:
                    yield answer
                elif code != _SUCCESS:
                    raise _judge(code, "C-FIND")

    def _get(self, wanted: Sequence[FoundSeries], visit: Visit) -> Iterator[tuple[FoundSeries, int, int]]:
        """Get one after the other; yields each with how many instances came and how many did not."""
        proposals = [
            Proposal(STUDY_ROOT_GET),
            *(Proposal(uid, PRIOR_SYNTAXES, as_provider=True) for uid in PRIOR_SOP_CLASSES),
        ]
        if any(not each.series_instance_uid for each in wanted):
            proposals += [
                Proposal(uid, syntaxes, as_provider=True) for uid in IMAGE_SOP_CLASSES for syntaxes in IMAGE_SYNTAXES
            ]

        def on_store(event: Any) -> int:
            return _take(event, visit, self._pacs.ae_title)

        with association(self._pacs, proposals, handlers=[(evt.EVT_C_STORE, on_store)]) as opened:
            if STUDY_ROOT_GET not in {context.abstract_syntax for context in opened.accepted_contexts}:
                raise Refused("the PACS does not offer C-GET: have it enabled there, or C-MOVE to our AE title")
            for each in wanted:
                visit.study_instance_uid, before = each.study_instance_uid, visit.stored
                _, failed = _failed(opened.send_c_get(_wanted(each), UID(STUDY_ROOT_GET)), "C-GET")
                yield each, visit.stored - before, failed

    def _move(self, wanted: Mapping[FoundSeries, int], visit: Visit) -> None:
        asked = [each.series_instance_uid or each.study_instance_uid for each in wanted]
        with visit.intake.inbox.expecting(asked), association(self._pacs, [Proposal(STUDY_ROOT_MOVE)]) as opened:
            for each, came in wanted.items():
                answers = opened.send_c_move(_wanted(each), self._move_to, UID(STUDY_ROOT_MOVE))
                completed, failed = _failed(answers, "C-MOVE")
                visit.stored += max(completed - came, 0)
                visit.failed += failed


def _take(event: Any, visit: Visit, ae_title: str) -> int:
    """Store one instance that the PACS sends on our own association (EVT_C_STORE)."""
    request = event.request
    announced = Announced(
        str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID), str(event.context.transfer_syntax)
    )
    incoming = visit.intake.begin(
        sop_class_uid=announced.sop_class_uid, sop_instance_uid=announced.sop_instance_uid,
        transfer_syntax_uid=announced.transfer_syntax_uid, source_ae_title=ae_title,
    )  # fmt: skip
    incoming.write(request.DataSet.getbuffer())
    return visit.take(incoming, announced)


def _wanted(series: FoundSeries) -> Dataset:
    if not series.series_instance_uid:
        return _keys("STUDY", StudyInstanceUID=series.study_instance_uid)
    return _keys("SERIES", StudyInstanceUID=series.study_instance_uid, SeriesInstanceUID=series.series_instance_uid)


def _failed(answers: Iterator[tuple[Dataset, Dataset | None]], service: str) -> tuple[int, int]:
    """Sub-operations completed and failed of one retrieval. Raises TryLater or Refused when it failed as a whole."""
    completed = failed = 0
    for status, _ in answers:
        code = status.get("Status")
        warned = int(status.get("NumberOfWarningSuboperations") or 0)  # stored, with something to say of it
        completed = int(status.get("NumberOfCompletedSuboperations") or 0) + warned
        failed = int(status.get("NumberOfFailedSuboperations") or 0)
        if code not in _PENDING and code != _SUCCESS and not failed and not (code == _WARNING and warned):
            raise _judge(code, service)
    return completed, failed


def _keys(level: str, **matched: str) -> Dataset:
    keys = Dataset()
    keys.QueryRetrieveLevel = level
    if not "".join(matched.values()).isascii():
        keys.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in matched.items():
        setattr(keys, keyword, value)
    return keys


def _judge(code: int | None, service: str) -> Refused | TryLater:
    """What a final status means: busy or away, or never (PS3.4, tables C.4-1 to C.4-3)."""
    if code is None:
        return TryLater(f"the PACS hung up or did not answer the {service}")
    if code == _MOVE_DESTINATION_UNKNOWN:
        return Refused("the PACS does not know our AE title as a C-MOVE destination (A801): register it there")
    if code >> 8 in {0xA7, 0x01} or code == _CANCELLED:
        return TryLater(f"the PACS could not do the {service} now ({code:04X})")
    return Refused(f"the PACS refused the {service} ({code:04X}): see its log and conformance statement")
