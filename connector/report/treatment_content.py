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
from connector.core.selection.sites import by_site
from connector.ports import WriteRequest
from connector.report import answer, words
from connector.report.room import AMPLE, Room

Content = dict[str, Any]

OFFERED = ("preferred", "possible", "relative_contraindication")
# What weighs in the ranking; rules that require or inform stand among the measures and in the structured report.
_WEIGHING = frozenset({Verdict.EXCLUDES, Verdict.RELATIVE, Verdict.PREFERS, Verdict.INDICATES})
_AGAINST = frozenset({Verdict.EXCLUDES, Verdict.RELATIVE})

NEXT = 2  # a board compares the first two; the machine-readable result has them all
MOST_NEEDS = 6
WHERE_READ = "in the record and the images"  # the structured report names rules, and no facts


def recommendation(request: WriteRequest, room: Room = AMPLE) -> Content:
    """The options with their reasons, and on which facts and path they stand."""
    assessment = request.assessment
    selection = assessment.selection
    if selection is None:
        return {"absent": f"{answer.in_short(None)}."}
    steps = [f"{node.node} {node.answer}" for node in selection.pathway]
    return {
        "absent": "",
        "status": answer.status(selection),
        "alerts": [_reason(alert) for alert in selection.alerts],
        "contradictions": [in_words(name) for name in selection.contradictions],
        "options": _rows(selection.options, room),
        "pathway": " → ".join(steps),
        "pathway_source": _sources(node.source.source for node in selection.pathway),
        "facts": _facts(request, room.facts),
        "missing": words.listed(
            _further(selection, assessment.worth_knowing[: room.worth_knowing]), room.missing, words.ELSEWHERE
        ),
        "needs": _needs(assessment),
        "worth_knowing": _worth_knowing(assessment, room.worth_knowing),
        "conflicts": ", ".join(selection.conflicts),
        "marks": words.MARKS if is_marked(selection) else "",
    }


def _rows(options: Sequence[Option], room: Room) -> list[Content]:
    """The options of every site under its heading; an objection is told in full where it stands first."""
    told: set[str] = set()
    rows = []
    for site, own in by_site(options):
        for place, row in enumerate(_joined([_option(option, room) for option in own])):
            above = [reason["rule"] for reason in row["because"] if reason["against"] and reason["rule"] in told]
            told.update(reason["rule"] for reason in row["because"] if reason["against"])
            because = [reason for reason in row["because"] if reason["rule"] not in above]
            heading = "" if place else answer.site_heading(site, own)
            rows.append({**row, "site": heading, "because": because, "above": ", ".join(above)})
    return rows


def is_marked(selection: Selection) -> bool:
    """Whether a mark of our own reading or grading stands anywhere in what is told."""
    told = [*selection.alerts, *selection.measures, *(one for option in selection.options for one in option.because)]
    texts = [*(reason.text for reason in told), *(visit.what for visit in selection.follow_up)]
    return any(marks_in_words(text) != text for text in texts)


def _further(selection: Selection, worth_knowing: Sequence[str]) -> list[str]:
    """The facts that are asked for and do not yet stand beside what waits for them, or with what they would change."""
    named = {*selection.blocking, *(need for option in selection.options for need in option.needs[:MOST_NEEDS])}
    worth = {words.without_label(one).partition(";")[0] for one in worth_knowing}
    return [in_words(fact) for fact in selection.missing if fact not in named and in_words(fact) not in worth]


def _worth_knowing(assessment: Assessment, most: int) -> list[str]:
    """What is worth getting first; the page's own label stands before it."""
    said = [words.sentence(words.without_label(one)) for one in assessment.worth_knowing]
    return words.cut(said, most, "fact")


def _needs(assessment: Assessment) -> list[str]:
    """What the selection needs; the needs of response and dose stand in their own parts."""
    said = ("response cannot be decided", "absorbed dose cannot be decided")
    return [words.sentence(need) for need in assessment.needs if not need.startswith(said)]


def _sources(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _reason(reason: Reason) -> Content:
    return {
        "text": marks_in_words(reason.text),
        "rule": reason.rule,
        "against": _verdict_of(reason) in _AGAINST,
        "cite": f"{reason.rule}; {reason.source}",
        "quote": reason.source.quote,
    }


def _option(option: Option, room: Room) -> Content:
    against, support, _ = _sorted(option.because)
    most = room.reasons_of_preferred if option.verdict == "preferred" else room.reasons
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
        "more": more,
        "why_not_first": ""
        if against or option.rank != NEXT
        else words.sentence(option.why_not_first.replace("_", " ")),
        "needs": words.listed(map(in_words, option.needs), MOST_NEEDS, words.ELSEWHERE),
    }


