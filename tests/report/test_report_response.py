"""What the report says of response beside its numbers: remarks, the best response, and what was measured."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import fhir_cases as cases
import pytest
import report_case as made

from connector.core.assessment import DatedResponse
from connector.report import response_content
from connector.report.board_content import board_content
from connector.report.room import AMPLE


def content(assessed):
    return board_content(made.request(assessed))


def test_a_remark_is_a_sentence_without_its_code():
    visit = made.course(2).visits[1]._replace(flags=("other_reader: another reader than at the baseline",))
    assessed = cases.assessment(response=replace(made.course(2), visits=(made.course(1).visits[0], visit)))
    assert content(assessed)["response"]["flags"][0] == "Another reader than at the baseline."


@pytest.mark.parametrize(
    ("confirmed", "expected"),
    [("PR", "Best overall response PR on 2026-02-09, the same with confirmation"),
     ("SD", "Best overall response PR on 2026-02-09, but SD where confirmation is required")],
)  # fmt: skip
def test_the_best_response_with_and_without_confirmation(confirmed, expected):
    best = DatedResponse("PR", date(2026, 2, 9))
    report = replace(
        made.course(2), best_overall_response=best, confirmed_best_overall_response=DatedResponse(confirmed, None),
    )  # fmt: skip
    assert content(cases.assessment(response=report))["response"]["course"].startswith(expected)


def test_the_volume_of_the_liver_is_told_to_a_tenth():
    point = replace(cases.assessment().time_points[-1], liver_volume_ml=Decimal("1154.0004"))
    assert content(cases.assessment(time_points=(point,)))["studies"]["rows"][0][4] == "1154.0 mL"


@pytest.mark.parametrize(("hidden", "said"), [(1, "line is"), (3, "lines are")])
def test_what_stands_beside_recist_and_does_not_fit_is_counted(hidden, said):
    one = cases.beside_recist()
    several = replace(one, viable=None, treated_lesions=(), uptake=one.uptake * (AMPLE.beside + hidden))
    last = response_content.beside(several)["lines"][-1]
    assert last == f"{hidden} more viability and uptake {said} in the structured report."
