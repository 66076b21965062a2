"""`connector respond`: the four forms of a response case, each read once, judged, and written out."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, TypeAdapter, WithJsonSchema

from connector.contract.reading import CaseModel, Exact, Whole, WholeDate, parse
from connector.contract.respond_measurement import MEASUREMENT_SCHEMA, measurement, measurement_of_text
from connector.contract.respond_result import (
    RESULT_SCHEMA,
    course_result,
    readers_result,
    sequence_result,
    sums_result,
    table_result,
)
from connector.core.assessment import ResponseReport
from connector.core.case import LesionRole
from connector.core.errors import BadCase
from connector.core.response import assess_response, criteria_of
from connector.core.response.best_response import Assessed
from connector.core.response.case import (
    LARGEST_DIAMETER_MM,
    AfterComplete,
    ContinuingResponse,
    EquivocalConfirmed,
    Lesion,
    NewLesion,
    Policies,
    Response,
    ResponseCase,
    Visit,
)
from connector.core.response.conclusion import conclude
from connector.core.response.readers import Adjudication, Readers, assess_readers
from connector.core.response.recist_1_1 import Sums, overall_response, target_response


class PoliciesCase(CaseModel):
    """What a protocol chooses where RECIST leaves a choice."""

    confirm: bool = False
    confirm_days: Annotated[Whole, Field(ge=0)] = 28
    min_sd_days: Annotated[Whole, Field(ge=0)] = 42
    max_ne: Annotated[Whole, Field(ge=0)] = 1
    accept_sd: bool = False
    continuing_response: Annotated[ContinuingResponse, Field(strict=False)] = ContinuingResponse.PER_VISIT
    response_after_complete: Annotated[AfterComplete, Field(strict=False)] = AfterComplete.PROGRESSION
    mrecist_5_mm: bool = False
    equivocal_confirmed: Annotated[EquivocalConfirmed, Field(strict=False)] = EquivocalConfirmed.WHEN_STATED

    def chosen(self) -> Policies:
        """Return the policies in the core's own type."""
        if self is _DEFAULT_POLICIES:
            return _DEFAULT
        return Policies(
            confirm=self.confirm,
            confirm_days=self.confirm_days,
            min_sd_days=self.min_sd_days,
            max_ne=self.max_ne,
            accept_sd=self.accept_sd,
            continuing_response=self.continuing_response,
            response_after_complete=self.response_after_complete,
            mrecist_5_mm=self.mrecist_5_mm,
            equivocal_confirmed=self.equivocal_confirmed,
        )


_DEFAULT_POLICIES, _DEFAULT = PoliciesCase(), Policies()


class _FormCase(CaseModel):
    criteria: Literal["recist-1.1", "mrecist"]
    policies: PoliciesCase = _DEFAULT_POLICIES


class LesionCase(CaseModel):
    """A lesion for life; `axis` says which one was measured."""

    id: str
    role: Annotated[LesionRole, Field(strict=False)]
    site: str
    lymph_node: bool
    axis: Literal["long", "short", "long_axis", "short_axis"] | None = None
    slice_thickness_mm: Exact | None = None


class VisitCase(CaseModel):
    """
    One visit; a lesion that is left out was not evaluable.

    `confirms_equivocal_of`: the date of the visit that first showed this new lesion, then as equivocal.
    """

    date: WholeDate
    measurements: dict[str, Annotated[Any, WithJsonSchema(MEASUREMENT_SCHEMA)]]
    new_lesion: Annotated[NewLesion, Field(strict=False)]
    label: str | None = None
    reader: str | None = None
    markers_normal: bool | None = None
    confirms_equivocal_of: WholeDate | None = None


class ReadersCase(CaseModel):
    """Keeps readers apart; `adjudicated` is the reader whom an adjudicator has followed where they disagree."""

    primary: str
    policy: Annotated[Adjudication, Field(strict=False)] = Adjudication.PRIMARY_READER
    adjudicated: str | None = None


class LesionsCase(_FormCase):
    """
    Lesions over time; the first visit is the baseline.

    With `readers`, the first visit of each reader is that reader's baseline, and each is judged alone.
    """

    treatment_start: WholeDate
    lesions: list[LesionCase]
    visits: list[VisitCase]
    new_therapy_date: WholeDate | None = None
    death_date: WholeDate | None = None
    last_contact_date: WholeDate | None = None
    readers: ReadersCase | None = None


_Millimetres = Annotated[Exact, Field(ge=0, le=100 * LARGEST_DIAMETER_MM)]


