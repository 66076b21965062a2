"""What the rooms offer to the flow and what they need from it, on one screen."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from connector.core.assessment import Assessment
from connector.core.case import (
    ActivityMap,
    AnatomyImage,
    Identifier,
    ImagingReading,
    PatientIdentity,
    RecordReading,
    Region,
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """One received DICOM instance, already on disk and synced; `digest` is SHA-256 over the data set's bytes."""

    sop_instance_uid: str
    sop_class_uid: str
    study_instance_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    path: Path
    size_bytes: int
    digest: str
    patient_id: str
    issuer_of_patient_id: str
    source: str  # calling AE title, or "stow:" and the client's name
    received_at: datetime
    modality: str = ""
    study_date: str = ""
    series_description: str = ""
    body_part: str = ""
    procedure_codes: tuple[str, ...] = ()  # SCHEME:CODE
    association_id: str = ""  # the one told to `association_opened`; empty over HTTP
    is_prior: bool = False  # fetched by us to compare with, not sent to be assessed


class ReceiptOutcome(StrEnum):
    """What the ledger did with a receipt."""

    STORED = "stored"
    SAME = "same"  # already here with an equal data set: the new file may be deleted
    CONFLICT = "conflict"  # same SOP Instance UID, other content: kept aside, an alarm is raised


class Inbox(Protocol):
    """Where receivers put receipts; every call is committed when it returns."""

    def receive(self, receipt: Receipt) -> ReceiptOutcome:
        """Record one instance. Raises TryLater when the ledger is away."""

    def association_opened(self, association_id: str) -> None:
        """An association began; a study is not complete while an association that fed it is open."""

    def association_alive(self, association_id: str) -> None:
        """The association still lives (called at least every 10 s, so that a killed listener is noticed)."""

    def association_closed(self, association_id: str) -> None:
        """The association ended, in whatever way."""

    def expecting(self, uids: Sequence[str]) -> AbstractContextManager[None]:
        """For so long these series or studies are asked for by C-MOVE: what comes of them is to be compared with."""

    def is_expected(self, uids: Sequence[str]) -> bool:
        """Whether one of these series or studies is asked for by C-MOVE at this moment. Raises TryLater."""

    def held(self, sop_instance_uids: Sequence[str]) -> Mapping[str, str]:
        """The SOP class of each of these instances that is stored and stays; others are left out. Raises TryLater."""


@dataclass(frozen=True, slots=True)
class ProcedureStep:
    """
    What a modality reports (mpps), an archive offers (ian) or another system orders from us (ups).

    `attributes` is the whole object as DICOM JSON, `awaited` the instances that belong to it. `transaction_uid` is the
    lock of who performs a ups; `ours` when that is we.
    """

    uid: str
    kind: str
    state: str
    study_instance_uid: str
    attributes: str
    awaited: tuple[str, ...]
    owner: str  # calling AE title, or "ups:" and the client's name
    transaction_uid: str | None = None
    ours: bool = False
    reason: str = ""


class StepBook(Protocol):
    """Where procedure steps are kept; every call is committed when it returns, and may raise TryLater."""

    def create(self, step: ProcedureStep) -> bool:
        """Write down a new step; False when its UID is known."""

    def get(self, uid: str) -> ProcedureStep | None:
        """A step, or None."""

    def of_kind(self, kind: str, *, open_only: bool = False) -> Sequence[ProcedureStep]:
        """All steps of a kind, oldest first, perhaps only those that are not settled."""

    def change(self, step: ProcedureStep, *, was: str, settled: bool = False) -> bool:
        """Change a step that is still in the state `was`; False when another was faster."""


@dataclass(frozen=True, slots=True)
class Output:
    """An object that we made and delivered to the PACS."""

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str


@dataclass(frozen=True, slots=True)
class Document:
    """
    One thing to deliver.

    `identity` is the SOP Instance UID, or the identifier of the FHIR transaction; equal identity means equal content.
    """

    kind: str  # sr, rtdose, rtplan, rrdsr, pdf, fhir, card; rejection and retraction take such back
    destination: str  # pacs or ehr; cds: it stays here until the EHR asks
    identity: str
    content: bytes
    study_instance_uid: str
    sop_class_uid: str = ""  # of DICOM objects
    series_instance_uid: str = ""  # of DICOM objects


@dataclass(frozen=True, slots=True)
class Predecessor:
    """An earlier document of the same kind and study that this one supersedes."""

    kind: str
    identity: str
    sop_class_uid: str
    series_instance_uid: str


@dataclass(frozen=True, slots=True)
class ShelvedCard:
    """One CDS Hooks card as JSON text, and the opaque case that it is about."""

    case_ref: str
    body: str


