"""What the board report says of treatment: options with reasons, facts, published outcomes, measures and follow-up."""

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import groupby
from typing import Any

from connector.core.assessment import Assessment, Option, Reason, Risk, Selection
from connector.core.case import FactValue
from connector.core.catalogue import in_words
from connector.core.evidence import Observed
from connector.core.imaging_facts import imaging_facts, joined
from connector.core.rules import ALWAYS, Verdict, marks_in_words
from connector.core.selection.registry import RULE
from connector.ports import WriteRequest
from connector.report import words

Content = dict[str, Any]

OFFERED = ("preferred", "possible", "relative_contraindication")
# What weighs in the ranking; rules that require or inform stand among the measures and in the structured report.
_WEIGHING = frozenset({Verdict.EXCLUDES, Verdict.RELATIVE, Verdict.PREFERS, Verdict.INDICATES})
_AGAINST = frozenset({Verdict.EXCLUDES, Verdict.RELATIVE})

NEXT = 2  # a board compares the first two; the machine-readable result has them all
# Two pages hold so many; what is left out is counted. Alerts, contradictions and objections are never left out.
MOST_REASONS_OF_PREFERRED = 3
MOST_REASONS = 1
MOST_NEEDS = 6
MOST_MISSING = 10
MOST_WORTH_KNOWING = 4
MOST_FACTS = 12
MOST_RISKS = 20
MOST_MEASURES = 8
MOST_FOLLOW_UPS = 6


def in_short(selection: Selection | None) -> str:
    """What is preferred, or what is needed before anything is."""
    if selection is None:
        return "Cannot decide: needs the facts of the patient's record"
    first = [words.treatment(option.modality) for option in selection.options if option.verdict == "preferred"]
    if first:
        return f"Preferred: {' or '.join(first)}"
    blocking = selection.blocking or tuple(dict.fromkeys(need for option in selection.options for need in option.needs))
    if selection.status == "cannot_decide" and blocking:
        return f"Cannot decide: needs {words.listed(map(in_words, blocking), MOST_MISSING, words.ELSEWHERE)}"
    return words.STATUS.get(selection.status, selection.status)


def recommendation(request: WriteRequest) -> Content:
    """The options with their reasons, and on which facts and path they stand."""
    assessment = request.assessment
    selection = assessment.selection
    if selection is None:
        return {"absent": f"{in_short(None)}."}
    steps = [f"{node.node} {node.answer}" for node in selection.pathway]
    return {
        "absent": "",
        "status": words.STATUS.get(selection.status, selection.status),
        "alerts": [_reason(alert) for alert in selection.alerts],
        "contradictions": [in_words(name) for name in selection.contradictions],
        "options": [_option(option) for option in selection.options],
        "pathway": " → ".join(steps),
        "pathway_source": _sources(node.source.source for node in selection.pathway),
        "facts": _facts(request),
        "missing": words.listed(map(in_words, selection.missing), MOST_MISSING, words.ELSEWHERE),
        "needs": _needs(assessment),
        "worth_knowing": words.cut(assessment.worth_knowing, MOST_WORTH_KNOWING, "facts"),
        "conflicts": ", ".join(selection.conflicts),
    }


def _needs(assessment: Assessment) -> list[str]:
    """What the selection needs; the needs of response and dose stand in their own parts."""
    said = ("response cannot be decided: ", "absorbed dose cannot be decided: ")
    return [_sentence(need) for need in assessment.needs if not need.startswith(said)]


def _sentence(said: str) -> str:
    return f"{said[:1].upper()}{said[1:]}"


