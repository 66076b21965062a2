"""Lesions over time: what is compared with what, and what a person is told to look at."""

from datetime import timedelta
from decimal import Decimal

import pytest
from course_case import NODE, NON_TARGET_NODE, START, TARGET, THICK_NODE, A, B, X, Y, case, visits

from connector.contract.respond_measurement import measurement
from connector.core.response import assess_response
from connector.core.response.case import AfterComplete, ContinuingResponse, Lesion, NewLesion, Policies, ResponseCase

NON = "NON-CR/NON-PD"


def overall(report):
    return [visit.overall_response for visit in report.visits[1:]]


def flagged(visit):
    return {flag.partition(":")[0] for flag in visit.flags}


@pytest.mark.parametrize(
    ("lesions", "rows", "expected", "why"),
    [
        ([A, B], [{"A": 50, "B": 50}, {"A": 35, "B": 35}], "PR", "the sum counts"),
        ([A, B], [{"A": 50, "B": 50}, {"A": "absent", "B": "too_small"}, {"A": "0", "B": "5"}], "PR PR", "5 mm, not 0"),
        ([A], [{"A": 12}, {"A": "too_small"}], "PR", "too small to measure is 5 mm"),
        ([A], [{"A": 12}, {"A": "3"}], "PR", "a value that was measured stands, also below 5 mm"),
        ([A], [{"A": 12}, {"A": 0}], "CR", "0 is absent"),
        ([NODE], [{"K": 16}, {"K": "9.9"}], "CR", "a node below 10 mm is normal"),
        ([NODE], [{"K": 16}, {"K": "10"}], "PR", "a node of 10 mm is not"),
        ([NODE], [{"K": 16}, {"K": "too_small"}], "CR", "a node too small to measure is normal"),
        ([A], [{"A": 30}, {"A": ["12", "9"]}], "PR", "the parts of a split lesion are added: 21 of 30"),
        ([A], [{"A": 30}, {"A": ["12", "9.1"]}], "SD", "a little more"),
        ([A], [{"A": 30}, {"A": ["0", "0"]}], "CR", "both parts are gone"),
        ([A, B], [{"A": 20, "B": 15}, {"A": 43, "B": "merged:A"}], "PD", "merged lesions have one diameter"),
        ([A, B], [{"A": 20, "B": 15}, {"A": "0", "B": "merged:A"}], "CR", "and are gone together"),
        ([A, B], [{"A": 20, "B": 15}, {"B": "merged:A"}], "NE", "and are not evaluable together"),
        ([A, B], [{"A": 20, "B": 20}, {"A": 12, "B": "treated_locally"}], "NE", "a treated target is missing, not 0"),
        ([A, B], [{"A": 20, "B": 20}, {"A": 12, "B": "treated_locally"}, {"A": 12, "B": 8}], "NE NE", "it has left"),
        ([A, B], [{"A": 20, "B": 20}, {"A": 48, "B": "treated_locally"}], "PD", "the others alone exceed the nadir"),
        ([A, B], [{"A": 30, "B": 30}, {"A": 30}], "NE", "left out is not evaluable"),
        ([A, B], [{"A": 30, "B": 30}, {"A": 30, "B": None}], "NE", "null is not evaluable"),
        ([A, B], [{"A": 30, "B": 30}, {"A": 10}, {"A": 25, "B": 25}], "NE SD", "an incomplete sum is no nadir"),
        ([A], [{"A": 50}, {"A": 20}, {"A": 30}, {"A": 20}], "PR PD PR", "visits after progression are judged too"),
        ([A, B], [{"A": 30, "B": "present"}, {"A": 10, "B": 10}, {"A": 99, "B": 99}], "NE NE", "no baseline sum"),
        ([X], [{"X": "present"}, {"X": "present"}, {"X": "absent"}], f"{NON} CR", "Table 2"),
        ([X, Y], [{"X": "present", "Y": "present"}, {"X": "absent", "Y": "merged:X"}], "CR", "gone with the other"),
        ([X, Y], [{"X": "present", "Y": "present"}, {"X": "present", "Y": "merged:X"}], NON, "there with the other"),
        ([X, Y], [{"X": "present", "Y": "present"}, {"Y": "merged:X"}], "NE", "the other was left out"),
        ([X], [{"X": "present"}, {"X": "treated_locally"}], "NE", "treated on study"),
        ([X], [{"X": "present"}, {"X": "treated_locally"}, {"X": "absent"}], "NE NE", "and it has left"),
        ([X], [{"X": "present"}, {"X": "12.5"}], NON, "a diameter of a non-target says that it is there"),
        ([NON_TARGET_NODE], [{"Z": "12"}, {"Z": "9"}], "CR", "a non-target node below 10 mm is normal"),
        ([A, X], [{"A": 30, "X": "present"}, {"A": 30, "X": "unequivocal_progression"}], "PD", "non-target PD"),
        ([], [{}, {}], "NA", "no disease at baseline"),
    ],
)
def test_response_of_lesions_over_time(lesions, rows, expected, why):
    assert overall(assess_response(case(lesions, visits(*rows)))) == expected.split(), why


