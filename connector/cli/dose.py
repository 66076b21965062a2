"""`connector dose`: activity before treatment, kinetics, and the voxel dose after it, from the command line."""

from typing import Any

import click

from connector.cli.case_io import case_command, run_cases
from connector.contract import dose_fit, dose_plan


@click.group()
def dose() -> None:
    """Plan an activity, fit kinetics, or map the dose of an image."""


@dose.command("plan")
@case_command
def plan(case: str, **how: Any) -> None:
    """Activity of microspheres before treatment: empiric, bsa, mird or partition."""
    run_cases(dose_plan.run, case, **how)


@dose.command("fit")
@case_command
def fit(case: str, **how: Any) -> None:
    """Time course to absorbed dose, or the limits on radioiodine."""
    run_cases(dose_fit.run, case, **how)
