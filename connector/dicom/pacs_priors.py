"""Finds a patient's earlier studies at the PACS and retrieves what measurements, regions and doses they hold."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import evt

from connector.core.errors import ConnectorError, ImpossibleInput, Refused, TryLater
from connector.dicom.pacs_association import Pacs, Proposal, association
from connector.dicom.receive_head import Head, is_uid
from connector.dicom.receive_intake import Intake, WrongObject, refusal_status
from connector.dicom.store_file import FileStore
from connector.logs import get_logger
from connector.ports import Inbox

log = get_logger("dicom.priors")

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
_PENDING = frozenset({0xFF00, 0xFF01})
_SUCCESS = 0x0000
_CANCELLED = 0xFE00

# What a prior is read for; images are not, they may be thousands.
PRIOR_MODALITIES = frozenset({"SR", "SEG", "RTDOSE", "RTSTRUCT"})
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
# The PACS sends under one syntax for each class: those that regions and doses are stored in, uncompressed first.
PRIOR_SYNTAXES = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5")
# PS3.4, C.2.2.2.4: in an ID these would make the query match other patients.
_WILDCARDS = frozenset("*?\\")


@dataclass(frozen=True, slots=True)
class FoundStudy:
    """A study of the patient as the PACS lists it; `study_date` is YYYYMMDD or empty."""

    study_instance_uid: str
    study_date: str


@dataclass(frozen=True, slots=True)
class FoundSeries:
    """A series as the PACS lists it."""

    study_instance_uid: str
    series_instance_uid: str
    modality: str


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What came of a retrieval: instances stored, and instances or series that did not come."""

    stored: int
    failed: int


class PacsPriors:
    """Queries (C-FIND) and retrieves (C-GET) at study root; what is retrieved goes the same way as what is sent."""

    def __init__(self, pacs: Pacs, *, inbox: Inbox, folder: Path, disk_reserve_bytes: int = 0) -> None:
        self._pacs = pacs
        self._intake = Intake(inbox, FileStore(folder, disk_reserve_bytes=disk_reserve_bytes))

    def find_studies(self, *, patient_id: str, issuer_of_patient_id: str = "") -> list[FoundStudy]:
        """
        Studies of one patient, by exact ID and, when the PACS returns it, exact issuer.

        Raises ImpossibleInput for an ID that would match other patients too, TryLater or Refused.
        """
        if not patient_id or _WILDCARDS & set(patient_id):
            raise ImpossibleInput("the patient ID is empty or holds wildcards: it would match other patients' studies")
        keys = _keys("STUDY", PatientID=patient_id, IssuerOfPatientID="", StudyInstanceUID="", StudyDate="")
        return [
            FoundStudy(str(answer.StudyInstanceUID), str(answer.get("StudyDate") or ""))
            for answer in self._find(keys)
            if str(answer.get("PatientID", "")).strip() == patient_id.strip()
            and str(answer.get("IssuerOfPatientID") or issuer_of_patient_id).strip() == issuer_of_patient_id.strip()
            and is_uid(str(answer.get("StudyInstanceUID", "")))
        ]

    def find_series(self, study_instance_uid: str) -> list[FoundSeries]:
        """Series of a study. Raises TryLater or Refused."""
        keys = _keys("SERIES", StudyInstanceUID=study_instance_uid, SeriesInstanceUID="", Modality="")
        return [
            FoundSeries(study_instance_uid, str(answer.SeriesInstanceUID), str(answer.get("Modality", "")))
            for answer in self._find(keys)
            if is_uid(str(answer.get("SeriesInstanceUID", "")))
        ]

    def retrieve_priors(
        self, *, patient_id: str, issuer_of_patient_id: str = "", beside: Sequence[str] = ()
    ) -> Retrieved:
        """
        Retrieve measurements, regions and doses of all studies of a patient but those in `beside` (known already).

        An instance of another patient or study than asked for is refused. Raises TryLater or Refused.
        """
        studies = self.find_studies(patient_id=patient_id, issuer_of_patient_id=issuer_of_patient_id)
        wanted = [
            series
            for study in studies
            if study.study_instance_uid not in beside
            for series in self.find_series(study.study_instance_uid)
            if series.modality in PRIOR_MODALITIES
        ]
        return self._get(wanted, patient_id=patient_id.strip()) if wanted else Retrieved(0, 0)

    def _find(self, keys: Dataset) -> Iterator[Dataset]:
        with association(self._pacs, [Proposal(STUDY_ROOT_FIND)]) as opened:
            for status, answer in opened.send_c_find(keys, UID(STUDY_ROOT_FIND)):
                code = status.get("Status")
                if code in _PENDING and answer is not None:
                    yield answer
                elif code != _SUCCESS:
                    raise _judge(code, "C-FIND")

    def _get(self, wanted: Sequence[FoundSeries], *, patient_id: str) -> Retrieved:
        visit = _Visit(self._intake, self._pacs.ae_title, patient_id)
        proposals = [
            Proposal(STUDY_ROOT_GET),
            *(Proposal(uid, PRIOR_SYNTAXES, as_provider=True) for uid in PRIOR_SOP_CLASSES),
        ]
        with visit, association(self._pacs, proposals, handlers=[(evt.EVT_C_STORE, visit.on_store)]) as opened:
            for series in wanted:
                visit.study_instance_uid = series.study_instance_uid
                self._get_series(opened, series, visit)
        log.info("priors_retrieved", count=visit.stored)
        return Retrieved(visit.stored, visit.failed)

    def _get_series(self, opened: Any, series: FoundSeries, visit: "_Visit") -> None:
        keys = _keys("SERIES", StudyInstanceUID=series.study_instance_uid, SeriesInstanceUID=series.series_instance_uid)
        for status, _ in opened.send_c_get(keys, UID(STUDY_ROOT_GET)):
            code = status.get("Status")
            if code in _PENDING:
                continue
            failed = int(status.get("NumberOfFailedSuboperations") or 0)
            if code != _SUCCESS and not failed:
                raise _judge(code, "C-GET")
            visit.failed += failed