def in_order(because: Sequence[Reason]) -> list[Reason]:
    """Reasons as a person weighs them: objections, what speaks for it, then what must be done or known all the same."""
    return [reason for part in _sorted(because) for reason in part]


def _sorted(because: Sequence[Reason]) -> tuple[list[Reason], list[Reason], list[Reason]]:
    against = [reason for reason in because if _verdict_of(reason) in _AGAINST]
    support = [reason for reason in because if _verdict_of(reason) in _WEIGHING - _AGAINST]
    return against, sorted(support, key=_generality), [one for one in because if _verdict_of(one) not in _WEIGHING]


def _joined(options: Iterable[Content]) -> list[Content]:
    """A row for each option; neighbours of which word for word the same is said share one, as ablations often do."""
    return [_row(list(group)) for _, group in groupby(options, key=_said)]


def _said(option: Content) -> list[Any]:
    own = option["name"] if option["verdict"] == "preferred" else ""
    return [own, *(option[part] for part in ("verdict", "because", "why_not_first", "needs"))]


def _row(group: Sequence[Content]) -> Content:
    by_rank = {rank: [one["name"] for one in same] for rank, same in groupby(group, key=lambda one: one["rank"])}
    ranks = list(by_rank)
    fewest, most = min(option["more"] for option in group), max(option["more"] for option in group)
    more = f"and {fewest if fewest == most else f'{fewest} to {most}'} more rule{'s' if most > 1 else ''}"
    return {
        **group[0],
        "rank": ranks[0] if len(ranks) == 1 else f"{ranks[0]} to {ranks[-1]}",
        "name": "; ".join(
            ", ".join(names) + (f": rank {rank}" if len(ranks) > 1 else "") for rank, names in by_rank.items()
        ),
        "more": more if most else "",
    }


def _generality(reason: Reason) -> tuple[bool, int]:
    """What prefers stands before what indicates, and a rule on few treatments before one on many."""
    rule = RULE.get(reason.rule)
    return _verdict_of(reason) is not Verdict.PREFERS, len(rule.options) if rule else 0


def _verdict_of(reason: Reason) -> Verdict:
    """A rule that is not of this edition is taken as weighing, so that it is shown."""
    rule = RULE.get(reason.rule)
    return rule.verdict if rule else Verdict.INDICATES


def _facts(request: WriteRequest, most: int) -> str:
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
    return words.listed(said, most, WHERE_READ, between="; ")


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


def evidence(selection: Selection | None, room: Room = AMPLE) -> Content:
    """Published outcomes of the offered treatments in the order of their rank."""
    if selection is None or not selection.risks:
        return {"absent": "No published proportion applies to the offered treatments.", "groups": [], "note": ""}
    ranks = {option.modality: option.rank for option in selection.options if option.rank is not None}
    last = max(ranks.values(), default=0) + 1
    ordered = sorted(selection.risks, key=lambda risk: (ranks.get(risk.modality, last), risk.modality))
    groups: list[Content] = []
    left_out: list[str] = []
    most = room.risks
    for modality, risks in groupby(ordered, key=lambda risk: risk.modality):
        group = list(risks)
        # A treatment is shown with all its outcomes or not at all: benefit without harm would mislead.
        if groups and (left_out or len(group) > most):
            left_out.append(words.treatment(modality))
            continue
        most -= len(group)
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


def own_first(measures: Sequence[Reason]) -> list[Reason]:
    """What the patient's own facts or gaps call for, then what holds of every patient."""
    return sorted(measures, key=_holds_always)


def care(selection: Selection | None, room: Room = AMPLE) -> Content:
    """What must be done before, at and after the treatment."""
    measures = own_first(selection.measures) if selection else []
    own = sum(not _holds_always(measure) for measure in measures)
    shown = max(room.measures, own)
    follow_up = selection.follow_up if selection else ()
    more = [
        words.left_out(len(rest), name)
        for name, rest in (("measure", measures[shown:]), ("visit", follow_up[room.follow_ups :]))
        if rest
    ]
    return {
        "measures": [_reason(measure) for measure in measures[:shown]],
        "follow_up": [
            [marks_in_words(one.what), one.due_on.isoformat() if one.due_on else one.when, f"{one.rule}; {one.source}"]
            for one in follow_up[: room.follow_ups]
        ],
        "note": " ".join(more),
        "absent": "" if measures or follow_up else "Nothing follows from the rules.",
    }