def _sources(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _reason(reason: Reason) -> Content:
    return {
        "text": marks_in_words(reason.text),
        "cite": f"{reason.rule}; {reason.source}",
        "quote": reason.source.quote,
    }


def _option(option: Option) -> Content:
    weighing = [reason for reason in option.because if _verdict_of(reason) in _WEIGHING]
    against = [reason for reason in weighing if _verdict_of(reason) in _AGAINST]
    support = sorted((reason for reason in weighing if reason not in against), key=_generality)
    most = MOST_REASONS_OF_PREFERRED if option.verdict == "preferred" else MOST_REASONS
    if option.verdict not in ("preferred", "possible") and against:
        most = 0
    shown = [*against, *support[:most]]
    if not shown and option.verdict in OFFERED:
        shown = list(option.because[:1])
    more = len(option.because) - len(shown) if shown else 0
    return {
        "rank": str(option.rank) if option.rank is not None else words.NO_VALUE,
        "name": words.treatment(option.modality),
        "verdict": option.verdict,
        "verdict_in_words": words.VERDICTS.get(option.verdict, option.verdict),
        "because": [_reason(reason) for reason in shown],
        "more": f"and {more} more rule{'s' if more > 1 else ''}" if more else "",
        "why_not_first": "" if against or option.rank != NEXT else _sentence(option.why_not_first.replace("_", " ")),
        "needs": words.listed(map(in_words, option.needs), MOST_NEEDS, words.ELSEWHERE),
    }


def _generality(reason: Reason) -> tuple[bool, int]:
    """What prefers stands before what indicates, and a rule on few treatments before one on many."""
    rule = RULE.get(reason.rule)
    return _verdict_of(reason) is not Verdict.PREFERS, len(rule.options) if rule else 0


def _verdict_of(reason: Reason) -> Verdict:
    """A rule that is not of this edition is taken as weighing, so that it is shown."""
    rule = RULE.get(reason.rule)
    return rule.verdict if rule else Verdict.INDICATES


def _facts(request: WriteRequest) -> str:
    """The facts that the weighing reasons stand on, with the day of each, where they may be read again."""
    selection = request.assessment.selection
    if selection is None:
        return ""
    known = _known_facts(request)
    used = dict.fromkeys(
        name
        for option in selection.options
        for reason in option.because
        if _verdict_of(reason) in _WEIGHING
        for name in reason.facts
        if name in known
    )
    said = [f"{words.fact_with_value(name, known[name].value)}{_dated(known[name].observed_on)}" for name in used]
    return words.listed(said, MOST_FACTS, words.ELSEWHERE)


def _dated(on: date | None) -> str:
    return f" ({on})" if on else ""


def _known_facts(request: WriteRequest) -> dict[str, Observed[FactValue]]:
    """The record's facts and the images', without those that they dispute."""
    assessment = request.assessment
    assessed = [one for one in assessment.time_points if one.study_instance_uid == assessment.study_instance_uid]
    seen = imaging_facts(assessed[0], today=assessment.assessed_on) if assessed else {}
    facts, _ = joined(request.record.facts if request.record else {}, seen)
    in_doubt = " ".join(assessment.warnings).split()
    return {name: fact for name, fact in facts.items() if f"{name}:" not in in_doubt}


def evidence(selection: Selection | None) -> Content:
    """Published outcomes of the offered treatments in the order of their rank."""
    if selection is None or not selection.risks:
        return {"absent": "No published proportion applies to the offered treatments.", "groups": [], "note": ""}
    ranks = {option.modality: option.rank for option in selection.options if option.rank is not None}
    last = max(ranks.values(), default=0) + 1
    ordered = sorted(selection.risks, key=lambda risk: (ranks.get(risk.modality, last), risk.modality))
    groups: list[Content] = []
    left_out: list[str] = []
    room = MOST_RISKS
    for modality, risks in groupby(ordered, key=lambda risk: risk.modality):
        group = list(risks)
        # A treatment is shown with all its outcomes or not at all: benefit without harm would mislead.
        if groups and (left_out or len(group) > room):
            left_out.append(words.treatment(modality))
            continue
        room -= len(group)
        groups.append(_risk_group(modality, group))
    note = f"Numbers on {', '.join(left_out)} are {words.ELSEWHERE}." if left_out else ""
    return {"absent": "", "groups": groups, "note": note}


def _risk_group(modality: str, risks: Sequence[Risk]) -> Content:
    return {
        "name": words.treatment(modality),
        "rows": [
            [
                risk.outcome.replace("_", " "),
                f"{risk.probability_percent} % ({risk.interval_percent[0]} to {risk.interval_percent[1]})",
                str(risk.n),
            ]
            for risk in risks
        ],
        "sources": "; ".join(dict.fromkeys(source for risk in risks for source in risk.sources)),
    }


def _holds_always(reason: Reason) -> bool:
    return reason.rule in RULE and RULE[reason.rule].when is ALWAYS


def care(selection: Selection | None) -> Content:
    """What must be done before, at and after the treatment."""
    # What the patient's own facts or gaps call for stands before what holds of every patient.
    measures = sorted(selection.measures, key=_holds_always) if selection else []
    follow_up = selection.follow_up if selection else ()
    more = [
        f"{len(rest)} more {name} are {words.ELSEWHERE}."
        for name, rest in (("measures", measures[MOST_MEASURES:]), ("visits", follow_up[MOST_FOLLOW_UPS:]))
        if rest
    ]
    return {
        "measures": [_reason(measure) for measure in measures[:MOST_MEASURES]],
        "follow_up": [
            [one.what, one.due_on.isoformat() if one.due_on else one.when, f"{one.rule}; {one.source}"]
            for one in follow_up[:MOST_FOLLOW_UPS]
        ],
        "note": " ".join(more),
        "absent": "" if measures or follow_up else "Nothing follows from the rules.",
    }
