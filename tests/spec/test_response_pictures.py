"""The pictures of response: the same input is the same file, and nothing is drawn where nothing was measured."""

from datetime import date, timedelta

import pytest
from matplotlib.figure import Figure

from connector.contract.respond_measurement import measurement
from connector.core.case import LesionRole
from connector.core.response import assess_response
from connector.core.response.case import Lesion, ResponseCase, Visit
from connector.core.response.markers import Marker, MarkerValue, kinetics
from connector.report.response_axes import LONGEST_BEFORE, LesionChange, days_of, draw_swimmer, unbroken
from connector.report.response_pictures import (
    MarkerSeries,
    changes_of,
    marker_kinetics,
    sheet,
    spider,
    swimmer,
    waterfall,
)

START = date(2025, 1, 1)
LESIONS = (
    Lesion("T01", LesionRole.TARGET, "liver"),
    Lesion("K01", LesionRole.TARGET, "neck", lymph_node=True),
)


def case(*rows, lesions=LESIONS, criteria="recist-1.1"):
    visits = tuple(
        Visit(START + timedelta(42 * number), {lesion_id: measurement(value) for lesion_id, value in row.items()})
        for number, row in enumerate(rows)
    )
    return ResponseCase(criteria, lesions, visits, START)


COURSE = case({"T01": 40, "K01": 20}, {"T01": 30, "K01": 15}, {"T01": 20}, {"T01": 18, "K01": 9}, {"T01": 44, "K01": 9})
NO_BASELINE = case({"T01": "present", "K01": 20}, {"T01": 20, "K01": 10})
NO_TARGETS = case({"N": "present"}, {"N": "absent"}, lesions=(Lesion("N", LesionRole.NON_TARGET, "lung"),))
VALUES = [MarkerValue(START + timedelta(day), value) for day, value in ((0, 100), (90, 140), (180, 190))]
AT_LIMIT = MarkerValue(START + timedelta(200), 5000, at_detection_limit=True)


def drawn(name, file_format):
    report = assess_response(COURSE)
    return {
        "spider": lambda: spider(report, file_format=file_format),
        "waterfall": lambda: waterfall(changes_of(COURSE), on=START, file_format=file_format),
        "swimmer": lambda: swimmer(
            [("RECIST 1.1", report)],
            treatments=[("TACE", START), ("lenvatinib", START + timedelta(60))],
            file_format=file_format,
        ),
        "marker": lambda: marker_kinetics(
            MarkerSeries([*VALUES, AT_LIMIT], kinetics(Marker.CALCITONIN, VALUES), "pg/mL"), file_format=file_format
        ),
    }[name]()


@pytest.mark.parametrize(("file_format", "signature"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
@pytest.mark.parametrize("name", ["spider", "waterfall", "swimmer", "marker"])
def test_the_same_input_is_the_same_file(name, file_format, signature):
    first = drawn(name, file_format)
    assert first.startswith(signature)
    assert first == drawn(name, file_format)
    assert b"<dc:date>" not in first


@pytest.mark.parametrize("given", [COURSE, NO_BASELINE, NO_TARGETS, case({"T01": 40, "K01": 20}, criteria="mrecist")])
def test_every_course_can_be_drawn(given):
    report = assess_response(given)
    for picture in (
        spider(report),
        waterfall(changes_of(given), on=START),
        swimmer([("one", report), ("two", report)]),
    ):
        assert picture.startswith(b"\x89PNG")


@pytest.mark.parametrize("days", [-200, -5, 0, 168, 400])
def test_a_treatment_is_within_the_swimmer_whenever_it_was_started(days):
    axes = Figure(figsize=(8, 3)).subplots()
    draw_swimmer(axes, [("one", assess_response(COURSE))], [("TACE", START + timedelta(days))], size=8)
    axes.figure.canvas.draw()
    low, high = axes.get_xlim()
    assert low < days < high
    frame = axes.get_window_extent()
    assert all(
        frame.x0 <= text.get_window_extent().x0 <= text.get_window_extent().x1 <= frame.x1 for text in axes.texts
    )


@pytest.mark.parametrize(
    "values", [[], VALUES[:2], VALUES[::-1], [MarkerValue(one.on, 1000 / one.value) for one in VALUES]]
)
def test_every_series_of_markers_can_be_drawn(values):
    fit = kinetics(Marker.CALCITONIN, values)
    assert marker_kinetics(MarkerSeries(values, fit, "pg/mL")).startswith(b"\x89PNG")


def test_no_line_is_drawn_across_a_visit_that_was_not_complete():
    visits = assess_response(COURSE).visits
    assert [[day for day, _ in run] for run in unbroken(days_of(visits), visits)] == [[0, 42], [126, 168]]


def test_the_change_of_each_target_is_from_its_own_baseline():
    assert changes_of(COURSE) == [
        LesionChange("T01", "liver", lymph_node=False, percent=10.0),
        LesionChange("K01", "neck", lymph_node=True, percent=-55.0),
    ]
    assert [change.percent for change in changes_of(NO_BASELINE)] == [None, -50.0]


def test_a_sheet_holds_what_there_is_and_is_the_same_every_time():
    report = assess_response(COURSE)
    shown = {
        "beside": [("mRECIST", report)],
        "changes": changes_of(COURSE),
        "treatments": [("TACE", START - LONGEST_BEFORE), ("TACE", START)],
        "markers": [MarkerSeries(VALUES, kinetics(Marker.CEA, VALUES), "ng/mL")],
    }
    whole = sheet(report, **shown)
    assert whole == sheet(report, **shown)
    assert len(sheet(report)) < len(whole)


def test_a_treatment_of_long_ago_does_not_squeeze_the_course():
    lanes = [("RECIST 1.1", assess_response(COURSE))]
    old = ("RAI", START - LONGEST_BEFORE - timedelta(1))
    assert swimmer(lanes, treatments=[old], file_format="svg").count(b"<path") < swimmer(
        lanes, treatments=[("RAI", START - LONGEST_BEFORE)], file_format="svg"
    ).count(b"<path")
