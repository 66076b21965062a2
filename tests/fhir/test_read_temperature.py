"""Body temperatures of the record: the highest of each day, in degrees Celsius, and nothing that cannot be one."""

from datetime import date
from decimal import Decimal

import pytest


@pytest.fixture
def temperatures(fhir, read):
    """Read temperatures given as (value, unit code, day, more); returns the series and what was skipped."""

    def reading(*given):
        made = [
            fhir.observation(
                "8310-5", Decimal(value), unit, uid=f"t{number}", **{"on": f"2026-03-{on:02}T0{number}:00:00Z", **more}
            )
            for number, (value, unit, on, more) in enumerate(given)
        ]
        found = read(*made)
        series = [(one.value, one.observed_on, one.origin) for one in found.series.get("body_temperature_c", ())]
        return series, [one.reason for one in found.skipped]

    return reading


@pytest.mark.parametrize(
    ("value", "unit", "expected", "why"),
    [
        ("38.0", "Cel", "38.0", "as written"),
        ("100.4", "[degF]", "38", "exactly 38 degrees, where fever begins"),
        ("98.6", "[degF]", "37", "exactly 37"),
        ("311.15", "K", "38", "kelvin"),
    ],
)
def test_every_scale_becomes_degrees_celsius_exactly(temperatures, value, unit, expected, why):
    series, skipped = temperatures((value, unit, 2, {}))
    assert series == [(Decimal(expected), date(2026, 3, 2), "Observation/t0/_history/3")], why
    assert skipped == []


def test_of_each_day_the_highest_is_kept_in_order(temperatures):
    series, _ = temperatures(
        ("37.2", "Cel", 3, {}), ("38.4", "Cel", 2, {}), ("38.9", "Cel", 3, {}), ("36", "Cel", 3, {})
    )
    assert [(value, on.day) for value, on, _ in series] == [(Decimal("38.4"), 2), (Decimal("38.9"), 3)]


@pytest.mark.parametrize(
    ("value", "unit", "more", "told"),
    [
        ("100.4", "Cel", {}, "check the unit"),
        ("38", "[degF]", {}, "check the unit"),
        ("38", "Pa", {}, "unit 'Pa' is not known"),
        ("38", "kg", {}, "'kg' (mass) cannot become 'Cel'"),
        ("38", "Cel", {"status": "preliminary"}, "only final results are used"),
        ("38", "Cel", {"on": "2026-03"}, "there is no day"),
        ("38", "Cel", {"dataAbsentReason": {"text": "error"}}, "marked absent"),
    ],
)
def test_what_cannot_be_used_is_listed(temperatures, value, unit, more, told):
    series, (reason,) = temperatures((value, unit, 2, more))
    assert series == []
    assert told in reason