def test_sums_nadirs_and_changes_of_a_course():
    report = assess_response(case([A], visits({"A": "50.0"}, {"A": "35.00"}, {"A": None}, {"A": "42"})))
    shown = [
        (visit.sum_mm, visit.nadir_mm, visit.change_from_baseline_percent, visit.change_from_nadir_percent)
        for visit in report.visits
    ]
    assert shown == [
        (Decimal(50), None, None, None),
        (Decimal(35), Decimal(50), "-30.0", "-30.0"),
        (None, Decimal(35), None, None),
        (Decimal(42), Decimal(35), "-16.0", "20.0"),
    ]
    assert overall(report) == ["PR", "NE", "PD"]
    assert (report.target_ids, report.non_target_ids) == (("A",), ())


@pytest.mark.parametrize(
    ("policy", "expected", "why"),
    [
        (ContinuingResponse.PER_VISIT, "PR SD SD PR SD PD SD", "each visit on its own"),
        (ContinuingResponse.CONFIRMED_PR, "PR SD SD PR SD PD SD", "no PR is followed by another: none is confirmed"),
        (ContinuingResponse.ANY_PR, "PR PR PR PR PR PD SD", "until progression, and not after it"),
    ],
)
def test_a_partial_response_may_continue(policy, expected, why):
    rows = [{"A": size} for size in (100, 70, 72, 75, 70, 75, 84, 75)]
    report = assess_response(case([A], visits(*rows), policies=Policies(continuing_response=policy)))
    assert overall(report) == expected.split(), why


def test_a_confirmed_partial_response_continues_for_eortc():
    rows = [{"A": size} for size in (165, 63, 65, 120)]
    per_visit = assess_response(case([A], visits(*rows[:3], {"A": 74})))
    assert overall(per_visit) == ["PR", "PR", "PR"]
    eortc = Policies(continuing_response=ContinuingResponse.CONFIRMED_PR)
    drifting = visits({"A": 100}, {"A": 68}, {"A": 69}, {"A": 75})
    assert overall(assess_response(case([A], drifting))) == ["PR", "PR", "SD"]
    assert overall(assess_response(case([A], drifting, policies=eortc))) == ["PR", "PR", "PR"]


@pytest.mark.parametrize(
    ("lesions", "rows", "progression", "reclassified", "why"),
    [
        ([A], [{"A": 10}, {"A": 0}, {"A": 4}], "CR PD", "CR PR", "4 mm after a complete response"),
        ([A], [{"A": 10}, {"A": 0}, {"A": 5}], "CR PD", "CR PD", "5 mm from zero are progression anyway"),
        ([NODE], [{"K": 16}, {"K": 9}, {"K": 13}], "CR PD", "CR SD", "a node back to 13 mm: +44 %, but +4 mm"),
        ([NODE], [{"K": 16}, {"K": 9}, {"K": "9.9"}], "CR CR", "CR CR", "still normal"),
        ([A, X], [{"A": 10, "X": "present"}, {"A": 0, "X": "absent"}, {"A": 0, "X": "present"}],
         "CR PD", "CR PR", "a non-target is back"),
        ([A, X], [{"A": 10, "X": "present"}, {"A": 0, "X": "present"}, {"A": 4, "X": "present"}],
         "PR PR", "PR PR", "only the targets were gone: no complete response was lost"),
    ],
)  # fmt: skip
def test_disease_after_a_complete_response(*, lesions, rows, progression, reclassified, why):
    assert overall(assess_response(case(lesions, visits(*rows)))) == progression.split(), why
    policies = Policies(response_after_complete=AfterComplete.RECLASSIFY)
    assert overall(assess_response(case(lesions, visits(*rows), policies=policies))) == reclassified.split(), why


