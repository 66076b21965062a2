"""RECIST 1.1 for one visit: the sum rule at its limits, the non-target rule, Tables 1 and 2 in full."""

from decimal import Decimal

import pytest

from connector.contract.respond import run
from connector.core.errors import BadCase
from connector.core.response import criteria_of
from connector.core.response.case import ContinuingResponse, NewLesion, Policies, Response
from connector.core.response.recist_1_1 import (
    RECIST_1_1,
    Found,
    Sums,
    change_percent,
    non_target_response,
    overall_response,
    target_response,
)
from connector.core.response.visits import continued_from_sums

MRECIST = criteria_of("mrecist", Policies())
MRECIST_5_MM = criteria_of("mrecist", Policies(mrecist_5_mm=True))
NON = "NON-CR/NON-PD"


def sums(baseline, nadir, current, *, measured=True, gone=False, back=False):
    known = [None if one is None else Decimal(one) for one in (baseline, nadir)]
    return Sums(known[0], known[1], Decimal(current), measured, gone, back)


@pytest.mark.parametrize(
    ("baseline", "nadir", "current", "expected", "why"),
    [
        ("100", "100", "70", "PR", "shrank by exactly 30 % of baseline"),
        ("100", "100", "70.000001", "SD", "just less than 30 %, although it reads as -30.0 %"),
        ("14.0", "14.0", "9.8", "PR", "a binary float makes this -29.999 %"),
        ("11.0", "11.0", "7.7", "PR", "a binary float makes this more than 0.7 times"),
        ("27", "27", "32.4", "PD", "grew by exactly 20 %, and by 5.4 mm"),
        ("26.0", "26.0", "31.2", "PD", "exactly 20 % again, where 100 times first fails in binary"),
        ("27", "27", "32.3", "SD", "just less than 20 %"),
        ("25", "25", "30", "PD", "exactly 20 % and exactly 5 mm"),
        ("25", "25", "29.99", "SD", "just less than both"),
        ("3.2", "3.2", "8.2", "PD", "exactly 5 mm, where a binary float has 4.99"),
        ("100", "20", "24", "PR", "grew 20 % from the smallest, but by only 4 mm"),
        ("100", "20", "24.9", "PR", "24.5 %, 4.9 mm"),
        ("100", "20", "25", "PD", "25 % and 5 mm"),
        ("100", "50", "60", "PD", "still 40 % below baseline: progression from the nadir wins"),
        ("100", "65", "75", "SD", "above 70 % of baseline and only 15 % above the nadir"),
        ("50", "0", "4.9", "PR", "from zero any growth is 20 %, but 5 mm are needed"),
        ("50", "0", "5", "PD", "from zero by 5 mm"),
    ],
)
def test_the_sum_rule_of_recist(baseline, nadir, current, expected, why):
    assert target_response(sums(baseline, nadir, current), RECIST_1_1).response == expected, why


@pytest.mark.parametrize(
    ("given", "expected", "why"),
    [
        (sums("17", "1", "9", gone=True), "CR", "a node of 9 mm is normal: CR comes before the sum rule"),
        (sums("50", "0", "3", back=True), "PD", "a lesion is back after a complete response: no 5 mm are asked"),
        (sums("50", "0", "0", gone=True, back=True), "CR", "nothing is there"),
        (sums("50", "50", "0", measured=False, gone=True), "NE", "gone, but one was not evaluable"),
        (sums("100", "100", "60", measured=False), "NE", "a subset may not make a partial response"),
        (sums("50", "50", "80", measured=False), "PD", "the measured ones alone exceed the full nadir"),
        (sums("50", "50", "60", measured=False), "PD", "exactly 20 % and 10 mm by the subset alone"),
        (sums("50", "50", "59.9", measured=False), "NE", "just short of it"),
        (sums(None, None, "80"), "NE", "without a baseline there is nothing to compare with"),
        (sums("50", None, "80"), "NE", "nor without a nadir"),
    ],
)
def test_what_comes_before_the_sum_rule(given, expected, why):
    call = target_response(given, RECIST_1_1)
    assert call.response == expected, why
    assert call.reasons


@pytest.mark.parametrize(
    ("criteria", "nadir", "current", "expected", "why"),
    [
        (MRECIST, "20", "24", "PD", "20 %: the paper of 2010 asks for no 5 mm"),
        (MRECIST, "20", "23.99", "SD", "just less than 20 %"),
        (MRECIST, "0", "0.1", "PD", "enhancement is back"),
        (MRECIST_5_MM, "20", "24", "SD", "4 mm, and the trial asks for 5"),
        (MRECIST_5_MM, "20", "25", "PD", "5 mm"),
    ],
)
def test_mrecist_has_its_own_least_growth(criteria, nadir, current, expected, why):
    assert target_response(sums("30", nadir, current), criteria).response == expected, why


def test_a_viable_sum_that_stays_zero_has_not_grown():
    assert target_response(sums("30", "0", "0"), MRECIST).response == "PR"


def test_unknown_criteria_are_refused_by_name():
    with pytest.raises(BadCase, match=r"criteria.*recist-1.1 or mrecist"):
        criteria_of("who", Policies())


@pytest.mark.parametrize(
    ("now", "before", "expected", "why"),
    [
        ("70.01", "100", "-30.0", "rounded for reading, not for deciding"),
        ("100.05", "100", "0.1", "halves away from zero"),
        ("99.96", "100", "0.0", "never minus zero"),
        ("5", "0", None, "from zero there is no percentage"),
        ("5", None, None, "nothing to compare with"),
        (None, "5", None, "not complete"),
    ],
)
def test_percentages_are_for_reading(now, before, expected, why):
    given = [None if one is None else Decimal(one) for one in (now, before)]
    assert change_percent(now=given[0], before=given[1]) == expected, why


