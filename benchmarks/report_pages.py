"""Draws the board report of every patient that we know and says which has more than two pages; not part of the gate.

Given are the made-up patients of the demo, those of the generator, and the facts of every vignette, once alone and once
beside the images and the dose map of the demo's fullest patient. Exit 1: some report is longer.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from connector import __version__
from connector.contract.reading import load
from connector.contract.select import observed
from connector.core.assess import assess
from connector.core.assessment import Earlier
from connector.core.case import CaseFacts
from connector.core.selection import select
from connector.demo.case import save_all
from connector.demo.patients import PATIENTS, Patient
from connector.demo.phantom_images import objects
from connector.demo.record import PATIENT_SYSTEM, record_bundle
from connector.demo.simulated import made_up
from connector.dicom.read_study import DicomImaging
from connector.fhir.read_bundle import BundleRecordSource
from connector.flow import Flow, Gathered, Subject
from connector.ports import WriteRequest
from connector.report.board_pages import draw

MOST_PAGES = 2
FULLEST = 1  # of the demo's patients: five lesions in both lobes, work-up and Y-90 PET
ROOT = Path(__file__).parents[1]


def gathered(patient: Patient, day: date) -> Gathered:
    """What is known after the last study of a made-up patient, from files and record, as if released by a person."""
    with tempfile.TemporaryDirectory() as folder:
        for visit in patient.visits(day):
            for name, instances in objects(visit).items():
                save_all(instances, Path(folder) / str(visit.study.number) / name)
        record = json.loads(record_bundle(patient.history, patient.days(day)))
        issuers = {patient.history.person.issuer: PATIENT_SYSTEM}
        flow = Flow(imaging=DicomImaging(), record=BundleRecordSource(record), writers=(), issuers=issuers)
        paths = sorted(Path(folder).rglob("*.dcm"))
        return flow.gather(Subject(None, "pages", paths, identity_released=True))


def request_of(made: Gathered, day: date) -> WriteRequest:
    """What a writer is given when everything changed since nothing was known: the longest list of news."""
    earlier = Earlier(day - timedelta(days=90), "2.25.1", select({}, day), "SD")
    assessment = assess(made.case, today=day, connector_version=__version__, previous=earlier)
    return WriteRequest(
        assessment, made.imaging.identity, made.record, (), activity=made.case.activity, regions=made.case.regions,
        anatomy=made.imaging.anatomy,
    )  # fmt: skip


def requests(simulated: int) -> Iterator[tuple[str, WriteRequest]]:
    """Every report, with its name."""
    day = datetime.now(UTC).date()
    demo = [gathered(patient, day) for patient in PATIENTS]
    for patient, made in zip(PATIENTS, demo, strict=True):
        yield f"demo, {patient.history.person.given}", request_of(made, day)
    for number in range(1, simulated + 1):
        yield f"simulated {number}", request_of(gathered(made_up(number, seed=1, studies=3), day), day)
    full = demo[FULLEST]
    images = request_of(full, day).assessment
    for one in load((ROOT / "tests/published/vignettes.json").read_text())["vignettes"]:
        facts = observed(one["facts"])
        for name, known in (("alone", {}), ("beside images", full.case.facts)):
            case = replace(full.case, facts={**known, **facts})
            if name == "alone":
                case = CaseFacts(full.case.case_ref, full.case.study_instance_uid, (), facts)
            request = request_of(replace(full, case=replace(case, activity=None)), day)
            assessment = request.assessment
            if known:
                assessment = replace(assessment, dose=images.dose)
            activity = full.case.activity if known else None
            yield f"{one['id']} {name}", replace(request, assessment=assessment, activity=activity)


def main() -> None:
    """Draw them all; write those that are too long to a folder, to be looked at."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--simulated", type=int, default=24, help="how many patients of the generator")
    asked.add_argument("--keep", type=Path, help="folder for the reports")
    asked.add_argument("--only", default="", help="a part of the names")
    given = asked.parse_args()
    worst = 0
    for name, request in requests(given.simulated):
        if given.only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = (given.keep or Path(folder)) / f"{name.replace(' ', '-')}.pdf"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(draw(request))
            said = subprocess.run(["pdfinfo", path], capture_output=True, text=True, check=True).stdout
        (pages,) = [int(line.split()[1]) for line in said.splitlines() if line.startswith("Pages:")]
        worst = max(worst, pages)
        print(f"{pages} pages: {name}", flush=True)
    sys.exit(worst > MOST_PAGES)


if __name__ == "__main__":
    main()