class GivenSums(CaseModel):
    """Sums of diameters that someone else has added up."""

    baseline_mm: Annotated[Exact, Field(gt=0, le=100 * LARGEST_DIAMETER_MM)]
    nadir_mm: _Millimetres
    current_mm: _Millimetres
    all_targets_measured: bool
    all_targets_gone: bool
    reappeared_after_complete_response: bool


class SumsCase(_FormCase):
    """Target response from given sums."""

    sums: GivenSums


class GivenResponses(CaseModel):
    """What the target and the non-target lesions did; NA: there were none at baseline."""

    target: Literal["CR", "PR", "SD", "PD", "NE", "NA"]
    non_target: Literal["CR", "NON-CR/NON-PD", "PD", "NE", "NA"]
    new_lesion: Annotated[NewLesion, Field(strict=False)]


class TableCase(_FormCase):
    """Overall response from Tables 1 and 2."""

    table: GivenResponses


class AssessmentCase(CaseModel):
    """The overall response at one visit; ND: the visit was not done."""

    date: WholeDate
    response: Annotated[Response, Field(strict=False)]


class AssessmentsCase(_FormCase):
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
    read = parse(LesionsCase, case)
    judged = case_of_lesions(read)
    if read.readers is not None:
        readers = Readers(read.readers.primary, read.readers.policy, read.readers.adjudicated)
        return readers_result(assess_readers(judged, readers), readers)
    return course_result(assess_response(judged), judged.visits)


def judged_lesions(case: Any) -> tuple[ResponseCase, ResponseReport]:
    """Judge a parsed case of lesions; of several readers, the one whose answer stands. Raises BadCase."""
    if isinstance(case, dict) and "lesions" not in case:
        raise BadCase("lesions", None, "only a case of lesions has this: give lesions and visits")
    read = parse(LesionsCase, case)
    judged = case_of_lesions(read)
    if read.readers is None:
        return judged, assess_response(judged)
    found = assess_readers(judged, Readers(read.readers.primary, read.readers.policy, read.readers.adjudicated))
    return found.cases[found.answer_of], found.reports[found.answer_of]


def _run_sums(case: dict[str, Any]) -> dict[str, Any]:
    read = parse(SumsCase, case)
    if read.sums.nadir_mm > read.sums.baseline_mm:
        message = "is above the baseline, which is itself one of the sums: the smallest sum so far is needed"
        raise BadCase("sums.nadir_mm", read.sums.nadir_mm, message)
    criteria = criteria_of(read.criteria, read.policies.chosen())
    sums = Sums(
        baseline_mm=read.sums.baseline_mm,
        nadir_mm=read.sums.nadir_mm,
        current_mm=read.sums.current_mm,
        all_targets_measured=read.sums.all_targets_measured,
        all_targets_gone=read.sums.all_targets_gone,
        reappeared_after_complete_response=read.sums.reappeared_after_complete_response,
    )
    return sums_result(criteria, target_response(sums, criteria))


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


def case_of_lesions(read: LesionsCase) -> ResponseCase:
    """Turn a case of lesions into the core's type; measurements are read here, with their place for the error."""
    return ResponseCase(
        criteria=read.criteria,
        lesions=tuple(
            Lesion(
                id=lesion.id,
                role=lesion.role,
                site=lesion.site,
                lymph_node=lesion.lymph_node,
                axis=None if lesion.axis is None else lesion.axis.removesuffix("_axis"),
                slice_thickness_mm=lesion.slice_thickness_mm,
            )
            for lesion in read.lesions
        ),
        visits=tuple(_visit(number, visit) for number, visit in enumerate(read.visits)),
        treatment_start=read.treatment_start,
        policies=read.policies.chosen(),
        new_therapy_date=read.new_therapy_date,
        death_date=read.death_date,
        last_contact_date=read.last_contact_date,
    )


def _visit(number: int, visit: VisitCase) -> Visit:
    measurements = {}
    for lesion_id, value in visit.measurements.items():
        try:
            measurements[lesion_id] = measurement_of_text(value) if isinstance(value, str) else measurement(value)
        except ValueError as fault:
            raise BadCase(f"visits.{number}.measurements.{lesion_id}", value, str(fault)) from None
    return Visit(
        on=visit.date,
        measurements=measurements,
        new_lesion=visit.new_lesion,
        label=visit.label,
        reader=visit.reader,
        markers_normal=visit.markers_normal,
        confirms_equivocal_of=visit.confirms_equivocal_of,
    )


SCHEMAS: dict[str, type[BaseModel] | dict[str, Any]] = {
    "respond": TypeAdapter(LesionsCase | SumsCase | TableCase | AssessmentsCase).json_schema(),
    "respond-result": RESULT_SCHEMA,
}
