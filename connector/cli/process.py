"""`connector process`: the whole job on files, without a network."""

import json
import os
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console

from connector.cli.case_io import CaseError, sentence
from connector.contract.reading import dumps
from connector.core.errors import BadCase, ConnectorError


@click.command()
@click.option("--dicom", "dicom_dir", required=True, type=click.Path(path_type=Path), help="Folder of DICOM files.")
@click.option("--fhir", "bundle", required=True, type=click.Path(path_type=Path), help="FHIR R4 Bundle as JSON.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the result.")
@click.option("--today", type=click.DateTime(["%Y-%m-%d"]), help="The day to assess for; default: the latest study's.")
@click.option("--pictures", is_flag=True, help="Also write the response pictures, as PNG and SVG, to pictures/.")
def process(dicom_dir: Path, bundle: Path, out: Path, *, today: datetime | None, pictures: bool) -> None:
    """
    Do the whole job on files: read a study and a record, assess, and write what the service would send.

    Writes pacs/*.dcm, ehr/*.json and summary.json to --out; the same input gives the same bytes. Two patients, a
    patient that does not match, or a Bundle that is not R4 leave with exit 2, and nothing is written.
    CONNECTOR_PATIENT_ISSUERS says which Issuer of Patient ID in the images is which identifier system in the record.

    Example: CONNECTOR_PATIENT_ISSUERS=HOSPITAL=urn:oid:1.2.3.4 connector process --dicom study/ --fhir record.json
    --out result/
    """
    from connector.app import file_flow  # noqa: PLC0415 - the rooms load slowly, and --help should not
    from connector.process import process as process_files  # noqa: PLC0415

    console = Console(stderr=True)
    try:
        issuers = os.environ.get("CONNECTOR_PATIENT_ISSUERS", "")
        flow = file_flow(_bundle(bundle), issuers, pictures=pictures)
        with console.status("Reading, assessing, writing"):
            summary = process_files(flow, dicom_dir=dicom_dir, out=out, today=today.date() if today else None)
    except BadCase as fault:
        raise CaseError(sentence(fault)) from None
    except ConnectorError as fault:
        raise CaseError(f"--dicom {dicom_dir}, --fhir {bundle}: {fault}") from None
    click.echo(dumps(summary, indent=2))


def _bundle(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())
    except OSError as fault:
        raise BadCase("--fhir", str(path), f"cannot be read ({fault.strerror}): name a file") from None
    except ValueError as fault:
        raise BadCase("--fhir", str(path), f"is not JSON ({type(fault).__name__}): export the Bundle again") from None
