"""Writes the draft CarePlan: what fits, in which order and why; a proposal that only a clinician can activate."""

from collections.abc import Sequence

from connector.core.assessment import Option, Selection
from connector.core.catalogue import in_words
from connector.core.rules import marks_in_words
from connector.core.selection.sites import by_site, is_left_to_the_board, spoken
from connector.fhir import write_requests
from connector.fhir.identity import MODALITY_SYSTEM
from connector.fhir.write_requests import because
from connector.fhir.write_resource import Case, Resource, concept, new, reference_to
from connector.terminology import Concept

_CANCER_CARE_PLAN = Concept("395082007", "SCT", "Cancer care plan")
OFFERED = ("preferred", "possible", "relative_contraindication")
VERDICTS_IN_WORDS = {
    "preferred": "preferred",
    "possible": "possible",
    "relative_contraindication": "possible in spite of a relative contraindication",
    "excluded": "excluded",
    "cannot_decide": "cannot be decided",
}
STATUS_IN_WORDS = {
    "recommend": "A treatment is proposed",
    "cannot_decide": "Cannot decide: facts are missing",
    "excluded_all": "Every locoregional treatment is excluded",
    "contradictory_data": "The facts contradict each other; nothing is preferred",
}
MOST_NAMES = 8
DISCLAIMER = "Draft by software for a tumour board; not a clinical decision."


def write_care_plan(case: Case, selection: Selection, supporting: list[Resource]) -> Resource:
    """The proposal of one study; a changed result of the study replaces it in place while it is an untouched draft."""
    sites = by_site(selection.options)
    site_of = {option.modality: site for site, options in sites for option in options}
    offered = [
        option
        for _, options in sites
        for option in sorted(options, key=lambda option: (option.rank or 0, option.modality))
        if option.verdict in OFFERED
    ]
    condition = case.record.references.get("condition.liver_metastases")
    title = "Metastases of thyroid cancer: proposed treatment for the tumour board"
    notes = _notes(case, selection)
    preferred = [option for option in offered if option.verdict == "preferred"]
    wanted = frozenset(option.modality for option in preferred)
    requests = [
        *write_requests.treatments(case, preferred),
        *write_requests.work_up(case, selection, wanted),
        *write_requests.visits(case, selection.follow_up),
    ]
    goals = list(write_requests.goals(case, selection, wanted))
    alternatives = [option for option in offered if option.verdict != "preferred" or option.modality == "board_only"]
    return new(
        "CarePlan",
        case.of_study("plan"),
        says=[
            title,
            status_in_words(selection),
            *(_line(one, site_of[one.modality]) for one in offered),
            *notes,
        ],
        status="draft",
        intent="proposal",
        category=[concept(_CANCER_CARE_PLAN)],
        title=title,
        description=f"{status_in_words(selection)}. {DISCLAIMER}",
        subject=case.subject,
        period={"start": case.study_day},  # the day of the images it stands on: a later study's plan supersedes it
        created=case.day,
        author=case.device,
        addresses=[{"reference": condition}] if condition else None,
        supportingInfo=[reference_to(resource) for resource in supporting],
        contained=[*requests, *goals],
        goal=[_inside(goal) for goal in goals],
        # What is preferred leads, its work-up and visits follow, and the alternatives are kept at the end.
        activity=[
            *({"reference": _inside(request)} for request in requests),
            *(_activity(one, site_of[one.modality]) for one in alternatives),
        ],
        note=[{"text": note} for note in notes],
    )


def status_in_words(selection: Selection) -> str:
    """What came of it; that the board alone decides proposes no treatment."""
    if selection.status == "recommend" and is_left_to_the_board(selection.options):
        return "No treatment is proposed: the board alone decides"
    return STATUS_IN_WORDS.get(selection.status, selection.status)


def _activity(option: Option, site: str) -> Resource:
    return {
        "detail": {
            "kind": "ServiceRequest",
            "code": {
                "coding": [{"system": MODALITY_SYSTEM, "code": option.modality}],
                "text": spoken(option.modality),
            },
            "status": "not-started",
            "doNotPerform": False,
            "description": "\n".join([_line(option, site), *map(because, option.because)]),
        }
    }


def _inside(contained: Resource) -> Resource:
    return {"reference": f"#{contained['id']}"}


def _notes(case: Case, selection: Selection) -> list[str]:
    assessment = case.assessment
    notes = [DISCLAIMER]
    if assessment.changes:
        notes.append("\n".join(map(marks_in_words, assessment.changes)))
    notes += [f"{need[:1].upper()}{need[1:]}" for need in assessment.needs]
    notes += assessment.worth_knowing
    if selection.missing:
        notes.append(f"Missing facts: {_names(selection.missing)}")
    if selection.contradictions:
        notes.append(f"Contradictory facts: {', '.join(map(in_words, selection.contradictions))}")
    observed = [marker.text for marker in assessment.markers] + [finding.text for finding in assessment.findings]
    if observed:
        notes.append("\n".join(["Observed:", *observed]))
    notes += [
        "\n".join([_line(option, ""), *map(because, option.because)])
        for option in selection.options
        if option.verdict not in OFFERED
    ]
    notes += [f"Alert: {because(alert)}" for alert in selection.alerts]
    notes += [f"Measure: {because(measure)}" for measure in selection.measures]
    if selection.conflicts:
        notes.append("Sources that disagree: " + ", ".join(selection.conflicts))
    if case.assessment.warnings:  # one note: a long record gives many, and a reader skips what scrolls
        notes.append("\n".join(["Warnings:", *case.assessment.warnings]))
    return notes


def _line(option: Option, site: str) -> str:
    """An option with its rank, and at which site that counts where several are ranked by themselves."""
    rank = f", rank {option.rank}{f' ({site})' if site else ''}" if option.rank is not None else ""
    needs = f"; needs {', '.join(map(in_words, option.needs))}" if option.needs else ""
    return f"{spoken(option.modality)}: {VERDICTS_IN_WORDS.get(option.verdict, option.verdict)}{rank}{needs}"


def _names(facts: Sequence[str]) -> str:
    """Name the first few and count the rest: a reader skips what scrolls."""
    more = len(facts) - MOST_NAMES
    return ", ".join((*map(in_words, facts[:MOST_NAMES]), *([f"and {more} more"] if more > 0 else [])))
