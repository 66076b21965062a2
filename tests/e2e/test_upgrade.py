"""Upgrade from the release before and roll back, with work in flight on real processes; and a backup put back."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from state_peers import answers, free_port, wait_until

from connector.demo.archive import ARCHIVE_AE_TITLE, Archive
from connector.demo.case import DemoCase
from connector.demo.feed import read_study, send_study
from connector.dicom.pacs_association import Pacs

# The package as it was in the wheel of 0.1.0, without the demo.
RELEASE = Path(__file__).parents[1] / "data" / "releases" / "connector-0.1.0.tar.xz"
OLD_REVISION = "0001"
REPORT = "1.2.840.10008.5.1.4.1.1.88.34"


@dataclass
class Site:
    """One data folder, worked on by the old program and by this one, with neighbours that are there or away."""

    folder: Path
    old: Path
    archive: Archive
    issuers: str

    def environment(self, *, old: bool, away: bool = False, data: str = "data") -> dict[str, str]:
        # Nobody listens on the port of a neighbour who is away.
        pacs, ehr = (
            (free_port(), f"http://127.0.0.1:{free_port()}/fhir")
            if away
            else (self.archive.dicom_port, self.archive.fhir_url)
        )
        settings = {
            "data_dir": self.folder / data, "quiet_seconds": 1, "sweep_seconds": 0.2, "disk_reserve_mb": 16,
            # What a service held when it was killed is taken up again within the test's patience.
            "lease_seconds": 60,
            "dicom_port": free_port(), "http_port": free_port(), "pacs_host": "127.0.0.1", "pacs_port": pacs,
            "pacs_ae_title": ARCHIVE_AE_TITLE, "pacs_priors": "false", "ehr_url": ehr, "ehr_poll_seconds": 3600,
            "patient_issuers": self.issuers,
        }  # fmt: skip
        given = {f"CONNECTOR_{name.upper()}": str(value) for name, value in settings.items()}
        return {**os.environ, **given, **({"PYTHONPATH": str(self.old)} if old else {})}

    def run(self, *arguments: object, environment: Mapping[str, str]) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-m", "connector", *map(str, arguments)], env=environment, capture_output=True, text=True,
            check=False, timeout=240, cwd=self.folder,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @contextmanager
    def serving(self, environment: Mapping[str, str]) -> Iterator[int]:
        """A service that ends by kill -9; its DICOM port."""
        with (self.folder / "service.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "connector", "serve"], env=environment, stdout=log, stderr=log, cwd=self.folder
            )
        port = int(environment["CONNECTOR_DICOM_PORT"])
        try:
            wait_until(lambda: answers(port), seconds=240, what="the start of the service")
            yield port
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(10)

    def wait_for(self, *jobs: str, data: str = "data") -> dict[str, int]:
        """Wait until the steps are in these states and no others, those due tried before; returns studies by state."""
        ledger = self.folder / data / "ledger.sqlite"
        studies: dict[str, int] = {}

        def there() -> bool:
            # Looked at from outside: an operator's command of either version would bring the ledger to its own tables.
            with closing(sqlite3.connect(ledger, timeout=30)) as connection:
                # What was never tried may be under way a moment later, when the service is killed.
                states = connection.execute(
                    "SELECT DISTINCT kind || '.' || iif(state = 'due' AND attempts = 0, 'new', state) FROM job"
                ).fetchall()
                counted = connection.execute("SELECT state, count(*) FROM study GROUP BY state").fetchall()
            studies.clear()
            studies.update(counted)
            return sorted(state for (state,) in states) == sorted(jobs) and "receiving" not in studies

        wait_until(there, seconds=240, what=f"steps in {jobs}", every_seconds=0.2)
        return studies

    def reports(self) -> Counter[str]:
        """How many reports of each study the archive holds."""
        held = list(self.archive.shelf.receipts.values())
        return Counter(one.study_instance_uid for one in held if one.sop_class_uid == REPORT)


@pytest.fixture
def site(demo_case: DemoCase, tmp_path: Path) -> Iterator[Site]:
    old = tmp_path / "old"
    with tarfile.open(RELEASE) as packed:
        packed.extractall(old, filter="data")
    with Archive(tmp_path / "pacs") as archive:
        for entry in json.loads(demo_case.bundle.read_bytes())["entry"]:
            archive.records.put(entry["resource"])
        yield Site(tmp_path, old, archive, demo_case.patient_issuers)


def listener_at(port: int) -> Pacs:
    return Pacs(host="127.0.0.1", port=port, ae_title="CONNECTOR", calling_ae_title="DEMO")


def test_nothing_is_lost_or_doubled_by_an_upgrade_and_a_roll_back_with_work_in_flight(
    site: Site, demo_case: DemoCase
) -> None:
    first, second, third = demo_case.studies
    before = site.environment(old=True)
    with site.serving(before) as port:
        send_study(listener_at(port), read_study(first))
        site.wait_for("assess.done", "deliver.done")
    assert sum(site.reports().values()) == 1

    away = site.environment(old=True, away=True)
    with site.serving(away) as port:
        send_study(listener_at(port), read_study(second))
        site.wait_for("assess.done", "assess.due", "deliver.done")
    backup = site.run("backup", site.folder / "backup", environment=site.environment(old=False))
    assert backup["revision"] == OLD_REVISION, "a backup leaves the ledger as it is"

    new = site.environment(old=False, away=True)
    head = site.run("migrate", environment=new)["revision"]
    assert head != OLD_REVISION
    with site.serving(new) as port:
        send_study(listener_at(port), read_study(third))
        site.wait_for("assess.done", "assess.due", "deliver.done")

    assert site.run("migrate", "--to", OLD_REVISION, environment=new)["revision"] == OLD_REVISION
    again = site.environment(old=True)
    with site.serving(again):
        studies = site.wait_for("assess.done", "deliver.done")
    assert studies == {"complete": 3}
    assert sorted(site.reports().values()) == [1, 1, 1]
    plans = [plan["status"] for plan in site.archive.records.search("CarePlan", [])]
    assert plans.count("draft") == 1, "one plan is in force; what it replaced is revoked"
    assert set(plans) <= {"draft", "revoked"}

    restored = site.environment(old=False, data="elsewhere/data")
    assert site.run("restore", site.folder / "backup", environment=restored)["moved"] > 0
    assert site.run("migrate", environment=restored)["revision"] == head
    with site.serving(restored):
        studies = site.wait_for("assess.done", "deliver.done", data="elsewhere/data")
    assert studies == {"complete": 2}, "what came after the backup is sent again by the PACS"
