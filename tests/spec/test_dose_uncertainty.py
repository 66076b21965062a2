"""How uncertain a plan is: by hand where a hand can, by seeded Monte Carlo where it cannot."""

import numpy as np
import pytest

from connector.contract.dose_plan import run
from connector.core.dosimetry.uncertainty import CONSTANTS_FRACTION

PLAN = {
    "method": "partition", "device": "glass", "prescribed_dose_gy": 205, "prescribed_to": "tumour",
    "tumour_mass_kg": "0.25", "normal_liver_mass_kg": 1, "tumour_to_normal_ratio": 4, "lung_shunt_fraction": "0.03",
    "lung_mass_kg": 1, "previous_lung_dose_gy": 0,
}  # fmt: skip
MIRD = {
    "method": "mird", "device": "glass", "prescribed_dose_gy": 120, "perfused_mass_kg": 1, "lung_shunt_fraction": "0.05"
}  # fmt: skip


def half_width(interval):
    return (interval[1] - interval[0]) / 2


def relative(answer, name):
    """Relative standard uncertainty of a dose, without that of the constants."""
    squared = (half_width(answer["interval_gy"][name]) / 2 / answer["absorbed_dose_gy"][name]) ** 2
    return float(np.sqrt(max(squared - float(CONSTANTS_FRACTION) ** 2, 0)))


def test_the_constants_alone_are_always_there():
    answer = run(PLAN)
    assert float(CONSTANTS_FRACTION) == pytest.approx((49.970 - 49.384) / 2 / 3**0.5 / 49.384, abs=5e-5)
    assert answer["uncertainty"]["not_known"] == ["volume", "ratio", "shunt", "lung_mass", "calibration"]
    assert half_width(answer["interval_gbq"]) == pytest.approx(2 * 0.0034 * answer["activity_gbq"])
    assert relative(answer, "tumour") == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("known", "name", "expected", "why"),
    [
        ({"ratio": "0.2"}, "tumour", 0.1, "half of the activity in the tumour: half of the ratio's 20 %"),
        ({"ratio": "0.2"}, "normal_liver", 0.1, "and the other half in the normal liver"),
        ({"ratio": "0.2"}, "perfused", 0, "the mean of both does not change with their ratio"),
        ({"volume": "0.1"}, "normal_liver", 0.1 * 0.5**0.5, "two masses, each with half of the weight"),
        ({"volume": "0.1"}, "perfused", 0.1 * (0.2**2 + 0.8**2) ** 0.5, "0.25 and 1 kg of 1.25 kg"),
        ({"calibration": "0.05"}, "tumour", 0.05, "every dose is in proportion to the activity"),
        ({"shunt": "0.3"}, "lung", 0.3, "the lungs' dose is in proportion to the shunt"),
        ({"shunt": "0.3"}, "perfused", 0.3 * 0.03 / 0.97, "what the lungs get the liver does not"),
        ({"lung_mass": "0.2"}, "lung", 0.2, "and in inverse proportion to their mass"),
    ],
)
def test_first_order_by_hand(known, name, expected, why):
    answer = run({**PLAN, **{f"{field}_uncertainty_fraction": value for field, value in known.items()}})
    assert relative(answer, name) == pytest.approx(expected, abs=1e-6), why


def test_seeded_monte_carlo_agrees():
    """A of the partition model from 200 000 draws of masses, ratio and shunt: within 2 % of the width."""
    known = {
        "volume_uncertainty_fraction": "0.05",
        "ratio_uncertainty_fraction": "0.08",
        "shunt_uncertainty_fraction": "0.1",
    }
    answer = run({**PLAN, **known})
    draw = np.random.default_rng(4).normal
    tumour, normal = draw(0.25, 0.0125, 200_000), draw(1, 0.05, 200_000)
    ratio, shunt = draw(4, 0.32, 200_000), draw(0.03, 0.003, 200_000)
    k = draw(49.67, 49.67 * 0.0034, 200_000)
    activity = 205 / ratio * (ratio * tumour + normal) / (k * (1 - shunt))
    assert half_width(answer["interval_gbq"]) == pytest.approx(2 * activity.std(), rel=0.02)
    liver = k * answer["activity_gbq"] * (1 - shunt)
    dose = ratio * liver / (ratio * tumour + normal)
    assert half_width(answer["interval_gy"]["tumour"]) == pytest.approx(2 * dose.std(), rel=0.02)


def test_what_is_not_known_has_no_interval():
    assert set(run({**MIRD, "volume_uncertainty_fraction": "0.1"})["interval_gy"]) == {"perfused"}
    only_tumour = {**MIRD, "tumour_mass_kg": 1, "tumour_to_normal_ratio": 3, "volume_uncertainty_fraction": "0.1"}
    assert set(run(only_tumour)["interval_gy"]) == {"perfused", "tumour"}, "the tumour fills all that is perfused"
    forbidden = run({**PLAN, "previous_lung_dose_gy": 50})
    assert (forbidden["interval_gbq"], forbidden["interval_gy"]) == (None, {})


