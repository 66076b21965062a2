"""`connector demo`: see the main job happen on this machine."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Column, Table

from connector.cli.case_io import RunFailed

if TYPE_CHECKING:
    from connector.demo.outcome import Outcome


@click.command()
@click.option(
    "--folder", type=click.Path(path_type=Path), default=Path("connector-demo"), show_default=True,
    help="Where the demo keeps everything; replaced at every run.",
)  # fmt: skip
@click.option("--stay", is_flag=True, help="Keep running afterwards, to look at the console; stop with Ctrl-C.")
@click.option(
    "--patients", type=click.IntRange(1, 5), default=5, show_default=True,
    help="How many made-up patients; each has three studies. One takes a few seconds.",
)  # fmt: skip
def demo(folder: Path, *, stay: bool, patients: int) -> None:
    """
    Run the whole job on five made-up patients: real C-STORE and HTTP in, SR, RT Dose and FHIR drafts out.

    A partial response that ends and is radioembolised; two small lesions; many lesions with work-up scan and Y-90 PET,
    and a fact that comes late; lungs and spine; and one whose birth dates contradict, set aside for a person. The CT of
    the first is a real, openly licensed one, the others are a phantom with known truth. Nothing leaves this machine.

    Example: connector demo --stay
    """
    from connector import logs  # noqa: PLC0415 - keeps --help fast
    from connector.cli.service import until_stopped  # noqa: PLC0415

    console = Console(stderr=True)
    if folder.exists() and not (folder / "service").exists() and any(folder.iterdir()):
        raise RunFailed(f"--folder {folder}: holds other files: name a new folder")
    from connector.demo.run import demonstration  # noqa: PLC0415 - loads the whole service, so what is wrong comes first

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with (folder / "service.log").open("w") as log_file:
        logs.configure(to=log_file)
        try:
            with (
                console.status("Starting") as status,
                demonstration(
                    folder.absolute(), status.update, patients=patients,
                    opened=lambda url: console.print(f"Console: {url}   open it now and watch the studies come in"),
                ) as (service, came),
            ):  # fmt: skip
                status.stop()
                _show(Console(), came, folder)
                if stay:
                    console.print(f"Console: http://127.0.0.1:{service.http_port}/   stop with Ctrl-C")
                    until_stopped()
                else:
                    console.print("The console is closed now; with --stay it remains open.")
        except TimeoutError as fault:
            raise RunFailed(f"{fault} (log: {folder / 'service.log'})") from None


def _show(console: Console, came: "Outcome", folder: Path) -> None:
    patients = Table("Patient", "Response", "What the board reads first", title="What became of the patients")
    for one in came.concluded:
        patients.add_row(one.patient, one.response, one.said)
    console.print(patients)
    arrived = Table("Where", "What", Column("Count", justify="right"), title=f"What arrived in {folder}/archive")
    for row in came.arrived:
        arrived.add_row(row.where, row.what, str(row.count))
    console.print(arrived)
    console.print(
        f"To look at: the board reports in {folder}/reports, the FHIR resources in {folder}/archive/ehr, the DICOM"
        f" objects in {folder}/archive/pacs, the case that was sent in {folder}/case, the log {folder}/service.log.",
        soft_wrap=True,
    )
