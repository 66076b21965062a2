"""`connector schema`: the contract as JSON Schema, from the same models that read the cases."""

from typing import Any

import click

from connector.cli.case_io import CaseError, sentence
from connector.contract.reading import dumps
from connector.core.errors import BadCase


def schemas() -> dict[str, dict[str, Any]]:
    """Every published schema by name."""
    from connector.contract import (  # noqa: PLC0415 - keeps --help fast
        dose_fit,
        dose_from_images,
        dose_plan,
        respond,
        select_schema,
    )

    found: dict[str, Any] = {
        **respond.SCHEMAS,
        **dose_plan.SCHEMAS,
        **dose_fit.SCHEMAS,
        **dose_from_images.SCHEMAS,
        **select_schema.SCHEMAS,
    }
    return {
        name: model if isinstance(model, dict) else model.model_json_schema() for name, model in sorted(found.items())
    }


@click.command()
@click.argument("name", required=False)
def schema(name: str | None) -> None:
    """
    Print the JSON Schema of a case or result; without NAME, list the names.

    Example: connector schema dose-plan
    """
    published = schemas()
    if name is None:
        click.echo(dumps(sorted(published), indent=2))
    elif name in published:
        click.echo(dumps(published[name], indent=2))
    else:
        raise CaseError(sentence(BadCase("NAME", name, f"no such schema: one of {', '.join(published)}")))
