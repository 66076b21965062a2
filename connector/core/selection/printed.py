"""The manual of the rules, printed from the rules: core/RULES.md is this text."""

from collections.abc import Iterator

from connector.core.catalogue import FACTS
from connector.core.rules import Rule
from connector.core.selection.conflicts import CONFLICTS
from connector.core.selection.evidence_rows import COUNTS, NOT_COUNTED, SERIES
from connector.core.selection.needs import ELIGIBILITY, PRESCRIPTION, Need
from connector.core.selection.registry import RULES
from connector.core.sources import SOURCES
from connector.core.versions import RULESET

INTRODUCTION = """
Printed by `connector rules` from the typed rows in `core/selection`; do not edit. An absent fact is unknown, never
"no". DERIVED marks a cut-off or reading that the sources do not state, STRENGTH READ a grade that is our reading: a
clinician confirms both. "always" marks static statements, which never drive a ranking. Every answer is a draft for a
tumour board.
Precedence: excludes absolutely, cannot decide, contradictory data, relative contraindication, requires, prefers,
indicates, advises, informs.
"""


def manual() -> str:
    """The whole catalogue as Markdown, ending with a line break."""
    return "\n".join((f"# Rules, facts and sources ({RULESET})", INTRODUCTION, *_rules(), *_facts(), *_rest())) + "\n"


def _rules() -> Iterator[str]:
    for source in SOURCES.values():
        rows = [rule for rule in RULES if rule.cite.source == source.short]
        if not rows:
            continue
        yield f"## {source.short}\n"
        yield f"{source.authors}. {source.title}. {source.where}.\n"
        yield "| rule | when | verdict | options | says | place and words |"
        yield "|---|---|---|---|---|---|"
        yield from (_rule(rule) for rule in rows)
        yield ""


def _rule(rule: Rule) -> str:
    words = f"{rule.cite.locus}: “{rule.cite.quote}”" if rule.cite.quote else rule.cite.locus
    options = ", ".join(rule.options) or "-"
    return _row(f"`{rule.id}`", str(rule.when), str(rule.verdict), options, rule.text, words)


def _facts() -> Iterator[str]:
    yield "## Facts\n"
    yield "| fact | type | allowed | if missing |"
    yield "|---|---|---|---|"
    for name, fact in FACTS.items():
        yield _row(f"`{name}`", fact.type_name, fact.allowed, fact.if_missing)
    yield "\n## Facts an option needs before it is offered\n"
    yield "| fact | options | where |"
    yield "|---|---|---|"
    yield from (_need(need) for need in (*ELIGIBILITY, *PRESCRIPTION))
    yield ""


def _need(need: Need) -> str:
    instead = f"; or {need.instead}" if need.instead else ""
    return _row(f"`{need.fact}`", ", ".join(need.options), f"{need.when}{instead}")


def _rest() -> Iterator[str]:
    yield "## Conflicts and gaps of the sources\n"
    yield "| id | disagreement or gap | what is built in | touches a case by |"
    yield "|---|---|---|---|"
    for conflict in CONFLICTS:
        touches = [", ".join(conflict.rules)] * bool(conflict.rules) + [str(conflict.when)] * bool(conflict.when)
        touch = "; or ".join(touches) or "a note, never a ranking"
        confirm = " (a clinician confirms)" if conflict.to_confirm else ""
        yield _row(f"`{conflict.id}`", conflict.disagreement, conflict.resolution + confirm, touch)
    yield "\n## Evidence that is pooled\n"
    yield "| series | option | histotype | n | CR, PR, SD, PD, not assessed | place | note |"
    yield "|---|---|---|---|---|---|---|"
    for series in SERIES:
        counts = ", ".join(map(str, series.responses)) if series.responses else "-"
        cells = (series.reference, series.modality, series.histotype, f"{series.n} {series.unit}", counts)
        yield _row(*cells, str(series.cite), series.note)
    for count in COUNTS:
        outcome = f"{count.outcome}: {count.events}"
        yield _row(
            count.reference, ", ".join(count.modalities), "-", str(count.n), outcome, str(count.cite), count.indirect
        )
    yield "\nNot counted: " + "; ".join(f"{what} ({why})" for what, why in NOT_COUNTED) + "."


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
