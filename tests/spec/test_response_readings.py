"""Readings of several readers: whose stands, what is never taken from another, and what an adjudicator is told."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from connector.core.case import LesionMeasurement, LesionRole, Reading, TimePoint
from connector.core.response.from_readings import as_read_by_primary, judge, primary_reader

START = date(2026, 1, 1)


def lesions(size_mm, on):
    found = {"role": LesionRole.TARGET, "long_axis_mm": Decimal(size_mm)}
    return (LesionMeasurement("1.9.1", "T01", "liver", None, False, "1.2", on, **found),)


def course(**sizes):
    """Time points eight weeks apart and the readings of each reader; None: not read by this one."""
    days = [START + timedelta(56 * number) for number in range(max(map(len, sizes.values())))]
    readings = tuple(
        Reading(f"1.{number}", reader, lesions(own[number], on), "none")
        for number, on in enumerate(days)
        for reader, own in sizes.items()
        if own[number] is not None
    )
    points = tuple(TimePoint(f"1.{number}", on, "CT") for number, on in enumerate(days))
    return tuple(as_read_by_primary(point, readings) for point in points), readings


@pytest.mark.parametrize(
    ("sizes", "expected", "why"),
    [
        ({"one": [30, 20], "two": [30, 20]}, "one", "of equals the first"),
        ({"one": [30, None], "two": [30, 20]}, "two", "who has read more studies"),
    ],
)
def test_whose_answer_stands(sizes, expected, why):
    assert primary_reader(course(**sizes)[1]) == expected, why


def test_a_nadir_is_never_taken_from_another_reader():
    points, readings = course(one=[30, 25, 26], two=[30, 15, 26])
    report, needs = judge(points, START, readings)
    assert [visit.nadir_mm for visit in report.visits[1:]] == [30, 25]
    assert report.visits[2].overall_response == "SD", "26 is 20 % and 5 mm above the other reader's 15 only"
    (need,) = needs
    assert need == (
        "an adjudicator, because the readers disagree (on 2026-02-26: one SD, two PR; on 2026-04-23: one SD, two PD; "
        "best response: one SD, two PR): the response of one stands until an adjudicator decides"
    )


def test_a_progression_that_only_another_reader_has_read_is_told():
    points, readings = course(one=[30, 25, 20, None], two=[None, 30, 20, 40])
    report, needs = judge(points, START, readings)
    assert [visit.overall_response for visit in report.visits] == ["NA", "SD", "PR"], "one has not read the last"
    assert report.best_overall_response.response == "PR", "of both, so the best responses tell nothing"
    assert needs == ("a reading of 2026-06-18 by one, whose response leaves this day out: two PD",), (
        "and the day of two's baseline is no disagreement"
    )


def test_a_reader_without_a_baseline_of_their_own_is_told():
    points, readings = course(one=[30, 20], two=[None, 20])
    report, needs = judge(points, START, readings)
    assert report.visits[1].overall_response == "PR"
    (need,) = needs
    assert need.startswith("a follow-up: "), "so that it ends the sentence of what response needs"
    assert need.endswith(" (as read by two)")


def test_the_lesions_of_two_readers_are_never_joined():
    points, _ = course(one=[30, 20], two=[28, 22])
    assert [[lesion.long_axis_mm for lesion in point.lesions] for point in points] == [[30], [20]]
