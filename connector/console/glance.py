"""What a row of the worklist says of a case's newest assessment."""

from dataclasses import dataclass

from connector.contract.assessment import read_back
from connector.report import answer, words


@dataclass(frozen=True, slots=True)
class Glance:
    """Response as its letters (empty: none) with its words, the proposal, and on which study and day it stands."""

    study_instance_uid: str
    response: str
    response_in_words: str
    treatment: str
    is_decided: bool
    has_dose: bool
    studied_on: str
    lesions: int


def glance_at(summary: str) -> Glance | None:
    """From an assessment as it is kept; None when another version wrote it."""
    assessment = read_back(summary)
    if assessment is None:
        return None
    visits, selection = assessment.response.visits if assessment.response else (), assessment.selection
    overall = visits[-1].overall_response if len(visits) > 1 else ""  # the first visit is the baseline
    points = assessment.time_points
    return Glance(
        study_instance_uid=assessment.study_instance_uid,
        response=overall,
        response_in_words=words.RESPONSES.get(overall, overall),
        treatment=answer.in_short(selection),
        is_decided=selection is not None and selection.status == "recommend",
        has_dose=assessment.dose is not None,
        studied_on=words.day(points[-1].studied_on) if points else "",
        lesions=len(points[-1].lesions) if points else 0,
    )
