"""Marker kinetics against closed forms, and what is left out of a fit."""

import math
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import stdtrit
from scipy.stats import linregress, t

from connector.core.response.markers import Marker, MarkerValue, Trend, _line, discordance, kinetics

START = date(2025, 1, 1)
TG = Marker.THYROGLOBULIN


def series(*pairs, **fields):
    return [MarkerValue(START + timedelta(day), value, **fields) for day, value in pairs]


def test_a_marker_that_doubles_every_hundred_days():
    fit = kinetics(Marker.CALCITONIN, series((0, 100), (50, 100 * math.sqrt(2)), (100, 200), (200, 400)))
    assert fit.doubling_time_days == pytest.approx(100)
    assert fit.doubling_time_months == pytest.approx(3.2854, abs=1e-4)
    assert fit.interval_days == (pytest.approx(100), pytest.approx(100))
    assert (fit.trend, fit.used, fit.notes) == (Trend.RISING, 4, ())


def test_the_interval_is_students_on_the_slope():
    # ln values 0, 1, 1 at days 0, 1, 2: slope 1/2, standard error sqrt(1/12), t(0.975, 1) = 12.7062.
    fit = kinetics(Marker.CEA, series((0, 1), (1, math.e), (2, math.e)))
    assert fit.doubling_time_days == pytest.approx(2 * math.log(2))
    assert fit.interval_days == (pytest.approx(math.log(2) / (0.5 + 12.7062 * math.sqrt(1 / 12)), rel=1e-5), None)
    assert fit.trend is Trend.STABLE


@pytest.mark.parametrize(
    ("values", "trend", "doubling", "months", "why"),
    [
        (series((0, 400), (100, 200), (200, 100)), Trend.FALLING, -100, None, "a half-life of 100 days"),
        (series((0, 50), (100, 50), (200, 50)), Trend.STABLE, None, None, "no slope"),
        (series((0, 50), (100, 90)), Trend.UNKNOWN, None, None, "two values leave no interval"),
        (series((0, 50), (100, 90), (100, 95)), Trend.UNKNOWN, None, None, "three values on two days"),
        ([], Trend.UNKNOWN, None, None, "none"),
    ],
)
def test_what_a_series_says(values, trend, doubling, months, why):
    fit = kinetics(Marker.CALCITONIN, values)
    assert fit.trend is trend, why
    assert fit.doubling_time_days == (doubling and pytest.approx(doubling))
    assert fit.doubling_time_months == months


RISING = ((0, 1.0), (90, 2.0), (180, 4.0))


@pytest.mark.parametrize(
    ("marker", "extra", "used", "note"),
    [
        (Marker.CEA, {"at_detection_limit": True}, 3, "1 left out: at a detection limit"),
        (Marker.CEA, {"stimulated": True, "antibodies_positive": True}, 4, None),
        (TG, {"stimulated": True, "antibodies_positive": False}, 3, "1 left out: stimulated by TSH"),
        (TG, {"stimulated": False, "antibodies_positive": True}, 3, "1 left out: measured beside thyroglobulin antib"),
        (TG, {"stimulated": None, "antibodies_positive": False}, 4, "TSH not known"),
        (TG, {"stimulated": False, "antibodies_positive": None}, 4, "thyroglobulin antibodies not known"),
        (TG, {"stimulated": False, "antibodies_positive": False, "assay": "B"}, 4, "different assays"),
        (TG, {"stimulated": False, "antibodies_positive": False}, 4, None),
    ],
)
def test_what_does_not_compare_is_left_out_or_noted(marker, extra, used, note):
    known = series(*RISING, stimulated=False, antibodies_positive=False, assay="A")
    fit = kinetics(marker, [*known, *series((270, 8.0), **extra)])
    assert fit.used == used
    assert (fit.notes[0].startswith(note) or note in fit.notes[0]) if note else fit.notes == ()


def test_a_value_of_zero_is_below_the_limit_of_its_assay():
    assert kinetics(Marker.CALCITONIN, series((0, 0), *((day + 10, value) for day, value in RISING))).used == 3


@pytest.mark.parametrize(
    ("trend", "progression", "expected"),
    [
        (Trend.STABLE, True, "imaging progresses and the marker does not rise"),
        (Trend.FALLING, True, "imaging progresses and the marker does not rise"),
        (Trend.RISING, True, None),
        (Trend.RISING, False, "the marker rises and imaging does not progress"),
        (Trend.STABLE, False, None),
        (Trend.UNKNOWN, True, None),
        (Trend.RISING, None, None),
    ],
)
def test_marker_and_imaging(trend, progression, expected):
    assert discordance(trend, radiological_progression=progression) == expected


@given(
    st.lists(
        st.tuples(st.integers(0, 4000), st.floats(0.01, 1e5, allow_nan=False)),
        min_size=3, max_size=12, unique_by=lambda pair: pair[0],
    )
)  # fmt: skip
def test_the_line_and_its_error_are_those_of_scipy(pairs) -> None:
    """`scipy.stats` is not loaded by the service, since it takes seconds; here it judges what stands in its place."""
    days, logs = np.array([float(day) for day, _ in pairs]), np.log([value for _, value in pairs])
    slope, error = _line(days, logs)
    fit = linregress(days, logs)
    assert slope == pytest.approx(fit.slope, rel=1e-9, abs=1e-15)
    assert error == pytest.approx(fit.stderr, rel=1e-6, abs=1e-9)
    assert stdtrit(len(pairs) - 2, 0.975) == pytest.approx(t.ppf(0.975, len(pairs) - 2))
