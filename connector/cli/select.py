"""The commands about treatment selection: `select` answers a case, `rules` prints what it answers by."""

from pathlib import Path
from typing import Any

import click

from connector.cli.case_io import case_command, run_cases
from connector.cli.routing import test_rules
from connector.contract.reading import dumps
from connector.contract.select import (
    drawing_of,
    explain_rule,
    facts_catalogue,
    rules_catalogue,
    run,
    run_plain,
)


@click.command("select")
@case_command
@click.option("--graph", type=click.Path(dir_okay=False, path_type=Path), help="Draw one case's decision path as SVG.")
@click.option("--what-if", is_flag=True, help="With --lines: also try what would change each answer (slower).")
def select(case: str, *, lines: bool, debug: bool, graph: Path | None, what_if: bool) -> None:
    """
    Say which treatment fits the facts of CASE.json (`-` is stdin), by cited rules, as a draft for a tumour board.

    Example: echo '{"today": "2026-01-31", "facts": {"histology": "MTC", "liver_lesion_count": 2}}' |
    connector select -
    """
    if graph is not None and lines:
        raise click.UsageError("--graph draws one case: leave out --lines")

    def answer_and_draw(parsed: Any) -> dict[str, Any]:
        result = run(parsed)
        if graph is not None:
            graph.write_text(drawing_of(parsed), encoding="utf-8")
        return result

    run_cases(run_plain if lines and not what_if else answer_and_draw, case, lines=lines, debug=debug)


@click.group("rules", invoke_without_command=True)
@click.pass_context
@click.option("--explain", metavar="ID", help="Everything about one rule, as JSON.")
@click.option("--facts", is_flag=True, help="The facts a case may give, as JSON.")
def rules(context: click.Context, *, explain: str | None, facts: bool) -> None:
    """
    Print the catalogue of clinical rules (its text is core/RULES.md), or try the routing rules of the site.

    Example: connector rules --explain F2-N1-LIMITED
    """
    if context.invoked_subcommand is not None:
        return
    if facts:
        click.echo(dumps(facts_catalogue(), indent=2))
    elif explain is not None:
        found = explain_rule(explain)
        if found is None:
            raise click.UsageError(f"--explain {explain}: no rule has this id (`connector rules` prints them all)")
        click.echo(dumps(found, indent=2))
    else:
        click.echo(rules_catalogue(), nl=False)


rules.add_command(test_rules)