def test_an_interval_does_not_go_below_zero():
    assert run({**PLAN, "calibration_uncertainty_fraction": "0.9"})["interval_gy"]["tumour"][0] == 0


def test_where_a_limit_controls_its_own_inputs_are_in_the_interval():
    limited = {**PLAN, "lung_dose_limit_gy": 1, "lung_mass_uncertainty_fraction": "0.2"}
    answer = run(limited)
    assert answer["controlling_constraint"] == "lung_dose"
    assert half_width(answer["interval_gbq"]) == pytest.approx(
        2 * answer["activity_gbq"] * (0.2**2 + 0.0034**2) ** 0.5, rel=1e-6
    )


@pytest.mark.parametrize(
    ("tumour_ml", "unsure", "expected", "why"),
    [
        (400, "0", [2.0, 2.0], "nothing is said to be uncertain"),
        (400, "0.08", [2.0, 2.0], "20 % +- 4.5 %: below 25 % all the way"),
        (400, "0.10", [2.0, 2.5], "20 % +- 5.7 %: it may be above 25 %"),
        (600, "0.10", [2.0, 2.5], "30 % +- 8.5 %: it may be below 25 %"),
        (1000, "0.3", [2.0, 3.0], "50 % +- 42 %: anything"),
    ],
)
def test_a_step_has_an_interval_where_it_is_near(tumour_ml, unsure, expected, why):
    """Two standard uncertainties of a quotient of two volumes: 2 sqrt(2) u."""
    case = {
        "method": "empiric", "device": "resin", "tumour_volume_ml": tumour_ml, "liver_volume_ml": 2000,
        "volume_uncertainty_fraction": unsure,
    }  # fmt: skip
    assert run(case)["interval_gbq"] == expected, why


BY_TABLE = {
    "method": "bsa", "device": "resin", "height_m": "1.7", "weight_kg": 70, "tumour_volume_ml": 375,
    "liver_volume_ml": 1500, "lung_mass_kg": 1,
}  # fmt: skip


@pytest.mark.parametrize(
    ("shunt", "unsure", "shares", "why"),
    [
        ("0.10", "0", [0.8, 0.8], "exactly at the step, and nothing is said to be uncertain"),
        ("0.10", "0.1", [0.8, 1], "10 % +- 2 %: it may be below the step"),
        ("0.12", "0.05", [0.8, 0.8], "12 % +- 1.2 %: between two steps all the way"),
        ("0.12", "0.1", [0.8, 1], "12 % +- 2.4 %: it may be below 10 %"),
        ("0.13", "0.1", [0.6, 0.8], "13 % +- 2.6 %: it may be above 15 %"),
        ("0.16", "0.2", [0, 1], "16 % +- 6.4 %: from no reduction to no activity at all"),
    ],
)
def test_a_shunt_near_a_step_has_an_interval_of_both_sides(shunt, unsure, shares, why):
    """Van Roekel: resin gets 80 % from a shunt of 10 % on, 60 % from 15 %, none from 20 %."""
    answer = run({**BY_TABLE, "lung_shunt_fraction": shunt, "shunt_uncertainty_fraction": unsure})
    assert answer["interval_gbq"] == pytest.approx([share * answer["prescription_gbq"] for share in shares]), why


def test_a_part_of_the_liver_by_the_empiric_method_has_the_interval_of_its_share():
    """The share is a quotient of two volumes: 2 sqrt(2) u, as long as the involvement is far from a step."""
    case = {
        "method": "empiric", "device": "resin", "tumour_volume_ml": 100, "liver_volume_ml": 1500,
        "volume_uncertainty_fraction": "0.1",
    }  # fmt: skip
    part = run({**case, "treated_volume_ml": 750, "treated_tumour_volume_ml": 100})
    assert part["interval_gbq"] == pytest.approx([1 - 0.2 * 2**0.5, 1 + 0.2 * 2**0.5])
    halves = [{"name": name, "treated_volume_ml": 375} for name in ("one", "two")]
    both = run({**case, "territories": halves})
    assert both["interval_gbq"] == pytest.approx([1 - 0.2 * 2**0.5, 1 + 0.2 * 2**0.5]), "both are off alike"
    at_the_step = run({**case, "tumour_volume_ml": 375, "territories": halves})
    assert at_the_step["interval_gbq"] == pytest.approx([1 - 0.2 * 2**0.5, 1.25 * (1 + 0.2 * 2**0.5)]), "2.0 or 2.5"
