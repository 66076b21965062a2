"""`connector select`: reads a case of facts, asks the core for the selection, and answers in the contract's names."""

from collections.abc import Iterable, Mapping
from typing import Any

from connector.contract.reading import CaseModel, WholeDate, parse, versions
from connector.core.assessment import FollowUp, Option, Reason, Risk, Selection
from connector.core.case import FactValue
from connector.core.catalogue import FACTS, read_fact
from connector.core.evidence import Observed
from connector.core.selection import select
from connector.core.selection.conflicts import CONFLICTS
from connector.core.selection.drawing import svg
from connector.core.selection.printed import manual
from connector.core.selection.registry import RULE
from connector.core.selection.sensitivity import Change, what_would_change
from connector.core.selection.sites import by_site
from connector.core.sources import SOURCES


class SelectCase(CaseModel):
    """A case of `connector select`; the facts are named, typed and bounded in the catalogue."""

    today: WholeDate
    facts: dict[str, Any]


def run(case: Any) -> dict[str, Any]:
    """Answer one parsed case, with what would change the answer. Raises BadCase: the field, its value, what to do."""
    read = parse(SelectCase, case)
    facts = observed(read.facts)
    selection = select(facts, read.today)
    changes = what_would_change({name: fact.value for name, fact in facts.items()}, selection)
    told = [_change(change) for change in changes]
    return {**answer(selection), "assumed": assumed(facts), "what_would_change": told, "versions": versions()}


def run_plain(case: Any) -> dict[str, Any]:
    """Answer one of many parsed cases, without trying what would change the answer. Raises BadCase."""
    read = parse(SelectCase, case)
    facts = observed(read.facts)
    return {**answer(select(facts, read.today)), "assumed": assumed(facts), "versions": versions()}


def assumed(facts: Mapping[str, Observed[FactValue]]) -> dict[str, str]:
    """Absent sets that are read as "none recorded": the one kind of absence that is not unknown, and so it is said."""
    return {name: "none recorded" for name, fact in FACTS.items() if fact.is_assumed_none and name not in facts}


def drawing_of(case: Any) -> str:
    """The decision path of one parsed case as SVG. Raises BadCase."""
    read = parse(SelectCase, case)
    return svg(select(observed(read.facts), read.today))


def rules_catalogue() -> str:
    """The manual of rules, facts and sources, as core/RULES.md holds it."""
    return manual()


def facts_catalogue() -> list[dict[str, str]]:
    """Every fact a case may give."""
    return [
        {"fact": name, "type": fact.type_name, "allowed": fact.allowed, "if_missing": fact.if_missing}
        for name, fact in FACTS.items()
    ]


def explain_rule(rule_id: str) -> dict[str, Any] | None:
    """Everything about one rule, None for an unknown id."""
    rule = RULE.get(rule_id)
    if rule is None:
        return None
    source = SOURCES[rule.cite.source]
    return {
        "rule": rule.id,
        "when": str(rule.when),
        "facts": sorted(rule.when.facts),
        "verdict": str(rule.verdict),
        "kind": rule.kind,
        "options": list(rule.options),
        "text": rule.text,
        "derived": rule.derived,
        "strength_read": rule.strength_read,
        "requirement_for": list(rule.requirement_for),
        "source": {"short": source.short, "authors": source.authors, "title": source.title, "where": source.where},
        "locus": rule.cite.locus,
        "quote": rule.cite.quote,
        "conflicts": [conflict.id for conflict in CONFLICTS if rule.id in conflict.rules],
        "versions": versions(),
    }


def observed(facts: Mapping[str, Any]) -> dict[str, Observed[FactValue]]:
    """Facts of a script, checked one by one. Raises BadCase."""
    return {name: Observed(read_fact(name, raw), "case") for name, raw in facts.items()}


def answer(selection: Selection) -> dict[str, Any]:
    """A selection in the contract's names."""
    return {
        "status": selection.status,
        "options": [_option(option, site) for site, options in by_site(selection.options) for option in options],
        "rules_fired": list(selection.rules_fired),
        "missing": list(selection.missing),
        "contradictions": list(selection.contradictions),
        "pathway": [
            {"node": node.node, "answer": node.answer, "source": str(node.source)} for node in selection.pathway
        ],
        "measures": _reasons(selection.measures),
        "follow_up": [_follow_up(visit) for visit in selection.follow_up],
        "alerts": _reasons(selection.alerts),
        "risks": [_risk(risk) for risk in selection.risks],
        "conflicts": list(selection.conflicts),
        "values": dict(selection.values),
    }


def _option(option: Option, site: str) -> dict[str, Any]:
    """An option; `ranked_at` is the site within which its rank counts, empty where there is one only."""
    return {
        "modality": option.modality,
        "verdict": option.verdict,
        "rank": option.rank,
        "ranked_at": site,
        "because": _reasons(option.because),
        "needs": list(option.needs),
        "why_not_first": option.why_not_first,
    }


def _reasons(reasons: Iterable[Reason]) -> list[dict[str, Any]]:
    return [
        {
            "rule": reason.rule,
            "verdict": str(RULE[reason.rule].verdict),
            "text": reason.text,
            "source": str(reason.source),
            "quote": reason.source.quote,
            "facts": list(reason.facts),
        }
        for reason in reasons
    ]


def _follow_up(visit: FollowUp) -> dict[str, Any]:
    return {
        "what": visit.what,
        "when": visit.when,
        "rule": visit.rule,
        "source": str(visit.source),
        "due_on": visit.due_on,
    }


def _risk(risk: Risk) -> dict[str, Any]:
    return {
        "modality": risk.modality,
        "outcome": risk.outcome,
        "probability_percent": float(risk.probability_percent),
        "interval_percent": [float(bound) for bound in risk.interval_percent],
        "n": risk.n,
        "sources": list(risk.sources),
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "fact": change.fact,
        "from": change.before,
        "to": change.after,
        "status": change.status,
        "preferred": list(change.preferred),
        "text": change.text,
    }
