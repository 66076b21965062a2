"""What leaves the data folder: `tidy` takes away what is done and old, `erase` one case on a person's order."""

import sys
import time

import click

from connector.cli.operate import opened, who
from connector.contract.reading import dumps


@click.command()
@click.option("--dry-run", is_flag=True, help="Tell what would go, and why the rest stays; take nothing away.")
def tidy(*, dry_run: bool) -> None:
    """
    Take away what is done and old, by the CONNECTOR_RETAIN_* settings; beat does the same once an hour.

    A case goes as a whole: never while a study of it is received, a step waits, a document is not delivered or not
    committed to, an instance is in conflict, or its record is still followed (CONNECTOR_EHR_FOLLOW_DAYS). Files that a
    crash left without a row are looked for twice, a minute apart: what is being written at that moment stays.

    Example: CONNECTOR_RETAIN_INSTANCES_DAYS=30 connector tidy --dry-run
    """
    with opened() as operation:
        if not dry_run:
            operation.eraser.resume()
        click.echo(dumps({"dry_run": dry_run, **operation.tidy.run(dry_run=dry_run, pause=_wait).shown()}, indent=2))


def _wait(seconds: float) -> None:
    label = f"Files that no row names are looked for once more in {seconds:.0f} s, so that none in use goes"
    with click.progressbar(length=int(seconds), label=label, show_eta=False, file=sys.stderr) as waited:
        for _ in range(int(seconds)):
            time.sleep(1.0)
            waited.update(1)


@click.command()
@click.argument("ref", metavar="ID")
@click.option("--because", required=True, help="Why: who ordered it and on what ground. It stays in the logbook.")
@click.option("--yes", is_flag=True, help="Do not ask again.")
def erase(ref: str, *, because: str, yes: bool) -> None:
    """
    Erase every file and row of one case, by its reference or the UID of one of its studies.

    Its events stay without what they were about; the order stays with your login name and the reason. What was
    delivered is listed: it is erased in the PACS and the EHR by their own people. It cannot be taken back.

    Example: connector erase 1.2.840.113619.2.1 --because "wrong patient, order 17 of the data protection officer" --yes
    """
    with opened() as operation:
        operation.eraser.case_of(ref)  # what is not there is said before anybody is asked
        if not yes:
            click.confirm(f"erase everything of the case of {ref}", abort=True, err=True)
        click.echo(dumps(operation.eraser.erase(ref, because=because, by=who()), indent=2))
