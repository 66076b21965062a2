"""The answers of `connector respond` as JSON: decimals exact, percentages as text for reading only."""

from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter

from connector.contract.reading import versions
from connector.core.assessment import DatedResponse, ResponseReport, TimeToEvent, VisitResponse
from connector.core.response.case import Policies, Visit
from connector.core.response.conclusion import Conclusion
from connector.core.response.readers import Readers, ReadersReport
from connector.core.response.recist_1_1 import Call, Criteria


class _Result(BaseModel):
    model_config = ConfigDict(extra="allow", title=None)


class BestResponse(_Result):
    """A best response and the visit that earned it; the date is null when there was no visit."""

    response: str
    date: str | None


class Days(_Result):
    """Plain date differences; `event` false when censored."""

    days: int
    event: bool


class VisitResult(_Result):
    """One visit; sums are decimals in millimetres as text, null when a target was not evaluable."""

    date: str
    label: str | None
    reader: str | None
    sum_mm: str | None
    change_from_baseline_percent: str | None
    nadir_mm: str | None
    change_from_nadir_percent: str | None
    target_response: str
    non_target_response: str
    overall_response: str
    reasons: list[str]
    flags: list[str]


class SequenceResult(_Result):
    """The answer to a case of assessments; `leads_with` names the best response that the policies ask for."""

    criteria: str
    best_overall_response: BestResponse
    confirmed_best_overall_response: BestResponse
    leads_with: str
    progression_free_survival: Days
    duration_of_response: Days | None
    time_to_response_days: int | None
    policies: dict[str, str]
    flags: list[str]
    versions: dict[str, str]


class CourseResult(_Result):
    """The answer to a case of lesions and visits."""

    criteria: str
    visits: list[VisitResult]
    best_overall_response: BestResponse
    confirmed_best_overall_response: BestResponse
    leads_with: str
    progression_free_survival: Days
    duration_of_response: Days | None
    time_to_response_days: int | None
    overall_survival: Days
    target_ids: list[str]
    non_target_ids: list[str]
    policies: dict[str, str]
    versions: dict[str, str]


class SumsResult(_Result):
    """The answer to a case of sums."""

    criteria: str
    target_response: str
    reasons: list[str]
    versions: dict[str, str]


class TableResult(_Result):
    """The answer to a case of the published tables."""

    criteria: str
    overall_response: str
    versions: dict[str, str]


RESULT_SCHEMA: dict[str, Any] = TypeAdapter(CourseResult | SequenceResult | SumsResult | TableResult).json_schema()


def course_result(report: ResponseReport, visits: tuple[Visit, ...]) -> dict[str, Any]:
    """Write the report on a case of lesions; `visits` are those it was made from, in the same order."""
    return {
        "criteria": report.criteria,
        "visits": [_visit(shown, visit) for shown, visit in zip(report.visits, visits, strict=True)],
        **_conclusion(report, leads_with_confirmed=report.policies["confirm"] == "true"),
        "overall_survival": _days(report.overall_survival),
        "target_ids": report.target_ids,
        "non_target_ids": report.non_target_ids,
        "policies": dict(report.policies),
        "versions": versions(),
    }


def readers_result(report: ReadersReport, readers: Readers) -> dict[str, Any]:
    """Write the report that stands as the answer, and beside it every reader's own."""
    results = {reader: course_result(one, report.cases[reader].visits) for reader, one in report.reports.items()}
    apart = {
        "policy": readers.policy.value,
        "answer_of": report.answer_of,
        "adjudication_needed": report.adjudication_needed,
        "disagreements": report.disagreements,
        "results": results,
    }
    return {**results[report.answer_of], "readers": apart}


def sequence_result(
    criteria: Criteria, conclusion: Conclusion, policies: Policies, flags: tuple[str, ...]
) -> dict[str, Any]:
    """Write what a bare sequence of overall responses concludes to."""
    return {
        "criteria": criteria.name,
        **_conclusion(conclusion, leads_with_confirmed=policies.confirm),
        "policies": policies.as_text(),
        "flags": flags,
        "versions": versions(),
    }


def sums_result(criteria: Criteria, call: Call) -> dict[str, Any]:
    """Write the target response to given sums."""
    return {
        "criteria": criteria.name,
        "target_response": call.response,
        "reasons": call.reasons,
        "versions": versions(),
    }


def table_result(criteria: Criteria, overall: str) -> dict[str, Any]:
    """Write what the published tables say."""
    return {"criteria": criteria.name, "overall_response": overall, "versions": versions()}


def _conclusion(concluded: Conclusion | ResponseReport, *, leads_with_confirmed: bool) -> dict[str, Any]:
    return {
        "best_overall_response": _dated(concluded.best_overall_response),
        "confirmed_best_overall_response": _dated(concluded.confirmed_best_overall_response),
        "leads_with": "confirmed_best_overall_response" if leads_with_confirmed else "best_overall_response",
        "progression_free_survival": _days(concluded.progression_free_survival),
        "duration_of_response": _days(concluded.duration_of_response),
        "time_to_response_days": concluded.time_to_response_days,
    }


def _dated(best: DatedResponse) -> dict[str, Any]:
    return {"response": best.response, "date": best.on}


def _days(until: TimeToEvent | None) -> dict[str, Any] | None:
    return None if until is None else {"days": until.days, "event": until.event}


def _visit(shown: VisitResponse, visit: Visit) -> dict[str, Any]:
    return {
        "date": shown.on,
        "label": shown.label,
        "reader": visit.reader,
        "sum_mm": _millimetres(shown.sum_mm),
        "change_from_baseline_percent": shown.change_from_baseline_percent,
        "nadir_mm": _millimetres(shown.nadir_mm),
        "change_from_nadir_percent": shown.change_from_nadir_percent,
        "target_response": shown.target_response,
        "non_target_response": shown.non_target_response,
        "overall_response": shown.overall_response,
        "reasons": shown.reasons,
        "flags": shown.flags,
    }


def _millimetres(value: Decimal | None) -> str | None:
    if value is None:
        return None
    text = str(value)
    return format(value, "f") if "E" in text else text