@dataclass(frozen=True, slots=True)
class CardAnswer:
    """What a clinician did with one card of ours; `suggestions` are the `uuid`s that were accepted."""

    card_id: str
    outcome: str  # accepted, overridden
    acted_at: str  # RFC 3339, with offset
    suggestions: tuple[str, ...] = ()
    reason: str | None = None  # a code
    comment: str | None = None  # free text of a person, for people only


@dataclass(frozen=True, slots=True)
class Heard:
    """One HL7 v2 message by its names; `id` is a digest of sender and control id, `digest` one of all its bytes."""

    id: str
    digest: str
    sender: str
    kind: str


@dataclass(frozen=True, slots=True)
class KeptResult:
    """A result to keep: its Observation as JSON text without patient, and when the laboratory spoke of it."""

    case_ref: str
    id: str
    spoken_at: float
    body: str


class ImagingSource(Protocol):
    """Reads DICOM files into our types (the DICOM room)."""

    def read(self, paths: Sequence[Path], study_instance_uid: str | None = None) -> ImagingReading:
        """Read files of ONE patient; the named study (default: the latest) is assessed, earlier ones are priors."""


class RecordSource(Protocol):
    """Reads the patient's record into our types (the FHIR room)."""

    def read(self, identifiers: Sequence[Identifier]) -> RecordReading:
        """Find the one patient who carries one of the identifiers. Raises ImpossibleInput (none, several), TryLater."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class WriteRequest:
    """
    What a writer is given besides the assessment; `paths` are the instances of the assessed study.

    `activity` and `regions` are what the assessment's dose was computed from, `anatomy` is the CT around them, for
    pictures.
    """

    assessment: Assessment
    identity: PatientIdentity
    record: RecordReading | None
    paths: Sequence[Path]
    predecessors: Sequence[Predecessor] = ()
    is_latest_study: bool = True
    activity: ActivityMap | None = None
    regions: Sequence[Region] = ()
    anatomy: AnatomyImage | None = None


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """
    A study that a person marked as a wrong patient's, and what was sent of it.

    `documents` are those that arrived, or may have (oldest first); `tidied` those of them whose content is no longer
    here, only what names them; `others` the FHIR documents of the case's other studies, whose resources stay.
    `arrived` are the identities of those that surely arrived; `by_hand` those that a person brought there, perhaps as
    another copy, which a person has to take back.
    """

    study_instance_uid: str
    marked_at: datetime
    by: str
    documents: Sequence[Document]
    others: Sequence[Document] = ()
    tidied: Sequence[Document] = ()
    arrived: frozenset[str] = frozenset()
    by_hand: Sequence[Document] = ()


class Withdrawer(Protocol):
    """Takes back what was sent of a wrong patient, the same bytes for the same withdrawal."""

    def withdraw(self, withdrawal: Withdrawal) -> Sequence[Document]:
        """Make the documents that take the others back. Raises Refused."""


class Writer(Protocol):
    """Turns an assessment into documents, the same bytes for the same request."""

    def write(self, request: WriteRequest) -> Sequence[Document]:
        """Make the documents."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a delivery ended well; `note` is a warning worth keeping, or what was done instead."""

    note: str = ""


COMMITMENT_ASKED = "commitment asked"  # in the note of a delivery until the PACS says whether it keeps the instance


class Destination(Protocol):
    """Where documents go: a PACS, an EHR, a folder."""

    def deliver(self, document: Document) -> Delivery:
        """Deliver one document, safely repeatable. Raises TryLater or Refused."""


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One event of the audit trail with whom it is about: for audit repositories only, never for a log."""

    event_id: int
    at: datetime
    kind: str  # received, record_read, priors_read, assessed, delivered, viewed, ...
    ref: str
    case_ref: str
    actor: str  # an AE title or a user; empty: the service itself
    succeeded: bool
    detail: str
    study_instance_uid: str = ""
    instances: tuple[tuple[str, int], ...] = ()  # SOP class and number
    destination: str = ""  # pacs or ehr, of a delivery
    patient_id: str = ""
    issuer_of_patient_id: str = ""
    record_reference: str = ""  # of the patient in the EHR, e.g. Patient/17


class AuditRepository(Protocol):
    """Where the audit trail is kept for good: a syslog server (IHE ATNA) or a FHIR server."""

    def send(self, record: AuditRecord) -> None:
        """Send one event, safely repeatable. Raises TryLater or Refused."""


class Memory(Protocol):
    """What all workers must know of a neighbour; every call is committed when it returns."""

    def recall(self, name: str) -> str | None:
        """The note of this name, None when there is none."""

    def remember(self, name: str, value: str, *, told: str = "") -> bool:
        """Keep a note; tells whether it was news. `told` is what the logbook says of news."""

    def swap(self, name: str, before: str | None, after: str) -> bool:
        """Change a note if it is still as it was read; False when another worker was faster."""

    def forget(self, name: str) -> None:
        """Drop a note."""

    def alone(self, name: str) -> AbstractContextManager[None]:
        """Hold a lock over all workers. Raises TryLater when another one holds it."""
