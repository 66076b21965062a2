"""The one way through: read, assess, record, deliver; each step safe to repeat, each failure with one reaction."""

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

from connector import __version__
from connector.core.assess import PARTS, assess, input_digest
from connector.core.assessment import Assessment, Earlier
from connector.core.case import CaseFacts, ImagingReading, RecordReading
from connector.core.errors import ImpossibleInput, Refused, TryLater
from connector.core.evidence import Skipped
from connector.core.matching import TwoPatients, contradictions, identifiers_to_search
from connector.core.versions import RULESET
from connector.logs import get_logger
from connector.ports import Destination, Document, ImagingSource, Predecessor, RecordSource, Writer, WriteRequest

log = get_logger("flow")
# Stands in the reason of a study that a person may release; the console offers that button where it reads this.
RELEASE_HINT = "`connector release` the study"


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """Everything read for one assessment, the two sides matched."""

    imaging: ImagingReading
    record: RecordReading | None
    case: CaseFacts


@dataclass(frozen=True, slots=True)
class Subject:
    """Which study is assessed, of whom, and what a person already said about it."""

    study_instance_uid: str | None  # None: the latest
    case_ref: str
    paths: Sequence[Path]
    prior_paths: Sequence[Path] = ()
    identity_released: bool = False
    is_latest_study: bool = True
    told: tuple[str, ...] = ()  # what went wrong before reading, for the result


class Flow:
    """Read and assess, with the rooms behind their ports; knows no protocol and no database."""

    def __init__(
        self,
        *,
        imaging: ImagingSource,
        record: RecordSource | None,
        writers: Sequence[Writer],
        issuers: Mapping[str, str],
    ) -> None:
        self._imaging = imaging
        self._record = record
        self._writers = writers
        self._issuers = issuers

    def gather(self, subject: Subject) -> Gathered:
        """Read both sides and make sure that they speak of one patient. Raises ImpossibleInput, TryLater, Refused."""
        imaging = self._imaging.read([*subject.paths, *subject.prior_paths], subject.study_instance_uid)
        if not imaging.time_points:
            reasons = "; ".join(sorted({skipped.reason for skipped in imaging.skipped})[:5])
            raise ImpossibleInput(f"no study could be read: {reasons or 'no DICOM instance was found'}")
        record = self._matched_record(imaging, released=subject.identity_released)
        return Gathered(
            imaging,
            record,
            CaseFacts(
                case_ref=subject.case_ref,
                study_instance_uid=subject.study_instance_uid or imaging.time_points[-1].study_instance_uid,
                time_points=imaging.time_points,
                facts=record.facts if record else {},
                activity=imaging.activity,
                regions=imaging.regions,
                skipped=(
                    *imaging.skipped,
                    *(record.skipped if record else ()),
                    *(Skipped("PACS", reason) for reason in subject.told),
                ),
                series=record.series if record else {},
                treatments=record.treatments if record else (),
                labs=record.labs if record else (),
                lung_mass=imaging.lung_mass,
                planar_lung_shunt=imaging.planar_lung_shunt,
                warnings=imaging.warnings,
                readings=imaging.readings,
                gaps=imaging.gaps,
            ),
        )

    def _matched_record(self, imaging: ImagingReading, *, released: bool) -> RecordReading | None:
        if self._record is None:
            return None
        record = self._record.read(identifiers_to_search(imaging.identity, self._issuers))
        contradicting = contradictions(imaging.identity, record.identity)
        if contradicting and not released:
            raise TwoPatients(
                f"the patient of the images and of the record contradict in {', '.join(contradicting)}: "
                f"compare both; if it is one person, {RELEASE_HINT}, else correct the identifier",
                record.identity,
            )
        return record

    def assess(
        self, gathered: Gathered, *, today: date, previous: Earlier | None = None, parts: Sequence[str] = PARTS
    ) -> Assessment:
        """
        Run the clinical core on what was gathered; `previous` is what the last assessment of the patient said.

        `parts` are what the routing rules want of it.
        """
        return assess(gathered.case, today=today, connector_version=__version__, previous=previous, parts=parts)

    def write(
        self,
        gathered: Gathered,
        assessment: Assessment,
        *,
        paths: Sequence[Path],
        predecessors: Sequence[Predecessor] = (),
        is_latest_study: bool = True,
    ) -> list[Document]:
        """Make every document of the assessment."""
        request = WriteRequest(
            assessment=assessment,
            identity=gathered.imaging.identity,
            record=gathered.record,
            paths=paths,
            predecessors=predecessors,
            is_latest_study=is_latest_study,
            activity=gathered.case.activity,
            regions=gathered.case.regions,
            anatomy=gathered.imaging.anatomy,
        )
        return [document for writer in self._writers for document in writer.write(request)]


_MAY_GO_FURTHER_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step ended: its state in the ledger, the reason, and the pause before the next try."""

    state: str  # done, due, parked, set_aside
    reason: str = ""
    in_seconds: float = 0.0
    progressed: bool = False  # a part of it was done, so its tries are counted anew


def outcome_of(
    fault: Exception,
    *,
    attempts: int,
    maximum_attempts: int,
    back_off: Callable[[int, float | None], float],
    asked_seconds_ago: float = 0.0,
) -> Outcome:
    """
    Choose the reaction to a failure; an unexpected one is parked with its place in the code and no text.

    What goes further counts its tries anew, for a day after it was asked for: an EHR that takes a part and loses it
    would be sent it for ever.
    """
    if isinstance(fault, TryLater):
        if fault.progressed and asked_seconds_ago < _MAY_GO_FURTHER_SECONDS:
            return Outcome("due", str(fault), back_off(1, fault.retry_after_seconds), progressed=True)
        if attempts >= maximum_attempts:
            return Outcome("parked", f"gave up after {attempts} tries: {fault}")
        return Outcome("due", str(fault), back_off(attempts, fault.retry_after_seconds))
    if isinstance(fault, Refused):
        return Outcome("parked", str(fault))
    if isinstance(fault, ImpossibleInput):
        return Outcome("set_aside", str(fault))
    # Only the type and place are kept: the text of a foreign exception may hold patient data.
    frame = traceback.extract_tb(fault.__traceback__)[-1]
    where = f"{Path(frame.filename).name}:{frame.lineno}"
    log.error("unexpected_failure", exception_type=type(fault).__name__, where=where)
    return Outcome("parked", f"unexpected {type(fault).__name__} at {where}: report it, then replay")


def assessment_day(asked_at: float) -> date:
    """The day an assessment is made for: when it was asked for, so that a retry after midnight says the same."""
    return datetime.fromtimestamp(asked_at, UTC).date()


def digest_of(gathered: Gathered, parts: Sequence[str] = PARTS) -> tuple[str, str]:
    """The digest of all inputs and the rule set that would judge them."""
    return input_digest(gathered.case, parts), RULESET


def deliver(document: Document, destinations: Mapping[str, Destination]) -> str:
    """Deliver one document; returns a note worth keeping. Raises TryLater or Refused."""
    destination = destinations.get(document.destination)
    if destination is None:
        setting = {"pacs": "CONNECTOR_PACS_HOST", "ehr": "CONNECTOR_EHR_URL"}[document.destination]
        raise Refused(f"no {document.destination.upper()} is set up: set {setting}, then replay")
    return destination.deliver(document).note


def without_path(skipped: Sequence[Skipped], root: Path) -> list[Skipped]:
    """The skipped inputs with file names relative to a folder."""
    return [
        replace(each, where=str(Path(each.where).relative_to(root))) if Path(each.where).is_relative_to(root) else each
        for each in skipped
    ]