def test_a_marker_that_rises_after_a_complete_response_is_no_progression():
    followed = visits({"A": 10}, {"A": 0}, {"A": 0}, {"A": 0}, markers_normal={1: True, 2: False, 3: True})
    report = assess_response(case([A], followed))
    assert overall(report) == ["CR", "PR", "CR"]
    assert report.confirmed_best_overall_response.response == "CR"
    assert report.progression_free_survival.event is False


def test_a_marker_that_was_raised_must_be_normal_for_a_complete_response():
    followed = visits({"X": "present"}, {"X": "absent"}, {"X": "absent"}, markers_normal={0: False, 2: True})
    assert overall(assess_response(case([X], followed))) == ["NE", "CR"]


@pytest.mark.parametrize(
    ("markers", "expected", "why"),
    [
        ({}, "CR", "no marker was ever raised"),
        ({1: True}, "CR", "it is normal"),
        ({1: False}, "PR", "it is above normal"),
        ({0: False}, "PR", "it was above normal, and is not known now"),
        ({0: False, 1: True}, "CR", "it was above normal, and is normal now"),
    ],
)
def test_a_raised_marker_forbids_a_complete_response_without_non_target_lesions_too(markers, expected, why):
    seen = assess_response(case([A], visits({"A": 10}, {"A": 0}, markers_normal=markers))).visits[1]
    assert (seen.target_response, seen.non_target_response, seen.overall_response) == ("CR", "NA", expected), why
    assert (expected == "CR") == (len(seen.reasons) == 1)


def test_a_lesion_that_was_treated_stays_out_of_the_assessment_when_it_merges():
    rows = [{"A": 30, "B": 20}, {"A": 30, "B": "treated_locally"}, {"A": 30, "B": "merged:A"}]
    report = assess_response(case([A, B], visits(*rows)))
    assert overall(report) == ["NE", "NE"]
    assert flagged(report.visits[2]) == {"treated_locally"}


def test_a_new_lesion():
    rows = [{"A": 30}, {"A": 20}, {"A": 20}, {"A": 20}]
    new = {1: NewLesion.EQUIVOCAL, 3: NewLesion.UNEQUIVOCAL}
    report = assess_response(case([A], visits(*rows, new_lesion=new)))
    assert overall(report) == ["PR", "PR", "PD"]
    assert flagged(report.visits[1]) == {"equivocal_new_lesion"}
    assert flagged(report.visits[3]) == {"progression_may_date_back"}
    assert str(report.visits[1].on) in report.visits[3].flags[0]


@pytest.mark.parametrize(
    ("lesions", "rows", "extra", "visit", "flag"),
    [
        ([A], [{"A": "9.9"}], {}, 0, "below_measurable_size"),
        ([A], [{"A": 10}], {}, 0, ""),
        ([A], [{"A": "present"}], {}, 0, "baseline_incomplete"),
        ([NODE], [{"K": "14.9"}], {}, 0, "below_measurable_size"),
        ([NODE], [{"K": 15}], {}, 0, ""),
        ([Lesion("A", TARGET, "lung", slice_thickness_mm=Decimal(7))], [{"A": "13.9"}], {}, 0, "below_measurable_size"),
        ([Lesion("A", TARGET, "lung", slice_thickness_mm=Decimal(7))], [{"A": "14"}], {}, 0, ""),
        ([Lesion("A", TARGET, "lung", slice_thickness_mm=Decimal(5))], [{"A": "10"}], {}, 0, ""),
        ([THICK_NODE], [{"K": 15}], {}, 0, "thick_slices"),
        ([THICK_NODE], [{"K": 16}], {}, 0, ""),
        ([Lesion(name, TARGET, f"{side} lung") for name, side in (("A", "left"), ("B", "right"), ("C", ""))],
         [dict.fromkeys("ABC", 20)], {}, 0, "too_many_targets_in_organ"),
        ([Lesion(name, TARGET, name) for name in "ABCDEF"], [dict.fromkeys("ABCDEF", 20)], {}, 0, "too_many_targets"),
        ([A], [{"A": 20}, {"A": "present"}], {}, 1, "target_not_measured"),
        ([A], [{"A": 20}, {}], {}, 1, "target_not_evaluable"),
        ([A], [{"A": 20}, {"A": "treated_locally"}], {}, 1, "treated_locally"),
        ([A, B], [{"A": 20, "B": 20}, {"A": 20, "B": "merged:A"}], {}, 1, "merged"),
        ([A], [{"A": 20}, {"A": 20}], {"reader": {0: "R1", 1: "R2"}}, 1, "other_reader"),
        ([A], [{"A": 20}, {"A": 20}], {"reader": {0: "R1", 1: "R1"}}, 1, ""),
        ([A], [{"A": 20}, {"A": 20}], {"reader": {1: "R2"}}, 1, ""),
        ([A], [{"A": "2.1"}, {"A": "21"}], {}, 1, "unlikely_change"),
        ([A], [{"A": "2.1"}, {"A": "20.9"}], {}, 1, ""),
        ([A], [{"A": 20}, {"A": 0}, {"A": 0}], {}, 2, "zero_nadir"),
    ],
)  # fmt: skip
def test_what_a_person_should_look_at(lesions, rows, extra, visit, flag):
    report = assess_response(case(lesions, visits(*rows, **extra)))
    assert flagged(report.visits[visit]) == ({flag} if flag else set())


