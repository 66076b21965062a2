"""The sentences of the report: which treatment, why, by which rule and source, and what is missing to decide."""

from collections.abc import Iterator, Sequence

from connector.core.assessment import Assessment, DoseReport, Finding, Option, Reason, Selection
from connector.core.catalogue import in_words
from connector.core.rules import marks_in_words
from connector.core.selection.sites import (
    by_site,
    is_left_to_the_board,
    preferred_elsewhere,
    preferred_in_words,
    spoken,
)
from connector.dicom import codes
from connector.dicom.write_sr_groups import dose_parameters
from connector.terminology import Concept

Sentence = tuple[Concept, str]
MOST_NAMES = 8

_STATUS = {
    "recommend": "Draft for the tumour board",
    "cannot_decide": "Cannot decide",
    "excluded_all": "Every locoregional option is excluded",
    "contradictory_data": "Contradictory data, no option is preferred",
}
_VERDICT = {
    "preferred": "preferred",
    "possible": "possible",
    "relative_contraindication": "relative contraindication",
    "excluded": "excluded",
    "cannot_decide": "cannot decide",
}


def sentences(assessment: Assessment) -> list[Sentence]:
    """
    Say in words what the measurement groups do not: selection, missing facts, warnings.

    An assessment without response, dose and selection says that it cannot decide, and what it needs.
    """
    said = list(_selection(assessment.selection)) if assessment.selection is not None else []
    said += [(codes.FINDING, marks_in_words(change)) for change in assessment.changes]
    said += [(codes.FINDING, marker.text) for marker in assessment.markers]
    said += [(codes.FINDING, treated.text) for treated in assessment.treated_lesions]
    said += [(codes.FINDING, _finding(finding)) for finding in assessment.findings]
    said += [(codes.MISSING_INFORMATION, _words(need)) for need in assessment.needs]
    said += [(codes.MISSING_INFORMATION, sentence) for sentence in assessment.worth_knowing]
    unsaid = _unsaid(assessment)
    if unsaid:
        said.append((codes.MISSING_INFORMATION, f"Facts not known: {', '.join(map(in_words, unsaid))}"))
    said += [(codes.WARNING, warning) for warning in assessment.warnings]
    if assessment.dose is not None:
        said.append((codes.CONCLUSION, _dose_conclusion(assessment.dose)))
        said += [(codes.FINDING, f"{finding.text} [{finding.source}]") for finding in assessment.dose.findings]
        said += [(codes.WARNING, warning) for warning in assessment.dose.warnings]
    if assessment.response is None and assessment.dose is None and assessment.selection is None:
        nothing = "needs lesion measurements, a quantitative activity map, or facts to select by"
        said.insert(0, (codes.CONCLUSION, f"Cannot decide: {'; '.join(assessment.needs) or nothing}"))
    return said


def _unsaid(assessment: Assessment) -> list[str]:
    missing = assessment.selection.missing if assessment.selection is not None else ()
    said = " ".join((*assessment.needs, *assessment.worth_knowing))
    return [fact for fact in missing if fact not in said and in_words(fact) not in said]


def _finding(finding: Finding) -> str:
    return f"{finding.text} [{finding.source}]" if finding.source is not None else finding.text


def _dose_conclusion(dose: DoseReport) -> str:
    return f"Absorbed dose map with {len(dose.regions)} region(s): {dose_parameters(dose)}"


def _selection(selection: Selection) -> Iterator[Sentence]:
    yield codes.CONCLUSION, _conclusion(selection)
    for site, options in by_site(selection.options):
        ranked = sorted(options, key=lambda option: (option.rank is None, option.rank or 0))
        yield from ((codes.TREATMENT_OPTION, _option(option, site)) for option in ranked)
    if selection.contradictions:
        yield codes.CONTRADICTION, "Facts that contradict: " + _names(selection.contradictions)
    yield from ((codes.ALERT, _reason(alert)) for alert in selection.alerts)
    yield from ((codes.MEASURE, _reason(measure)) for measure in selection.measures)
    yield from ((codes.PATHWAY, f"{node.node}: {node.answer} [{node.source}]") for node in selection.pathway)
    for follow_up in selection.follow_up:
        due = f", due {follow_up.due_on.isoformat()}" if follow_up.due_on else ""
        yield (
            codes.FOLLOW_UP,
            f"{marks_in_words(follow_up.what)}: {follow_up.when}{due} ({follow_up.rule}) [{follow_up.source}]",
        )
    for risk in selection.risks:
        low, high = risk.interval_percent
        odds = f"{risk.probability_percent} % ({low} to {high} %; {risk.n} patients)"
        yield codes.RISK, f"{_words(risk.modality)}: {_words(risk.outcome)} {odds} [{', '.join(risk.sources)}]"
    if selection.rules_fired:
        yield codes.RULES_FIRED, ", ".join(selection.rules_fired)


def _conclusion(selection: Selection) -> str:
    status = _STATUS.get(selection.status, selection.status)
    preferred = preferred_in_words(selection.options)
    if selection.status == "cannot_decide":
        blocking = dict.fromkeys(need for option in selection.options for need in option.needs)
        elsewhere = preferred_elsewhere(selection.options)
        return f"{status}: needs {_names(selection.blocking or tuple(blocking) or selection.missing)}" + (
            f"; preferred at another site: {elsewhere}" if elsewhere else ""
        )
    if is_left_to_the_board(selection.options):
        return f"{status}: no treatment is proposed, the board alone decides"
    if preferred:
        return f"{status}: preferred {preferred}"
    return status


def _option(option: Option, site: str) -> str:
    """An option with its rank; where ranks begin anew at each site, the site stands before it."""
    place = f"{option.rank}. " if option.rank is not None else ""
    text = (
        f"{f'{site}: ' if site else ''}{place}{spoken(option.modality)}: {_VERDICT.get(option.verdict, option.verdict)}"
    )
    text += "".join(f"; {_reason(reason)}" for reason in option.because)
    return text + (f"; needs {_names(option.needs)}" if option.needs else "")


def _reason(reason: Reason) -> str:
    return f"{marks_in_words(reason.text)} ({reason.rule}) [{reason.source}]"


def _names(facts: Sequence[str]) -> str:
    """Name the first few and count the rest: a reader skips what scrolls."""
    more = len(facts) - MOST_NAMES
    shown = [*map(in_words, facts[:MOST_NAMES]), *([f"and {more} more"] if more > 0 else [])]
    return ", ".join(shown) or "more facts"


def _words(name: str) -> str:
    """Write names of facts and treatments as a person would."""
    return name.replace("_", " ")