@pytest.mark.parametrize(
    ("found", "markers", "raised", "back", "expected", "why"),
    [
        ("G G", True, False, False, "CR", "all gone, markers normal"),
        ("G G", None, False, False, "CR", "all gone, and no marker was ever raised"),
        ("G G", False, False, False, NON, "all gone, but a marker is above normal"),
        ("G G", None, True, False, "NE", "a marker was raised before and is not known now"),
        ("G G", True, True, False, "CR", "a marker was raised before and is normal now"),
        ("G P", True, False, False, NON, "one persists"),
        ("N P", None, False, False, NON, "one persists, whatever was not evaluable"),
        ("G N", None, False, False, "NE", "one was not evaluable"),
        ("X P", None, False, False, "PD", "one has unequivocally progressed"),
        ("X N", True, False, False, "PD", "and nothing outweighs that"),
        ("G P", True, False, True, "PD", "one is back after a complete response"),
        ("", None, False, False, "NA", "there are none"),
        ("", False, False, False, "NA", "there are none, whatever a marker says"),
    ],
)
def test_the_non_target_rule(*, found, markers, raised, back, expected, why):
    words = {"G": Found.GONE, "P": Found.PERSISTS, "X": Found.PROGRESSED, "N": Found.NOT_EVALUABLE}
    call = non_target_response(
        [words[letter] for letter in found.split()],
        markers_normal=markers,
        markers_were_raised=raised,
        reappeared=back,
    )
    assert call.response == expected, why


# RECIST 1.1, Table 1, as printed (target, non-target, overall); NA as non-target reads as CR. "any" is written out.
TABLE_1 = [
    ("CR", "CR NA", "CR"),
    ("CR", f"{NON} NE", "PR"),
    ("PR", f"CR {NON} NE NA", "PR"),
    ("SD", f"CR {NON} NE NA", "SD"),
    ("NE", f"CR {NON} NE NA", "NE"),
    ("PD", f"CR {NON} NE NA PD", "PD"),
    ("CR", "PD", "PD"),
    ("PR", "PD", "PD"),
    ("SD", "PD", "PD"),
    ("NE", "PD", "PD"),
]
TABLE_2 = [("NA", "CR", "CR"), ("NA", NON, NON), ("NA", "NE", "NE"), ("NA", "PD", "PD"), ("NA", "NA", "NA")]
ROWS = [
    (target, non_target, overall)
    for target, non_targets, overall in (*TABLE_1, *TABLE_2)
    for non_target in non_targets.split()
]


def test_the_tables_are_complete():
    assert len(ROWS) == len({row[:2] for row in ROWS}) == 6 * 5


@pytest.mark.parametrize(("target", "non_target", "overall"), ROWS)
@pytest.mark.parametrize("new_lesion", list(NewLesion))
def test_overall_response_by_the_published_tables(target, non_target, overall, new_lesion):
    expected = "PD" if new_lesion is NewLesion.UNEQUIVOCAL else overall
    answer = overall_response(target=Response(target), non_target=Response(non_target), new_lesion=new_lesion)
    assert answer == expected


@pytest.mark.parametrize(
    ("policy", "nadir_mm", "current_mm", "expected", "why"),
    [
        ("per_visit", "65", "75", "SD", "RECIST reads visit by visit: 75 is 25 % below the baseline"),
        ("any_pr", "65", "75", "PR", "the smallest sum was PR, and 75 is no progression from it"),
        ("any_pr", "70", "75", "PR", "the smallest sum was 30 % below the baseline exactly"),
        ("any_pr", "70.1", "75", "SD", "no sum was ever PR"),
        ("any_pr", "62.5", "75", "PD", "20 % above the smallest sum ends the response"),
        ("confirmed_pr", "65", "75", "PR", "sums carry no dates: the caller says that it was confirmed"),
    ],
)
def test_a_response_continues_in_given_sums_as_its_policy_says(policy, nadir_mm, current_mm, expected, why):
    given = sums("100", nadir_mm, current_mm)
    chosen = Policies(continuing_response=ContinuingResponse(policy))
    call = continued_from_sums(
        target_response(given, RECIST_1_1), chosen, baseline_mm=Decimal(100), nadir_mm=Decimal(nadir_mm)
    )
    assert call.response == Response(expected), why
    assert any("taken as given" in reason for reason in call.reasons) is (policy == "confirmed_pr")


@pytest.mark.parametrize(
    ("policy", "current_mm", "expected", "why"),
    [
        ("progression", "65", "PD", "disease after a complete response"),
        ("reclassify", "65", "PR", "30 % below the baseline, and 5 mm are less than 20 % of 60"),
        ("reclassify", "72", "PD", "20 % above the smallest sum"),
    ],
)
def test_a_lesion_back_after_a_complete_response_is_read_in_sums_as_its_policy_says(policy, current_mm, expected, why):
    """RECIST 1.1, Table 3, note a, allows both readings."""
    given = {
        "baseline_mm": 100, "nadir_mm": 60, "current_mm": current_mm, "all_targets_measured": True,
        "all_targets_gone": False, "reappeared_after_complete_response": True,
    }  # fmt: skip
    case = {"criteria": "recist-1.1", "sums": given, "policies": {"response_after_complete": policy}}
    assert run(case)["target_response"] == expected, why
