"""Several readers of one patient: each is judged by their own baseline and nadir, and one answer is named."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from connector.core.assessment import ResponseReport
from connector.core.errors import BadCase
from connector.core.response.assess import assess_response
from connector.core.response.case import ResponseCase


class Adjudication(StrEnum):
    """Whose reading is the answer."""

    PRIMARY_READER = "primary_reader"
    ON_DISAGREEMENT = "adjudicator_on_disagreement"


@dataclass(frozen=True, slots=True)
class Readers:
    """The primary reader, the policy, and the reader whom an adjudicator has followed (None: not adjudicated)."""

    primary: str
    policy: Adjudication = Adjudication.PRIMARY_READER
    adjudicated: str | None = None


@dataclass(frozen=True, slots=True)
class ReadersReport:
    """
    One report and the case it was made from for each reader, and whose stands as the answer.

    `adjudication_needed`: the readers disagree, nobody has decided, and the primary reader's report stands until then.
    """

    cases: Mapping[str, ResponseCase]
    reports: Mapping[str, ResponseReport]
    answer_of: str
    disagreements: tuple[str, ...]
    adjudication_needed: bool


def assess_readers(case: ResponseCase, readers: Readers) -> ReadersReport:
    """
    Judge the visits of each reader as a case of their own, with the lesions that this reader has followed.

    A nadir is never taken from another reader. Readers disagree when their best responses differ, or their overall
    responses on one day. Raises BadCase, with the place in the whole case.
    """
    cases = _by_reader(case)
    for field, name in (("readers.primary", readers.primary), ("readers.adjudicated", readers.adjudicated)):
        if name is not None and name not in cases:
            raise BadCase(field, name, f"has read no visit: write one of {', '.join(cases)}")
    reports = {reader: _report(case, reader, own) for reader, own in cases.items()}
    disagreements = tuple(_disagreements(reports))
    by_adjudicator = readers.policy is Adjudication.ON_DISAGREEMENT and bool(disagreements)
    answer_of = (readers.adjudicated if by_adjudicator else None) or readers.primary
    return ReadersReport(cases, reports, answer_of, disagreements, by_adjudicator and readers.adjudicated is None)


def _by_reader(case: ResponseCase) -> dict[str, ResponseCase]:
    names: dict[str, None] = {}
    for number, visit in enumerate(case.visits):
        if visit.reader is None:
            raise BadCase(f"visits.{number}.reader", None, "is needed when readers are kept apart: name the reader")
        names[visit.reader] = None
    if not names:
        raise BadCase("visits", [], "is empty: give at least the baseline")
    return {name: _read_by(name, case) for name in names}


def _read_by(reader: str, case: ResponseCase) -> ResponseCase:
    visits = tuple(visit for visit in case.visits if visit.reader == reader)
    known = {lesion.id for lesion in case.lesions}
    for number, visit in enumerate(case.visits):
        for lesion_id in visit.measurements.keys() - known:
            field = f"visits.{number}.measurements.{lesion_id}"
            raise BadCase(field, lesion_id, "no such lesion: add it to lesions, or correct its id")
    followed = {lesion_id for visit in visits for lesion_id in visit.measurements}
    return replace(case, visits=visits, lesions=tuple(lesion for lesion in case.lesions if lesion.id in followed))


def _report(case: ResponseCase, reader: str, own: ResponseCase) -> ResponseReport:
    try:
        return assess_response(own)
    except BadCase as fault:
        raise BadCase(_place(fault.field, case, reader, own), fault.value, fault.message) from None


def _place(field: str, case: ResponseCase, reader: str, own: ResponseCase) -> str:
    """Turn the number of a reader's visit or lesion into its number in the whole case."""
    head, _, rest = field.partition(".")
    number, _, tail = rest.partition(".")
    if head == "visits" and number:
        places = [place for place, visit in enumerate(case.visits) if visit.reader == reader]
        return f"visits.{places[int(number)]}.{tail}"
    if head == "lesions":
        return f"lesions.{case.lesions.index(own.lesions[int(number)])}.{tail}"
    return field


def _disagreements(reports: Mapping[str, ResponseReport]) -> list[str]:
    days: dict[object, set[str]] = {}
    for report in reports.values():
        for visit in report.visits[1:]:
            days.setdefault(visit.on, set()).add(visit.overall_response)
    found = [f"overall_response on {day}: {', '.join(sorted(said))}" for day, said in days.items() if len(said) > 1]
    best = {report.best_overall_response.response for report in reports.values()}
    return [*found, *([f"best_overall_response: {', '.join(sorted(best))}"] if len(best) > 1 else [])]
