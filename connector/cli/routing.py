"""The command that tries the routing rules on a folder: which rule takes each study, and why not the others."""

from pathlib import Path
from typing import Any

import click

from connector.cli.case_io import CaseError, sentence
from connector.contract.reading import dumps
from connector.core.errors import BadCase
from connector.routing import Routing, StudySeen


@click.command("test")
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--file", "file", metavar="RULES.toml", type=click.Path(path_type=Path),
    help="The rules to try; without it those of CONNECTOR_ROUTING_FILE.",
)  # fmt: skip
@click.option("--calling-ae", default="", help="AE title that would have sent the studies.")
def test_rules(folder: Path, *, file: Path | None, calling_ae: str) -> None:
    """
    Say of each study below DIR which routing rule takes it, what it gets, what it lacks, and why not the other rules.

    Nothing is stored or sent.

    Example: connector rules test /data/studies --file routing.toml --calling-ae CT1
    """
    from connector.dicom.read_routing import studies_in  # noqa: PLC0415 - keeps --help fast
    from connector.settings.reading import read_settings  # noqa: PLC0415
    from connector.settings.routing import read_routing  # noqa: PLC0415

    settings = read_settings()
    try:
        routing = read_routing(file or settings.routing_file, quiet_seconds=settings.quiet_seconds)
    except BadCase as fault:
        raise CaseError(sentence(fault)) from None
    studies, skipped = studies_in(sorted(path for path in folder.rglob("*") if path.is_file()), calling_ae=calling_ae)
    answer = {
        "rules": [rule.name for rule in routing.rules],
        "studies": [_judged(routing, study) for study in studies],
        "skipped": [{"file": str(Path(each.where).relative_to(folder)), "reason": each.reason} for each in skipped],
    }
    click.echo(dumps(answer, indent=2))


def _judged(routing: Routing, study: StudySeen) -> dict[str, Any]:
    rule, passed_over = routing.match(study)
    return {
        "study_instance_uid": study.study_instance_uid,
        "rule": rule.name if rule else None,
        "assess": list(rule.assess) if rule else [],
        "kept_out": rule is None or not rule.assess,
        "missing": rule.missing(study) if rule else [],
        "when_incomplete": rule.when_incomplete if rule and rule.required else None,
        "not_matched": [{"rule": name, "because": reason} for name, reason in passed_over],
        "series": [
            {
                "modality": series.modality,
                "sop_classes": sorted(series.sop_classes),
                "body_part": series.body_part,
                "series_description": series.description,
                "procedure_codes": sorted(series.procedure_codes),
                "instances": series.instances,
            }
            for series in study.series
        ],
    }
