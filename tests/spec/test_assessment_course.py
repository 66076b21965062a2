"""What a course adds to an assessment: the start of treatment, markers, adverse events, and what changed since."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from connector.core.adverse_findings import adverse_findings, liver_after_radioembolisation
from connector.core.assessment import (
    MarkerReport,
)
from connector.core.case import LabResult
from connector.core.evidence import Observed
from connector.core.marker_course import marker_courses, marker_facts, marker_findings, reports
from connector.core.response.markers import Marker, Trend
from connector.core.treatments import days_since_last_local, treatment_start

START = date(2026, 1, 1)


def on(days):
    return START + timedelta(days)


def observed(value, days=None, origin="Observation/1"):
    return Observed(value, origin, None if days is None else on(days))


@pytest.mark.parametrize(
    ("treatments", "start", "doubt", "why"),
    [
        ([], None, None, "the record names no treatment"),
        ([("TACE", 0)], 0, None, "one treatment, dated"),
        ([("lenvatinib", 0), ("TACE", 40)], 40, None, "the last one"),
        ([("TACE", 99)], 99, None, "the day before the images"),
        ([("TACE", 10), ("TARE", 100)], 10, None, "of the day of the images: they do not answer to it yet"),
        ([("TACE", 101)], None, None, "after the images"),
        ([("TACE", 10), ("lenvatinib", None)], None, "lenvatinib has no day", "an undated one may be the last"),
    ],
)
def test_response_is_counted_from_the_last_treatment_before_the_images(treatments, start, doubt, why):
    found, said = treatment_start([observed(name, days) for name, days in treatments], imaged_on=on(100))
    assert (found.observed_on if found else None) == (None if start is None else on(start)), why
    assert (said is None) is (doubt is None)
    assert doubt is None or doubt in said


@pytest.mark.parametrize(
    ("facts", "expected", "why"),
    [
        ({}, None, "no local treatment is recorded"),
        ({"last_lrt_modality": observed("TACE")}, None, "not dated"),
        ({"last_lrt_modality": observed("TACE", 31)}, None, "it is still to come"),
        ({"last_lrt_modality": observed("TACE", 30)}, 0, "today"),
        ({"last_lrt_modality": observed("TACE", 0)}, 30, "thirty days ago"),
    ],
)
def test_days_since_the_last_local_treatment(facts, expected, why):
    found = days_since_last_local(facts, on(30))
    assert (found["days_since_lrt"].value if found else None) == expected, why


def series(*values, name="calcitonin_pg_ml", step=30):
    return {
        name: tuple(
            observed(Decimal(value), place * step, f"Observation/{place}") for place, value in enumerate(values)
        )
    }


MTC = {"histology": observed("MTC")}


@pytest.mark.parametrize(
    ("given", "facts", "expected", "why"),
    [
        (series(100, 200, 400), MTC, {"marker_trend": "rising"}, "doubles every 30 days"),
        (
            series(400, 200, 100),
            MTC,
            {"calcitonin_doubling_time_months": Decimal("Infinity"), "marker_trend": "falling"},
            "falls: it does not double",
        ),
        (series(100, 200), MTC, {}, "two values fit any line"),
        (series(100, 200, 90), MTC, {}, "the interval holds zero: neither rising nor stable is certain"),
        (
            series(400, 200, 100),
            {},
            {"calcitonin_doubling_time_months": Decimal("Infinity")},
            "which marker leads is not known",
        ),
        (series(1, 2, 4, name="cea_ng_ml"), MTC, {"cea_trend": "rising"}, "CEA beside calcitonin"),
        (
            series(4, 2, 1, name="tg_unstimulated_ng_ml"),
            {},
            {"tg_trend": "falling"},
            "antibodies not known: noted, and used",
        ),
        (
            series(1, 2, 4, name="tg_unstimulated_ng_ml"),
            {"tg_antibodies_positive": observed(True)},
            {},
            "measured beside antibodies a value says nothing",
        ),
        (
            series(1, 2, 4, name="tg_unstimulated_ng_ml"),
            {"tg_antibodies_positive": observed(False)},
            {"tg_trend": "rising"},
            "no antibodies",
        ),
        (series(0, 0, 0), MTC, {}, "below the detection limit"),
    ],
)
def test_only_a_certain_trend_is_a_fact(given, facts, expected, why):
    found = marker_facts(given, marker_courses(given, facts), facts, treated_on=None)
    values = {name: fact.value for name, fact in found.items()}
    assert expected.items() <= values.items(), why
    assert values.keys() <= expected.keys() | {"calcitonin_doubling_time_months"}


def test_a_doubling_time_is_stated_in_months_with_every_value_as_its_origin():
    given = series(100, 200, 400)
    fact = marker_facts(given, marker_courses(given, MTC), MTC, treated_on=None)["calcitonin_doubling_time_months"]
    assert round(fact.value, 3) == Decimal("0.986"), "30 days in months of 365.25 / 12 days"
    assert fact.origin == "Observation/0 Observation/1 Observation/2"
    assert fact.observed_on == on(60)


@pytest.mark.parametrize(
    ("values", "treated", "expected", "why"),
    [
        ((100, 50, 25), None, None, "no treatment to compare across"),
        ((100, 50, 25), 0, -75, "the value of the day of treatment is the one before it"),
        ((100, 50, 25), 30, -50, "the last before and the last after"),
        ((100, 50, 25), 60, None, "none after it"),
        ((100, 50, 25), -1, None, "none before it"),
        ((0, 50, 25), 0, None, "no percentage of nothing"),
        ((100, 50, 125), 0, 25, "it rose"),
    ],
)
def test_the_change_of_calcitonin_across_treatment(values, treated, expected, why):
    given = series(*values)
    found = marker_facts(given, {}, MTC, treated_on=None if treated is None else on(treated))
    change = found.get("calcitonin_change_percent")
    assert (change.value if change else None) == expected, why


def test_a_reader_sees_the_course_of_every_marker():
    given = series(100, 200, 90) | series(4, 2, 1, name="cea_ng_ml")
    told = reports(given, marker_courses(given, MTC))
    assert [(one.marker, one.trend, one.used) for one in told] == [("calcitonin", "stable", 3), ("cea", "falling", 3)]
    assert "no trend enters the selection" in told[0].text
    assert told[1].text == "CEA: falling over 3 values from 2026-01-01 to 2026-03-02, half-life 1.0 months"


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (
            MarkerReport("cea", "unknown", 1, START, START, notes=("needs 3 values",)),
            "CEA: trend not known over 1 value on 2026-01-01; needs 3 values",
        ),
        (
            MarkerReport("cea", "rising", 3, START, START, Decimal(4), (Decimal(3), Decimal(7))),
            "CEA: rising over 3 values on 2026-01-01, doubling time 4 months (95 % interval 3 to 7 months)",
        ),
        (
            MarkerReport("cea", "stable", 3, START, START, Decimal(4), (Decimal(3), None)),
            (
                "CEA: no certain trend over 3 values on 2026-01-01, doubling time 4 months "
                "(95 % interval 3 months to no rise)"
            ),
        ),
    ],
)
def test_a_course_in_words(report, expected):
    assert report.text == expected


@pytest.mark.parametrize(
    ("values", "progression", "expected", "why"),
    [
        ((1, 2, 4), False, "the marker rises and imaging does not progress", "discordant"),
        ((4, 2, 1), True, "imaging progresses and the marker does not rise", "discordant the other way"),
        ((1, 2, 4), True, None, "both say the same"),
        ((1, 2, 4), None, None, "the images were not judged"),
        ((100, 200, 90), True, None, "whether the marker rises is not certain"),
    ],
)
def test_a_marker_against_the_images_is_a_finding(values, progression, expected, why):
    found = marker_findings(marker_courses(series(*values), MTC), progression=progression)
    assert ([expected in one.text for one in found] or None) == (None if expected is None else [True]), why


def test_courses_are_told_by_marker():
    given = series(1, 2, 4) | {"cea_ng_ml": ()}
    assert {marker: course.trend for marker, course in marker_courses(given, MTC).items()} == {
        Marker.CALCITONIN: Trend.RISING
    }


def lab(analyte, value, days, **limits):
    return LabResult(
        analyte, Decimal(value), f"Observation/{days}", on(days), **{k: Decimal(v) for k, v in limits.items()}
    )


UPPER = {"upper_normal": 40}


@pytest.mark.parametrize(
    ("labs", "treated", "expected", "why"),
    [
        ([lab("alt", 300, 10, **UPPER)], None, [], "no treatment it could come from"),
        ([lab("alt", 300, 0, **UPPER)], 0, [], "the day of treatment is before it"),
        ([lab("alt", 40, 10, **UPPER)], 0, [], "at the limit of normal"),
        ([lab("alt", 41, 10, **UPPER)], 0, ["grade 1 on 2026-01-11; no value before treatment"], "just above it"),
        (
            [lab("alt", 20, 0, **UPPER), lab("alt", 201, 10, **UPPER)],
            0,
            ["grade 3 on 2026-01-11"],
            "above 5 times normal",
        ),
        (
            [lab("alt", 201, 10, **UPPER), lab("alt", 30, 20, **UPPER)],
            0,
            ["grade 3 on 2026-01-11, grade 0 on 2026-01-21"],
            "the worst, and that it went by",
        ),
        ([lab("alt", 300, 10)], 0, ["needs the upper limit of normal of ALT"], "no limits: not graded, and said"),
        (
            [lab("ast", 300, 10), lab("alt", 300, 10)],
            0,
            ["normal of AST, the upper limit of normal of ALT"],
            "said once",
        ),
    ],
)
def test_laboratory_values_after_treatment_are_graded(labs, treated, expected, why):
    found = adverse_findings(labs, treated_on=None if treated is None else on(treated))
    assert len(found) == len(expected), why
    assert all(words in one.text for words, one in zip(expected, found, strict=True))


SIGNS = {"jaundice": True, "ascites_grade": "massive", "biliary_obstruction": False}


@pytest.mark.parametrize(
    ("days", "facts", "progression", "told", "why"),
    [
        (56, SIGNS, False, ["think of"], "eight weeks after: all signs, nothing else explains them"),
        (55, SIGNS, False, [], "a day too early"),
        (126, SIGNS, False, ["think of"], "eighteen weeks"),
        (127, SIGNS, False, [], "a day too late"),
        (60, SIGNS | {"biliary_obstruction": True}, False, [], "an obstruction explains it"),
        (60, SIGNS, True, [], "progression explains it"),
        (60, SIGNS, None, ["needs: no tumour progression"], "the images were not judged"),
        (60, {"jaundice": True}, False, ["needs: massive ascites, no biliary obstruction"], "one sign only"),
        (60, {"ascites_grade": "moderate"}, False, [], "no sign"),
        (60, {}, False, [], "nothing known"),
    ],
)  # fmt: skip
def test_the_liver_after_radioembolisation(days, facts, progression, told, why):
    known = {name: observed(value, days) for name, value in facts.items()}
    treatments = [observed("TARE", 0), observed("TARE"), observed("lenvatinib", 20)]
    found = liver_after_radioembolisation(known, treatments, progression=progression, today=on(days))
    assert len(found) == len(told), why
    assert all(words in one.text for words, one in zip(told, found, strict=True))
    assert liver_after_radioembolisation(known, treatments[2:], progression=progression, today=on(days)) == ()
