"""`connector simulate`: made-up patients at a rate, for training and for load; their truth goes to stdout."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from connector.cli.case_io import CaseError

if TYPE_CHECKING:
    from connector.demo.patients import Patient
    from connector.demo.phantom_images import PhantomVisit
    from connector.dicom.pacs_association import Pacs


@click.command()
@click.option("--patients", type=click.IntRange(min=1), default=10, show_default=True, help="How many.")
@click.option("--studies", type=click.IntRange(1, 20), default=3, show_default=True, help="Studies of each.")
@click.option("--per-minute", type=click.FloatRange(min=0), default=0.0, show_default=True,
              help="Studies sent in a minute; 0: as fast as they are taken.")  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same patients.")
@click.option("--last-study-on", type=click.DateTime(["%Y-%m-%d"]), help="Day of the last studies; default: today.")
@click.option("--dicom", metavar="HOST:PORT", help="Storage SCP that gets the studies, e.g. 127.0.0.1:11112.")
@click.option("--called", default="CONNECTOR", show_default=True, help="Its AE title.")
@click.option("--calling", default="SIMULATOR", show_default=True, help="Our AE title.")
@click.option("--fhir", metavar="URL", help="FHIR server that gets the records, e.g. http://127.0.0.1:8090/fhir.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False),
              help="Folder that gets the same as files, one folder a patient.")  # fmt: skip
@click.option("--beyond-this-machine", is_flag=True,
              help="Allow other addresses than loopback: never those of a clinical PACS or EHR.")  # fmt: skip
def simulate(
    *, patients: int, studies: int, per_minute: float, seed: int, last_study_on: datetime | None, dicom: str | None,
    called: str, calling: str, fhir: str | None, out: Path | None, beyond_this_machine: bool,
) -> None:  # fmt: skip
    """
    Feed made-up patients, whose truth is known, to a service: studies by C-STORE, records by HTTP, or both as files.

    One JSON line a study goes to stdout: diameters, volumes, activities and absorbed doses as they were drawn. The
    service matches the two sides by

    \b
    CONNECTOR_PATIENT_ISSUERS=SIMULATED-HOSPITAL=urn:oid:2.25.229374815330271204839120183311022457716

    Example: connector simulate --patients 20 --per-minute 6 --dicom 127.0.0.1:11112 --fhir http://127.0.0.1:8090/fhir
    """  # noqa: D301 - click reads the \b
    if not (dicom or fhir or out):
        raise CaseError("--dicom, --fhir, --out: none is given: name where the patients go")
    to = _pacs(dicom, called, calling, anywhere=beyond_this_machine) if dicom else None
    if fhir:
        _require_near(urlsplit(fhir).hostname or "", "--fhir", fhir, anywhere=beyond_this_machine)
    day = last_study_on.date() if last_study_on else datetime.now(UTC).date()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("Studies", total=patients * studies)
        pace = _pace(per_minute)
        for number in range(1, patients + 1):
            for line in _one_patient(number, seed=seed, studies=studies, day=day, to=to, fhir=fhir, out=out, pace=pace):
                click.echo(json.dumps(line))
                progress.advance(bar)


def _one_patient(
    number: int, *, seed: int, studies: int, day: date, to: "Pacs | None", fhir: str | None, out: Path | None,
    pace: Iterator[None],
) -> Iterator[dict[str, Any]]:  # fmt: skip
    from connector.demo.feed import send_record  # noqa: PLC0415 - keeps --help fast
    from connector.demo.record import record_bundle  # noqa: PLC0415
    from connector.demo.simulated import made_up, truth  # noqa: PLC0415

    patient = made_up(number, seed=seed, studies=studies)
    bundle = record_bundle(patient.history, patient.days(day))
    if fhir:
        send_record(fhir.rstrip("/"), bundle)
    if out:
        folder = out / patient.history.person.patient_id
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "record.json").write_bytes(bundle)
    for visit in patient.visits(day):
        next(pace)
        _one_study(patient, visit, to=to, out=out)
        yield {"patient_id": patient.history.person.patient_id, "study": visit.study.number, **truth(visit)}


def _one_study(patient: "Patient", visit: "PhantomVisit", *, to: "Pacs | None", out: Path | None) -> None:
    from connector.demo.case import save_all  # noqa: PLC0415 - keeps --help fast
    from connector.demo.feed import send_study  # noqa: PLC0415
    from connector.demo.phantom_images import objects  # noqa: PLC0415

    series = objects(visit)
    if out:
        for name, instances in series.items():
            save_all(instances, out / patient.history.person.patient_id / f"study-{visit.study.number}" / name)
    if to is not None:
        send_study(to, [each for instances in series.values() for each in instances])


def _pace(per_minute: float) -> Iterator[None]:
    """Yield whenever the next study may go."""
    due = time.monotonic()
    while True:
        time.sleep(max(0.0, due - time.monotonic()))
        yield
        due = max(due, time.monotonic() - 60) + (60 / per_minute if per_minute else 0.0)


def _pacs(text: str, called: str, calling: str, *, anywhere: bool) -> "Pacs":
    from connector.dicom.pacs_association import Pacs  # noqa: PLC0415 - keeps --help fast

    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise CaseError(f"--dicom = {text}: write HOST:PORT, e.g. 127.0.0.1:11112")
    _require_near(host, "--dicom", text, anywhere=anywhere)
    return Pacs(host=host, port=int(port), ae_title=called, calling_ae_title=calling)


def _require_near(host: str, option: str, given: str, *, anywhere: bool) -> None:
    """Made-up patients must not reach a clinical system by a slip of the keyboard."""
    try:
        near = host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        near = False
    if not (near or anywhere):
        raise CaseError(
            f"{option} = {given}: is not on this machine: add --beyond-this-machine if a test system is there"
        )
