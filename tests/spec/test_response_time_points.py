"""From imaging studies to a response case: baseline, targets, new lesions, and what is asked for when unsure."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from connector.core.case import Code, LesionMeasurement, LesionRole, LesionState, TimePoint
from connector.core.response import assess_response, response_case
from connector.core.response.case import Policies
from connector.core.response.measurable import Candidate, choose_targets, organ

START = date(2025, 1, 1)
TARGET, NON_TARGET = LesionRole.TARGET, LesionRole.NON_TARGET


def lesion(name, long_axis=None, **fields):
    given = {
        "site": "liver",
        "lymph_node": False,
        "tracking_id": name,
        "tracking_uid": f"uid-{name}",
        "site_code": None,
    }
    size = None if long_axis is None else Decimal(long_axis)
    return LesionMeasurement(**(given | fields), origin="1.2", observed_on=START, long_axis_mm=size)


def node(name, short_axis, **fields):
    return lesion(name, "30", site="lymph_node", lymph_node=True, short_axis_mm=Decimal(short_axis), **fields)


def coded(meaning, code=None):
    return {"site": "other", "site_code": Code(code or meaning, "SCT", meaning)}


def study(day, *lesions, **fields):
    return TimePoint(f"1.2.{day}", START + timedelta(day), "CT", lesions, **fields)


def judged(*studies, **fields):
    return assess_response(response_case(studies, START, **fields))


def overall(report):
    return [visit.overall_response for visit in report.visits[1:]]


@pytest.mark.parametrize(
    ("studies", "expected", "why"),
    [
        ((study(0, lesion("A", 30)), study(42, lesion("A", 21))), ["PR"], "linked by tracking UID"),
        ((study(42, lesion("A", 21)), study(0, lesion("A", 30))), ["PR"], "in order of date, however they came"),
        ((study(0, node("K", 20)), study(42, node("K", "9.9"))), ["CR"], "a node by its short axis"),
        ((study(0, lesion("A", 30), lesion("B", 20)), study(42, lesion("A", 10))), ["NE"], "missing is not absent"),
        (
            (
                study(0, lesion("A", 30), lesion("B", 20)),
                study(42, lesion("A", 15), lesion("B", state=LesionState.ABSENT)),
            ),
            ["PR"],
            "absent is said, and counts as 0",
        ),
        ((study(0, lesion("A", 30)), study(42, lesion("A", 20), lesion("C", 12))), ["PD"], "a new tracking UID"),
        ((study(0, lesion("A", 30)), study(42, lesion("A", 20), lesion("C"))), ["PD"], "new, without a diameter"),
        ((study(0, lesion("A", 30)), study(42, lesion("A", 20), lesion("C", 0))), ["PR"], "new, but not there"),
        (
            (study(0, lesion("A", 30)), study(42, lesion("A", 20), node("C", "9.9"))),
            ["PR"],
            "a normal node is no lesion",
        ),
        ((study(0, lesion("A", 30)), study(42, lesion("A", 20), node("C", 10))), ["PD"], "a node of 10 mm is one"),
        (
            (study(0, lesion("A", 30)), study(42, lesion("A", 20), lesion("C", 5), new_lesion="equivocal")),
            ["PR"],
            "the reader calls it equivocal",
        ),
        (
            (study(0, lesion("A", 30)), study(42, new_lesion="unequivocal")),
            ["PD"],
            "a reader's word without a measurement",
        ),
        (
            (
                study(0, lesion("A", 30), lesion("B", state=LesionState.ABSENT)),
                study(42, lesion("A", 30), lesion("B", 9)),
            ),
            ["PD"],
            "absent at baseline, so new now",
        ),
        (
            (study(0, lesion("A", 30)), study(21), study(42, lesion("A", 20))),
            ["PR"],
            "a study without lesions is no visit",
        ),
        (
            (study(0, lesion("A", 30)), study(0, lesion("B", 20)), study(42, lesion("A", 21), lesion("B", 14))),
            ["PR"],
            "two studies of one day are one visit",
        ),
        (
            (study(0, lesion("A")), study(0, lesion("A", 30)), study(42, lesion("A", 20)), study(42, lesion("A"))),
            ["PR"],
            "the study that has a diameter gives it",
        ),
        (
            (study(0, lesion("A", 30)), study(42, lesion("A", 40, state=LesionState.UNEQUIVOCAL_PROGRESSION))),
            ["PD"],
            "a target that is said to progress is judged by its diameter",
        ),
        (
            (study(0, lesion("A", 5)), study(42, lesion("A", 9, state=LesionState.UNEQUIVOCAL_PROGRESSION))),
            ["PD"],
            "a non-target by the word",
        ),
        ((study(0, lesion("A", 5)), study(42, lesion("A", 9))), ["NON-CR/NON-PD"], "too small for a target"),
        (
            (study(-40, lesion("A", 60)), study(-10, lesion("A", 30)), study(42, lesion("A", 30))),
            ["SD"],
            "the last study before treatment is the baseline",
        ),
        ((study(5, lesion("A", 30)), study(42, lesion("A", 30))), ["SD"], "none before treatment: the first"),
        (
            (study(-10, new_lesion="unequivocal"), study(0, lesion("A", 30)), study(42, lesion("A", 30))),
            ["SD"],
            "a baseline has lesions",
        ),
    ],
)
def test_studies_become_a_course(studies, expected, why):
    assert overall(judged(*studies)) == expected, why


def test_targets_are_those_named_so_in_any_study():
    before = study(0, lesion("A", 30), lesion("B", 40), lesion("C", 50))
    after = study(42, lesion("A", 30, role=TARGET), lesion("B", 40, role=NON_TARGET), lesion("C", 50))
    report = judged(before, after)
    assert (report.target_ids, report.non_target_ids) == (("A",), ("B", "C"))


def test_targets_are_chosen_by_size_when_nobody_named_them():
    liver = [lesion(name, size) for name, size in (("A", 12), ("B", 40), ("C", 30), ("D", "9.9"))]
    others = [node("K", 16), lesion("U", 50, state=LesionState.PRESENT)]
    report = judged(study(0, *liver, *others), study(42, *liver, *others))
    assert set(report.target_ids) == {"B", "C", "K"}


def test_a_label_that_names_two_lesions_is_replaced_by_the_tracking_uid():
    both = (lesion("A", 30), lesion("B", 20, tracking_id="A"))
    assert judged(study(0, *both), study(42, *both)).target_ids == ("uid-A", "uid-B")


def test_criteria_and_policies_are_passed_on():
    report = judged(
        study(0, lesion("A", 30)), study(42, lesion("A", 36)), criteria="mrecist", policies=Policies(confirm=True)
    )
    assert (report.criteria, report.policies["confirm"]) == ("mrecist", "true")


def test_without_a_start_of_treatment_the_first_study_is_the_baseline():
    ready = response_case((study(-40, lesion("A", 60)), study(-10, lesion("A", 30))))
    assert (len(ready.visits), ready.treatment_start) == (2, None)


@pytest.mark.parametrize(
    ("studies", "need"),
    [
        ((), "measured lesions"),
        ((study(0), study(42)), "measured lesions"),
        ((study(42, new_lesion="unequivocal"),), "measured lesions"),
        ((study(0, lesion("A", 30)),), "a follow-up"),
        ((study(-40, lesion("A", 30)), study(-10, lesion("A", 30))), "a follow-up"),
        ((study(0, lesion("A", 30)), study(42, lesion("B", 30))), "linked lesions"),
        ((study(0, lesion("A", 30)), study(42, lesion("A", 30, site="lung"))), "one site for a lesion: A is in liver"),
        ((study(0, lesion("A", 30)), study(42, node("A", 30))), "one site for a lesion"),
        (
            (study(0, lesion("A", 30)), study(42, lesion("A", 31)), study(84, lesion("A", 30, site="lung"))),
            "one site for a lesion: A is in liver on 2025-01-01 and in lung on 2025-03-26",
        ),
        (
            (
                study(0, lesion("A", 30, site="other")),
                study(42, lesion("A", 30)),
                study(84, lesion("A", 9, site="lung")),
            ),
            "one site for a lesion: A is in liver on 2025-02-12 and in lung",
        ),
        (
            (study(0, lesion("A", 30, **coded("Kidney"))), study(42, lesion("A", 30, **coded("Spleen")))),
            "one site for a lesion: A is in kidney on 2025-01-01 and in spleen",
        ),
        ((study(0, lesion("A", 30)), study(42, lesion("A", 30, **coded("Kidney")))), "one site for a lesion"),
        (
            (
                study(0, lesion("A", 30)),
                study(42, lesion("A", 30), lesion("N", 9)),
                study(84, lesion("A", 30), node("N", 12)),
            ),
            "one site for a lesion: N",
        ),
        (
            (study(0, lesion("A", 30)), study(42, lesion("A", conflicts=("long axis in mm 12 and 14",)))),
            "one lesion for a tracking UID: A on 2025-02-12 is there twice (long axis in mm 12 and 14)",
        ),
        (
            (study(0, lesion("A", 30), lesion("B", conflicts=("in liver and in lung",))), study(42, lesion("A", 30))),
            "one lesion for a tracking UID: B on 2025-01-01",
        ),
        ((study(0, lesion("A", 30)), study(42, lesion("A", 30)), study(42, lesion("A", 31))), "one diameter of A"),
        ((study(0, lesion("A", 30)), study(42, lesion("A", 3000))), "a likely size of A"),
        ((study(0, lesion("A", 30)), study(42, lesion("A", -3))), "a likely size of A"),
        (
            (study(0, lesion("A", 30)), study(42, lesion("A", state=LesionState.UNEQUIVOCAL_PROGRESSION))),
            "a correction: visits.1.measurements.A",
        ),
    ],
)
def test_what_is_needed_before_response_can_be_judged(studies, need):
    needs = response_case(studies, START)
    assert isinstance(needs, tuple)
    assert needs[0].startswith(need)


@pytest.mark.parametrize(
    ("before", "now", "why"),
    [
        (coded("Kidney"), coded("Left kidney"), "a side of it"),
        (coded("Niere", "64033007"), coded("Kidney", "64033007"), "one code in two languages"),
        (coded("Abdomen"), {"site": "liver"}, "a region that holds the organ"),
        (coded("Chest, abdomen"), coded("Spleen"), "several regions"),
    ],
)
def test_one_organ_named_in_two_ways_is_one_organ(before, now, why):
    assert overall(judged(study(0, lesion("A", 30, **before)), study(42, lesion("A", 30, **now)))) == ["SD"], why


def test_a_site_that_was_not_named_contradicts_nothing():
    assert overall(judged(study(0, lesion("A", 30, site="other")), study(42, lesion("A", 30)))) == ["SD"]


@pytest.mark.parametrize(
    ("sites", "sizes", "expected", "why"),
    [
        ("liver liver liver", "12 30 20", "1 2", "two in an organ, the largest"),
        ("a b c d e f", "10 11 12 13 14 15", "5 4 3 2 1", "five in all, the largest"),
        ("left_lung right_lung lungs", "20 30 40", "2 1", "the lungs are one organ"),
        ("liver liver liver", "20 20 20", "0 1", "ties by id"),
        ("liver lung", "9.9 10", "1", "10 mm count, less does not"),
    ],
)
def test_choosing_targets(sites, sizes, expected, why):
    pairs = zip(sites.split(), sizes.split(), strict=True)
    candidates = [
        Candidate(str(number), site, lymph_node=False, diameter_mm=Decimal(size))
        for number, (site, size) in enumerate(pairs)
    ]
    assert choose_targets(candidates) == tuple(expected.split()), why


@pytest.mark.parametrize(
    ("site", "lymph_node", "expected"),
    [
        ("Left adrenal gland", False, "adrenal"),
        ("renal cortex, right", False, "kidney"),
        ("Pulmonary", False, "lung"),
        ("thyroid_bed", False, "thyroid bed"),
        ("neck", True, "lymph nodes"),
        ("mediastinum", True, "lymph nodes"),
    ],
)
def test_what_counts_as_one_organ(site, lymph_node, expected):
    assert organ(site, lymph_node=lymph_node) == expected


def test_a_lesion_without_a_diameter_is_not_measurable():
    assert choose_targets([Candidate("A", "liver", lymph_node=False, diameter_mm=None)]) == ()
