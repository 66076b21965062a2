"""The commands on tumour response: judge a case, and export it for a trial."""

import click

from connector.cli.case_io import case_command, run_cases
from connector.contract.respond import run


@click.command()
@case_command
def respond(case: str, *, lines: bool, debug: bool) -> None:
    """Judge tumour response from a JSON case: RECIST 1.1 or mRECIST."""
    run_cases(run, case, lines=lines, debug=debug)