@pytest.mark.parametrize(
    ("start", "flag"),
    [
        (START + timedelta(28), set()),
        (START + timedelta(29), {"baseline_too_old"}),
        (START - timedelta(1), {"baseline_after_treatment_start"}),
        (None, {"treatment_start_unknown"}),
    ],
)
def test_when_the_baseline_was(start, flag):
    given = ResponseCase("recist-1.1", (A,), visits({"A": 20}, {"A": 10}), start)
    assert flagged(assess_response(given).visits[0]) == flag


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (START + timedelta(29), "the baseline is 29 days before the start of treatment, and at most 28 are allowed"),
        (START - timedelta(120), "the baseline is 120 days after the start of treatment"),
        (None, "the start of treatment is not known, so durations are counted from the baseline"),
    ],
)
def test_a_flag_is_a_sentence_without_its_code(start, said):
    """Pages leave out the code that scripts go by."""
    given = ResponseCase("recist-1.1", (A,), visits({"A": 20}, {"A": 10}), start)
    (flag,) = assess_response(given).visits[0].flags
    assert flag.partition(": ")[2] == said


@pytest.mark.parametrize(
    ("baseline", "current", "said"),
    [
        (20, 14, "the sum shrank from the baseline of 20 mm to 14 mm"),
        (20, 26, "the sum grew from the smallest one of 20 mm to 26 mm"),
        (20, 21, "the sum of 21 mm is neither PR from the baseline of 20 mm nor PD from the smallest sum of 20 mm"),
    ],
)
def test_a_reason_is_a_sentence(baseline, current, said):
    report = assess_response(case([A], visits({"A": baseline}, {"A": current})))
    assert report.visits[1].reasons[0] == said


def test_without_a_start_of_treatment_days_count_from_the_baseline():
    report = assess_response(ResponseCase("recist-1.1", (A,), visits({"A": 20}, {"A": 40})))
    assert (report.progression_free_survival.days, report.progression_free_survival.event) == (42, True)


@pytest.mark.parametrize(
    ("fields", "days", "event"),
    [
        ({}, 42, False),
        ({"last_contact_date": START + timedelta(100)}, 100, False),
        ({"death_date": START + timedelta(120)}, 120, True),
    ],
)
def test_overall_survival(fields, days, event):
    survival = assess_response(case([A], visits({"A": 20}, {"A": 20}), **fields)).overall_survival
    assert (survival.days, survival.event) == (days, event)


def test_mrecist_judges_viable_diameters_by_its_own_rule():
    viable = ResponseCase("mrecist", (A,), visits({"A": 30}, {"A": 20}, {"A": 24}), START)
    assert overall(assess_response(viable)) == ["PR", "PD"]
    stricter = ResponseCase("mrecist", (A,), viable.visits, START, Policies(mrecist_5_mm=True))
    assert overall(assess_response(stricter)) == ["PR", "SD"]


def test_the_largest_diameter_counts():
    assert measurement("1000").total_mm == Decimal(1000)
