"""Real processes for a browser: the demo's first patient, cases that wait, a long list, a large study, and the web."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import sqlalchemy as sa
from console_case import PASSWORD, password_hash
from playwright.sync_api import Browser, Page, sync_playwright
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from state_peers import answers, free_port, wait_until

from connector.console.signing import Cookies
from connector.console.wording import short_ref
from connector.core.case import Identifier, PatientIdentity
from connector.flow import RELEASE_HINT
from connector.ports import COMMITMENT_ASKED
from connector.store import tables as t
from connector.store.accounts import Accounts
from connector.store.contradicting import keep
from connector.store.engine import open_ledger

CHROMIUM = [
    "--no-sandbox", "--headless=new", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
RECORD = PatientIdentity((Identifier("P1", "urn:test"),), "Testerin", "Tilda", date(1963, 11, 8), "F")
USERS = {"olga": ("operator",), "clara": ("clinician",), "both": ("clinician", "operator", "physicist")}
CASES, PLANES, WAITING = 10_000, 2_000, 6
LARGE_STUDY = "2.25.2000"
CONTRADICTS = f"the patient of the images and of the record contradict in birth date: {RELEASE_HINT}"
PICTURES = Path(__file__).parents[2] / "out" / "console"


@dataclass
class Scene:
    """The web's address, its ledger, and the references that tests look at."""

    url: str
    engine: sa.Engine
    case_ref: str  # of the demo's patient
    dose_study: str
    key: bytes

    @property
    def large(self) -> str:
        return f"{self.url}/cases/{case_of(-1)}/studies/{short_ref(LARGE_STUDY)}/images/0"

    def waiting(self, number: int) -> tuple[str, str]:
        """Case and address of a study that waits for a release."""
        case_ref = case_of(number)
        return case_ref, f"{self.url}/cases/{case_ref}/studies/{short_ref(f'1.2.{number}')}/release"

    def session(self, name: str) -> str:
        """The cookie of somebody who has just signed in."""
        accounts = Accounts(self.engine, idle_seconds=1800, longest_seconds=36_000)
        token = accounts.begin(name, USERS[name], way="password")
        return Cookies(self.key)._serializer("connector_session").dumps(token)

    def events(self, kind: str, ref: str) -> list[str]:
        with self.engine.connect() as connection:
            query = sa.select(t.event.c.actor).where(t.event.c.kind == kind, t.event.c.ref == ref)
            return list(connection.execute(query).scalars())


def case_of(number: int) -> str:
    return sha256(str(number).encode()).hexdigest()[:32]


@contextmanager
def scene(folder: Path) -> Iterator[Scene]:
    """Run the demo once, add to its ledger, and serve the console over it."""
    demo = [sys.executable, "-m", "connector", "demo", "--folder", str(folder / "demo"), "--patients", "1"]
    subprocess.run(demo, check=True, capture_output=True, timeout=300)
    data = folder / "demo" / "service"
    engine = open_ledger(f"sqlite:///{data / 'ledger.sqlite'}")
    _fill(engine, folder)
    with engine.connect() as connection:
        dose = connection.execute(
            sa.select(t.assessment.c.case_ref, t.document.c.study_instance_uid)
            .join(t.document, t.document.c.assessment_id == t.assessment.c.id)
            .where(t.document.c.kind == "rtdose")
        ).first()
    with web(data) as url:
        yield Scene(url, engine, dose.case_ref, dose.study_instance_uid, (data / "console.key").read_bytes())
    engine.dispose()


