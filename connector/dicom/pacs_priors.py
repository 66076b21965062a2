"""Finds a patient's earlier studies at the PACS and retrieves what measurements, regions and doses they hold."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from connector.core.errors import ConnectorError, ImpossibleInput, Refused, TryLater
from connector.dicom.receive_head import Head, is_uid
from connector.dicom.receive_intake import STORED, Intake, WrongObject, refusal_status
from connector.dicom.store_file import FileStore
from connector.logs import get_logger
from connector.ports import Inbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.dicom.receive_part10 import Announced
    from connector.dicom.store_file import Incoming

log = get_logger("dicom.priors")

# What a prior is read for; images are not, they may be thousands.
PRIOR_MODALITIES = frozenset({"SR", "SEG", "RTDOSE", "RTSTRUCT"})
# PS3.4, C.2.2.2.4: in an ID these would make the query match other patients.
_WILDCARDS = frozenset("*?\\")

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class FoundStudy:
    """A study as the PACS lists it; `study_date` is YYYYMMDD or empty, so is the issuer when it is not kept."""

    study_instance_uid: str
    study_date: str
    patient_id: str
    issuer_of_patient_id: str = ""


@dataclass(frozen=True, slots=True)
class FoundSeries:
    """A series as the PACS lists it; without a UID it stands for the whole study."""

    study_instance_uid: str
    series_instance_uid: str
    modality: str


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What came of a retrieval: instances stored, and instances or series that did not come."""

    stored: int
    failed: int


class Archive(Protocol):
    """One way to ask the PACS: DICOMweb, or DIMSE."""

    @property
    def way(self) -> str:
        """What the log and people call it."""

    def studies_of(self, patient_id: str) -> Sequence[FoundStudy]:
        """Studies whose patient ID matches, as the PACS understands it. Raises TryLater or Refused."""

    def series_of(self, study_instance_uid: str) -> Sequence[FoundSeries]:
        """Series of a study. Raises TryLater or Refused."""

    def retrieve(self, wanted: Sequence[FoundSeries], visit: "Visit") -> None:
        """Have the series given to the visit, or sent to our listener. Raises TryLater or Refused."""


class PacsPriors:
    """
    Queries and retrieves; what is retrieved goes the same way as what is sent.

    `archives` are the ways to the same PACS in order of preference: the next one is tried when one fails.
    """

    def __init__(
        self, archives: Sequence[Archive], *, inbox: Inbox, folder: Path, disk_reserve_bytes: int = 0, source: str
    ) -> None:
        self._archives = archives
        self._intake = Intake(inbox, FileStore(folder, disk_reserve_bytes=disk_reserve_bytes))
        self._source = source

    def retrieve_priors(
        self, *, patient_id: str, issuer_of_patient_id: str = "", beside: Sequence[str] = ()
    ) -> Retrieved:
        """
        Retrieve measurements, regions and doses of all studies of a patient but those in `beside` (known already).

        An instance of another patient or study than asked for is refused. Raises ImpossibleInput, TryLater or Refused.
        """
        _require_one_patient(patient_id)

        def fetch(archive: Archive) -> Retrieved:
            wanted = [
                series
                for study in _studies(archive, patient_id, issuer_of_patient_id)
                if study.study_instance_uid not in beside
                for series in archive.series_of(study.study_instance_uid)
                if series.modality in PRIOR_MODALITIES and is_uid(series.series_instance_uid)
            ]
            return self._retrieve(archive, wanted, patient_id) if wanted else Retrieved(0, 0)

        return self._first_way(fetch)

    def retrieve_study(self, study_instance_uid: str, *, patient_id: str = "") -> Retrieved:
        """Retrieve a whole study, images too; a known patient's ID is checked. Raises TryLater or Refused."""
        wanted = [FoundSeries(study_instance_uid, "", "")]
        return self._first_way(lambda archive: self._retrieve(archive, wanted, patient_id))

    def _first_way(self, ask: "Callable[[Archive], _Answer]") -> _Answer:
        """The answer of the first way that gives one; when none does, the failure of the last."""
        *before, last = self._archives
        for archive in before:
            try:
                return ask(archive)
            except (TryLater, Refused) as fault:
                log.warning("next_way_to_pacs", destination=archive.way, reason=str(fault))
        return ask(last)

    def _retrieve(self, archive: Archive, wanted: Sequence[FoundSeries], patient_id: str) -> Retrieved:
        with Visit(self._intake, self._source, patient_id.strip()) as visit:
            archive.retrieve(wanted, visit)
        log.info("retrieved_from_pacs", destination=archive.way, count=visit.stored)
        return Retrieved(visit.stored, visit.failed)


def _require_one_patient(patient_id: str) -> None:
    if not patient_id or _WILDCARDS & set(patient_id):
        raise ImpossibleInput("the patient ID is empty or holds wildcards: it would match other patients' studies")


def _studies(archive: Archive, patient_id: str, issuer_of_patient_id: str) -> list[FoundStudy]:
    """Of the studies that the PACS lists, those of the very patient: it may match more than it was asked for."""
    return [
        study
        for study in archive.studies_of(patient_id)
        if study.patient_id.strip() == patient_id.strip()
        and (study.issuer_of_patient_id or issuer_of_patient_id).strip() == issuer_of_patient_id.strip()
        and is_uid(study.study_instance_uid)
    ]


class Visit:
    """
    The instances that one retrieval brings: stored like what is sent, when they are what was asked for.

    `study_instance_uid` is the study being asked for; without a patient ID any patient is believed.
    """

    def __init__(self, intake: Intake, source: str, patient_id: str) -> None:
        self.intake = intake
        self.source = source
        self._patient_id = patient_id
        self._association_id = uuid.uuid4().hex
        self.study_instance_uid = ""
        self.stored = 0
        self.failed = 0

    def __enter__(self) -> Self:
        self.intake.inbox.association_opened(self._association_id)
        return self

    def __exit__(self, *_: object) -> None:
        self.intake.inbox.association_closed(self._association_id)

    def take(self, incoming: "Incoming", announced: "Announced") -> int:
        """Store one instance; returns its status, PS3.4 table B.2-1. Whoever calls counts what `failed`."""
        try:
            self.intake.accept(
                incoming,
                sop_class_uid=announced.sop_class_uid,
                sop_instance_uid=announced.sop_instance_uid,
                transfer_syntax_uid=announced.transfer_syntax_uid,
                source=self.source,
                association_id=self._association_id,
                check=self._check,
            )
        except Exception as fault:  # noqa: BLE001 - whatever went wrong, the PACS must hear that it is not stored
            status = refusal_status(fault)
            told = str(fault) if isinstance(fault, ConnectorError) else type(fault).__name__
            log.warning("store_refused", reason=told, status=f"{status:04X}")
            return status
        self.stored += 1
        # The ledger notices a dead receiver by its silence; a long retrieval is not dead.
        self.intake.inbox.association_alive(self._association_id)
        return STORED

    def _check(self, head: Head) -> None:
        if self._patient_id and head.patient_id != self._patient_id:
            raise WrongObject("the PACS sent an instance of another patient than asked for")
        if head.study_instance_uid != self.study_instance_uid:
            raise WrongObject("the PACS sent an instance of another study than asked for", other_study=True)
