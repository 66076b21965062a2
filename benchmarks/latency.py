"""How long a quiet study takes to come back: from its last instance to objects in PACS and EHR, less the quiet time.

Runs `serve` in this process against the demo's archive. Prints each study's seconds and their share of the 2 s goal.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

from connector import logs
from connector.demo.archive import Archive
from connector.demo.case import build
from connector.demo.feed import read_study, send_record, send_study
from connector.demo.run import settings_for
from connector.dicom.pacs_association import Pacs
from connector.service import Service

GOAL_SECONDS = 2.0
ROUNDS = 5
LONGEST_SECONDS = 60.0


def main() -> None:
    seconds = []
    for number in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            seconds += _round(Path(folder))
            sys.stderr.write(f"round {number + 1} of {ROUNDS}\n")
    kinds = ("CT + SEG", "CT + SEG, one prior", "CT + SEG + Y-90 PET, two priors")
    for place, kind in enumerate(kinds):
        median = statistics.median(seconds[place :: len(kinds)])
        print(f"{kind}: {median:.2f} s from the last instance to PACS and EHR, {median / GOAL_SECONDS:.2f} of the goal")


def _round(folder: Path) -> list[float]:
    logs.configure(to=(folder / "log").open("w"))
    case = build(folder / "case")
    with (
        Archive(folder / "archive") as archive,
        Service(settings_for(folder, archive, case.patient_issuers)) as service,
    ):
        send_record(archive.fhir_url, case.bundle.read_bytes())
        quiet = service.app.settings.quiet_seconds
        return [
            _answer_seconds(archive, service, study, number) - quiet
            for number, study in enumerate(case.studies, start=1)
        ]


def _answer_seconds(archive: Archive, service: Service, study: Path, number: int) -> float:
    to = Pacs(host="127.0.0.1", port=service.dicom_port, ae_title="CONNECTOR", calling_ae_title="BENCHMARK")
    send_study(to, read_study(study))
    started = time.perf_counter()
    while time.perf_counter() - started < LONGEST_SECONDS:
        reports = sum(receipt.modality == "SR" for receipt in list(archive.shelf.receipts.values()))
        waiting = any(
            name.startswith("deliver.") and not name.endswith("done") for name in service.app.desk.status()["jobs"]
        )
        if reports >= number and len(archive.records.search("CarePlan", [])) >= number and not waiting:
            return time.perf_counter() - started
        time.sleep(0.02)
    raise TimeoutError(f"study {number} was not answered: {service.app.desk.status()['waiting']}")


if __name__ == "__main__":
    main()