@contextmanager
def web(data: Path, **settings: str) -> Iterator[str]:
    """`connector web` as a process."""
    port = free_port()
    environment = {"data_dir": str(data), "http_port": str(port), "disk_reserve_mb": "1", **settings}
    process = subprocess.Popen(
        [sys.executable, "-m", "connector", "web"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, **{f"CONNECTOR_{name.upper()}": value for name, value in environment.items()}},
    )  # fmt: skip
    try:
        wait_until(lambda: answers(port), seconds=180, what="the web's start")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def _fill(engine: sa.Engine, folder: Path) -> None:
    accounts = Accounts(engine, idle_seconds=1800, longest_seconds=36_000)
    for name, roles in USERS.items():
        accounts.add(name, password_hash(), roles)
    rows = [_study(number) for number in range(CASES)] + [_study(-1, uid=LARGE_STUDY)]
    jobs = [_job(row["study_instance_uid"], place) for place, row in enumerate(rows)]
    files = folder / "large"
    files.mkdir()
    with engine.begin() as connection:
        for number in range(WAITING):
            keep(connection, f"1.2.{number}", RECORD, now=1e9)
        connection.execute(sa.insert(t.study), rows)
        connection.execute(sa.insert(t.job), jobs)
        connection.execute(sa.insert(t.instance), [_instance(files, number) for number in range(PLANES)])
        _leave_unanswered(connection, CASES // 2)
        report = {"id": "job-report", "kind": "report", "ref": "promise", "serial": "report:promise"}
        connection.execute(sa.insert(t.job), _job("", 0) | report | {"state": "parked", "reason": "CT1 is away"})


def _leave_unanswered(connection: sa.Connection, number: int) -> None:
    """A report that the PACS took long ago and never said that it keeps."""
    study = {"study_instance_uid": f"1.2.{number}"}
    made = {"id": "unanswered", "case_ref": case_of(number), "input_digest": "d", "ruleset": "r", "summary": "{}"}
    connection.execute(sa.insert(t.assessment), made | study | {"assessed_at": 1e9})
    sent = {"id": "unanswered", "assessment_id": "unanswered", "kind": "sr", "destination": "pacs", "path": ""}
    uids = {"identity": "2.25." + "9" * 39, "sop_class_uid": "1.2", "series_instance_uid": "2.25.9"}
    connection.execute(sa.insert(t.document), sent | uids | study | {"delivered_at": 1e9, "note": COMMITMENT_ASKED})
    delivery = {"id": "job-unanswered", "kind": "deliver", "serial": "pacs:unanswered"}
    connection.execute(sa.insert(t.job), _job("unanswered", WAITING) | delivery)


def _study(number: int, *, uid: str = "") -> dict:
    return {
        "study_instance_uid": uid or f"1.2.{number}", "case_ref": case_of(number), "patient_key": f"T\x1f{number}",
        "study_date": "20260101", "state": "complete", "first_received_at": 1e9 - number,
        "last_received_at": 1e9 - number, "completed_at": 1e9,
    }  # fmt: skip


def _job(uid: str, place: int) -> dict:
    waits = place < WAITING
    return {
        "id": f"job-{place}", "kind": "assess", "ref": uid, "serial": f"assess:{place}", "position": 0,
        "state": "set_aside" if waits else "done", "due_at": 0, "queued_until": 0, "asked_at": 0, "attempts": 1,
        "changed_at": 1e9, "reason": CONTRADICTS if waits else None,
    }  # fmt: skip


@cache
def _plane() -> bytes:
    """One small plane; UID and height have as many letters as those of every other, and stand nowhere else."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = "2.25.2000.1000"
    dataset.PatientID, dataset.PatientName, dataset.Modality = "-1", "Large^Study", "CT"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = LARGE_STUDY, "2.25.2000.0"
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = ["0", "0", "9999"], [1, 0, 0, 0, 1, 0]
    dataset.Rows = dataset.Columns = 16
    dataset.PixelSpacing, dataset.SamplesPerPixel, dataset.PhotometricInterpretation = [1, 1], 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    dataset.PixelData = bytes(512)
    made = BytesIO()
    dataset.save_as(made, enforce_file_format=True)
    return made.getvalue()


def _instance(folder: Path, number: int) -> dict:
    """One of 2,000 small planes, in an order that their names do not tell."""
    uid = f"2.25.2000.{(number * 7) % PLANES + 1000}"
    path = folder / f"{uid}.dcm"
    path.write_bytes(_plane().replace(b"2.25.2000.1000", uid.encode()).replace(b"\\9999", f"\\{number:04}".encode(), 1))
    return {
        "sop_instance_uid": uid, "sop_class_uid": CTImageStorage, "study_instance_uid": LARGE_STUDY,
        "series_instance_uid": "2.25.2000.0", "transfer_syntax_uid": ExplicitVRLittleEndian, "path": str(path),
        "size_bytes": 1, "digest": uid, "modality": "CT", "source": "TEST", "received_at": 1e9,
    }  # fmt: skip


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        yield browser
        browser.close()


def sign_in(page: Page, url: str, name: str, password: str = PASSWORD) -> None:
    page.goto(f"{url}/sign-in")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
