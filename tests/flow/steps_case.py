"""A house of steps: both sides as small ports that fail as told, and a ledger with a clock moved by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path

from ledger_case import Bench

from connector.core.case import (
    Identifier,
    ImagingReading,
    LesionMeasurement,
    PatientIdentity,
    RecordReading,
    TimePoint,
)
from connector.core.evidence import Observed
from connector.flow import Flow
from connector.looks import Looks
from connector.ports import Delivery, Document, WriteRequest
from connector.steps import Steps
from connector.tracing import NO_TRACING, Tracing

IMAGES = PatientIdentity((Identifier("P1", "TEST"),), "DEMO", "ANNA", date(1960, 1, 2), "F")
RECORD = PatientIdentity((Identifier("P1", "urn:test"),), "Demo", "Anna", date(1960, 1, 2), "F")


@dataclass
class Images:
    """One liver lesion of a given size on the day of the study."""

    diameter_mm: int = 20
    fault: Exception | None = None

    def read(self, paths: Sequence[Path], study_instance_uid: str | None = None) -> ImagingReading:
        assert paths, "the files of the patient"
        if self.fault:
            raise self.fault
        lesion = LesionMeasurement(
            "2.25.1", "T01", "liver", None, lymph_node=False, origin="1.2.3.1", observed_on=date(2026, 1, 1),
            long_axis_mm=Decimal(self.diameter_mm), segment_number=1,
        )  # fmt: skip
        return ImagingReading(IMAGES, (TimePoint(study_instance_uid or "1.2.3", date(2026, 1, 1), "CT", (lesion,)),))


@dataclass
class Record:
    """The record of the same patient, or of somebody who contradicts."""

    identity: PatientIdentity = RECORD
    fault: Exception | None = None

    def read(self, identifiers: Sequence[Identifier]) -> RecordReading:
        assert identifiers == (Identifier("P1", "urn:test"),)
        if self.fault:
            raise self.fault
        return RecordReading(self.identity, "Patient/1", {"histology": Observed("MTC", "Condition/1/_history/1")})


class Words:
    """One document for each destination, with the assessment's digest as its identity."""

    def write(self, request: WriteRequest) -> Sequence[Document]:
        identity = request.assessment.input_digest[:16]
        return [
            Document(kind, destination, f"{kind}-{identity}", b"x", request.assessment.study_instance_uid)
            for kind, destination in (("sr", "pacs"), ("fhir", "ehr"))
        ]


@dataclass
class Door:
    """A destination that remembers what arrived, or fails as told."""

    fault: Exception | None = None
    arrived: list[str] = field(default_factory=list)

    def deliver(self, document: Document) -> Delivery:
        if self.fault:
            raise self.fault
        self.arrived.append(document.identity)
        return Delivery()


@dataclass
class House:
    bench: Bench
    images: Images
    record: Record
    door: Door
    steps: Steps
    looks: Looks

    def run_all(self) -> None:
        for job_id, _ in self.steps.sweep():
            for following in self.steps.run(job_id):
                self.steps.run(following)

    def status(self) -> dict:
        return self.bench.desk.status()


def make_house(bench: Bench, *, tracing: Tracing = NO_TRACING) -> House:
    images, record, door = Images(), Record(), Door()
    steps = Steps(
        ledger=bench.ledger, desk=bench.desk,
        flow=Flow(imaging=images, record=record, writers=[Words()], issuers={"TEST": "urn:test"}),
        destinations={"pacs": door, "ehr": door},
        quiet_seconds=30, maximum_attempts=3, tracing=tracing, now=bench.clock,
    )  # fmt: skip
    found = iter([(True, "mark"), (False, "mark")])
    looks = Looks(bench.desk, lambda _reference, _mark: next(found), now=bench.clock)
    return House(bench, images, record, door, steps, looks)