class _Visit:
    """The instances that one association brings."""

    def __init__(self, intake: Intake, ae_title: str, patient_id: str) -> None:
        self._intake = intake
        self._ae_title = ae_title
        self._patient_id = patient_id
        self._association_id = uuid.uuid4().hex
        self.study_instance_uid = ""
        self.stored = 0
        self.failed = 0

    def __enter__(self) -> Self:
        self._intake.inbox.association_opened(self._association_id)
        return self

    def __exit__(self, *_: object) -> None:
        self._intake.inbox.association_closed(self._association_id)

    def on_store(self, event: Any) -> int:
        """Store one instance that the PACS sends (EVT_C_STORE)."""
        request = event.request
        sop_class, sop_instance = str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID)
        syntax = str(event.context.transfer_syntax)
        try:
            incoming = self._intake.begin(
                sop_class_uid=sop_class, sop_instance_uid=sop_instance, transfer_syntax_uid=syntax,
                source_ae_title=self._ae_title,
            )  # fmt: skip
            incoming.write(request.DataSet.getbuffer())
            self._intake.accept(
                incoming, sop_class_uid=sop_class, sop_instance_uid=sop_instance, transfer_syntax_uid=syntax,
                source=self._ae_title, association_id=self._association_id, check=self._check,
            )  # fmt: skip
        except Exception as fault:  # noqa: BLE001 - whatever went wrong, the PACS must hear that it is not stored
            status = refusal_status(fault)
            told = str(fault) if isinstance(fault, ConnectorError) else type(fault).__name__
            log.warning("store_refused", reason=told, status=f"{status:04X}")
            return status
        self.stored += 1
        # The ledger notices a dead receiver by its silence; a long retrieval is not dead.
        self._intake.inbox.association_alive(self._association_id)
        return _SUCCESS

    def _check(self, head: Head) -> None:
        if head.patient_id != self._patient_id:
            raise WrongObject("the PACS sent an instance of another patient than asked for")
        if head.study_instance_uid != self.study_instance_uid:
            raise WrongObject("the PACS sent an instance of another study than asked for", other_study=True)


def _keys(level: str, **matched: str) -> Dataset:
    keys = Dataset()
    keys.QueryRetrieveLevel = level
    if not "".join(matched.values()).isascii():
        keys.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in matched.items():
        setattr(keys, keyword, value)
    return keys


def _judge(code: int | None, service: str) -> Refused | TryLater:
    """What a final status means: busy or away, or never (PS3.4, tables C.4-1 and C.4-3)."""
    if code is None:
        return TryLater(f"the PACS hung up or did not answer the {service}")
    if code >> 8 in {0xA7, 0x01} or code == _CANCELLED:
        return TryLater(f"the PACS could not do the {service} now ({code:04X})")
    return Refused(f"the PACS refused the {service} ({code:04X}): see its log and conformance statement")
