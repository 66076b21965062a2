"""Cases of lesions that cannot be: each is refused by the field that a person must look at."""

from datetime import timedelta

import pytest
from course_case import NO_SLICE, NON_TARGET, START, TARGET, A, B, X, case, visits

from connector.contract.respond_measurement import measurement
from connector.core.errors import BadCase
from connector.core.response import assess_response
from connector.core.response.case import Lesion, NewLesion, ResponseCase

ROW = {"A": 20, "B": 20}


@pytest.mark.parametrize(
    ("lesions", "followed", "fields", "field"),
    [
        ([A, A], visits(ROW), {}, "lesions.1.id"),
        ([Lesion("", TARGET, "liver")], visits({}), {}, "lesions.0.id"),
        ([Lesion("K", TARGET, "neck", lymph_node=True, axis="long")], visits({"K": 20}), {}, "lesions.0.axis"),
        ([Lesion("A", TARGET, "liver", axis="short")], visits({"A": 20}), {}, "lesions.0.axis"),
        ([NO_SLICE], visits({"A": 20}), {}, "lesions.0.slice_thickness_mm"),
        ([A], (), {}, "visits"),
        ([A], (*visits({"A": 20}), *visits({"A": 20})), {}, "visits.1.date"),
        ([A], visits({"A": 20}, {"A": 20})[::-1], {}, "visits.1.date"),
        ([A], visits({"A": 20}, new_lesion={0: NewLesion.EQUIVOCAL}), {}, "visits.0.new_lesion"),
        ([A], visits({"A": 20, "Q": 1}), {}, "visits.0.measurements.Q"),
        ([A], visits({"A": 20}, {"A": "unequivocal_progression"}), {}, "visits.1.measurements.A"),
        ([A], visits({"A": 0}), {}, "visits.0.measurements.A"),
        ([A], visits({"A": ["0", "0"]}), {}, "visits.0.measurements.A"),
        ([A], visits({"A": "treated_locally"}), {}, "visits.0.measurements.A"),
        ([A, B], visits({"A": 20, "B": "merged:A"}), {}, "visits.0.measurements.B"),
        ([A, B], visits(ROW, {"A": 20, "B": "merged:B"}), {}, "visits.1.measurements.B"),
        ([A, B], visits(ROW, {"A": 20, "B": "merged:Q"}), {}, "visits.1.measurements.B"),
        ([A, B], visits(ROW, {"A": "merged:B", "B": "merged:A"}), {}, "visits.1.measurements.A"),
        ([A, X], visits({"A": 20, "X": 9}, {"A": "merged:X", "X": 29}), {}, "visits.1.measurements.A"),
        ([A], visits({"A": 20}), {"new_therapy_date": START - timedelta(1)}, "new_therapy_date"),
        ([A], visits({"A": 20}), {"death_date": START - timedelta(1)}, "death_date"),
        ([A], visits({"A": 20}), {"last_contact_date": START - timedelta(1)}, "last_contact_date"),
    ],
)  # fmt: skip
def test_an_impossible_case_is_refused_by_field(lesions, followed, fields, field):
    with pytest.raises(BadCase) as fault:
        assess_response(case(lesions, followed, **fields))
    assert fault.value.field == field
    assert ": " in fault.value.message or " " in fault.value.message


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("-0.1", "not negative"),
        ("1000.1", "give the diameter in millimetres"),
        (["12", "-3"], "not negative"),
        (["12"], "at least two parts"),
        ("12 mm", "no unit"),
        ("1e2", "not a decimal number"),
        ("", "not a decimal number"),
        (True, "not true or false"),
        ({}, "a decimal number is needed"),
    ],
)
def test_a_measurement_that_says_nothing_is_refused(value, message):
    with pytest.raises(ValueError, match=message):
        measurement(value)


def test_a_second_visit_before_treatment_is_refused():
    late = ResponseCase("recist-1.1", (A,), visits({"A": 20}, {"A": 20}), START + timedelta(43))
    with pytest.raises(BadCase, match="second visit before treatment"):
        assess_response(late)


@pytest.mark.parametrize(
    ("lesion", "why"),
    [
        (Lesion("Z", NON_TARGET, "neck", lymph_node=True, axis="long"), "a non-target need not be measured"),
        (Lesion("A", TARGET, "liver", axis="long"), "the longest diameter"),
        (Lesion("K", TARGET, "neck", lymph_node=True, axis="short"), "a node's short axis"),
    ],
)
def test_the_right_axis_is_accepted(lesion, why):
    assert assess_response(case([lesion], visits({lesion.id: 20}))).visits[0].on == START, why
