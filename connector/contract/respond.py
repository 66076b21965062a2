"""`connector respond`: the four forms of a response case, each read once, judged, and written out."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, TypeAdapter

from connector.contract.reading import CaseModel, Exact, WholeDate, parse
from connector.contract.respond_lesions import FormCase, LesionsCase, read_lesions
from connector.contract.respond_result import (
    RESULT_SCHEMA,
    course_result,
    readers_result,
    sequence_result,
    sums_result,
    table_result,
)
from connector.core.assessment import ResponseReport
from connector.core.errors import BadCase
from connector.core.response import assess_response, criteria_of
from connector.core.response.best_response import Assessed
from connector.core.response.case import (
    LARGEST_DIAMETER_MM,
    AfterComplete,
    NewLesion,
    Response,
    ResponseCase,
)
from connector.core.response.conclusion import conclude
from connector.core.response.readers import assess_readers
from connector.core.response.recist_1_1 import Sums, overall_response, target_response
from connector.core.response.visits import continued_from_sums

_Millimetres = Annotated[Exact, Field(ge=0, le=100 * LARGEST_DIAMETER_MM)]


class GivenSums(CaseModel):
    """Sums of diameters that someone else has added up."""

    baseline_mm: Annotated[Exact, Field(gt=0, le=100 * LARGEST_DIAMETER_MM)]
    nadir_mm: _Millimetres
    current_mm: _Millimetres
    all_targets_measured: bool
    all_targets_gone: bool
    reappeared_after_complete_response: bool


class SumsCase(FormCase):
    """Target response from given sums."""

    sums: GivenSums


class GivenResponses(CaseModel):
    """What the target and the non-target lesions did; NA: there were none at baseline."""

    target: Literal["CR", "PR", "SD", "PD", "NE", "NA"]
    non_target: Literal["CR", "NON-CR/NON-PD", "PD", "NE", "NA"]
    new_lesion: Annotated[NewLesion, Field(strict=False)]


class TableCase(FormCase):
    """Overall response from Tables 1 and 2."""

    table: GivenResponses


class AssessmentCase(CaseModel):
    """The overall response at one visit; ND: the visit was not done."""

    date: WholeDate
    response: Annotated[Response, Field(strict=False)]


class AssessmentsCase(FormCase):
    """Best response from the overall responses at all visits; their order in the list does not matter."""

    treatment_start: WholeDate
    assessments: list[AssessmentCase]
    new_therapy_date: WholeDate | None = None
    death_date: WholeDate | None = None
    last_contact_date: WholeDate | None = None


def run(case: Any) -> dict[str, Any]:
    """Answer one parsed case. Raises BadCase with the field, its value and what to do."""
    if not isinstance(case, dict):
        raise BadCase("(case)", case, "a case is one JSON object")
    named = [name for name in _FORMS if name in case]
    if len(named) != 1:
        raise BadCase("(case)", named, f"give exactly one of {', '.join(_FORMS)}")
    return _FORMS[named[0]](case)


def _run_lesions(case: dict[str, Any]) -> dict[str, Any]:
    judged, readers = read_lesions(case)
    if readers is not None:
        return readers_result(assess_readers(judged, readers), readers)
    return course_result(assess_response(judged), judged.visits)


def judged_lesions(case: Any) -> tuple[ResponseCase, ResponseReport]:
    """Judge a parsed case of lesions; of several readers, the one whose answer stands. Raises BadCase."""
    if isinstance(case, dict) and "lesions" not in case:
        raise BadCase("lesions", None, "only a case of lesions has this: give lesions and visits")
    judged, readers = read_lesions(case)
    if readers is None:
        return judged, assess_response(judged)
    found = assess_readers(judged, readers)
    return found.cases[found.answer_of], found.reports[found.answer_of]


def _run_sums(case: dict[str, Any]) -> dict[str, Any]:
    read = parse(SumsCase, case)
    if read.sums.nadir_mm > read.sums.baseline_mm:
        message = "is above the baseline, which is itself one of the sums: the smallest sum so far is needed"
        raise BadCase("sums.nadir_mm", read.sums.nadir_mm, message)
    policies = read.policies.chosen()
    criteria = criteria_of(read.criteria, policies)
    sums = Sums(
        baseline_mm=read.sums.baseline_mm,
        nadir_mm=read.sums.nadir_mm,
        current_mm=read.sums.current_mm,
        all_targets_measured=read.sums.all_targets_measured,
        all_targets_gone=read.sums.all_targets_gone,
        reappeared_after_complete_response=read.sums.reappeared_after_complete_response
        and policies.response_after_complete is AfterComplete.PROGRESSION,
    )
    given = {"baseline_mm": read.sums.baseline_mm, "nadir_mm": read.sums.nadir_mm}
    return sums_result(criteria, continued_from_sums(target_response(sums, criteria), policies, **given))


def _run_table(case: dict[str, Any]) -> dict[str, Any]:
    read = parse(TableCase, case)
    overall = overall_response(
        target=Response(read.table.target),
        non_target=Response(read.table.non_target),
        new_lesion=read.table.new_lesion,
    )
    return table_result(criteria_of(read.criteria, read.policies.chosen()), overall)


def _run_assessments(case: dict[str, Any]) -> dict[str, Any]:
    read = parse(AssessmentsCase, case)
    dates = [assessment.date for assessment in read.assessments]
    for number, on in enumerate(dates):
        if on in dates[:number]:
            message = "two assessments have this date: keep the one that counts"
            raise BadCase(f"assessments.{number}.date", on, message)
    policies = read.policies.chosen()
    conclusion = conclude(
        [Assessed(assessment.date, assessment.response) for assessment in read.assessments],
        read.treatment_start,
        policies,
        death_on=read.death_date,
        new_therapy_on=read.new_therapy_date,
    )
    early = sum(on < read.treatment_start for on in dates)
    flags = (f"before_treatment_start: {early} assessments; check their dates",) if early else ()
    return sequence_result(criteria_of(read.criteria, policies), conclusion, policies, flags)


_FORMS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "lesions": _run_lesions,
    "sums": _run_sums,
    "table": _run_table,
    "assessments": _run_assessments,
}


SCHEMAS: dict[str, type[BaseModel] | dict[str, Any]] = {
    "respond": TypeAdapter(LesionsCase | SumsCase | TableCase | AssessmentsCase).json_schema(),
    "respond-result": RESULT_SCHEMA,
}
