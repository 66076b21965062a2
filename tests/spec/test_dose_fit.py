"""`connector dose fit`: time courses to areas and doses, and the limits on radioiodine."""

import math
from decimal import Decimal

import numpy as np
import pytest
from scipy.optimize import curve_fit

from connector.contract.dose_fit import run
from connector.core.dosimetry import systemic
from connector.core.dosimetry.kinetics import fit
from connector.core.errors import BadCase


def samples(pairs):
    return [{"hours": str(hours), "value": str(value)} for hours, value in pairs]


def mono(hours, half_life, amplitude=1.0):
    return [(t, round(amplitude * 2 ** (-t / half_life), 12)) for t in hours]


RETENTION = {
    "nuclide": "I-131", "quantity": "retained_fraction", "model": "mono", "samples": samples(mono((2, 24, 48, 96), 20)),
}  # fmt: skip


def test_one_exponential_exactly():
    answer = run(RETENTION)
    assert answer["time_integrated_activity"] == pytest.approx(20 / math.log(2), rel=1e-9)
    assert answer["unit"] == "h"
    assert answer["effective_half_life_h"] == pytest.approx(20, rel=1e-9)
    assert answer["extrapolated_fraction"] == pytest.approx(2 ** (-96 / 20), rel=1e-9)
    assert answer["absorbed_dose_gy"] is None
    assert answer["fit"]["components"][0]["amplitude"] == pytest.approx(1, rel=1e-9)
    assert answer["warnings"] == []


UNEVEN = [(0, 1), (20, "0.5"), (40, "0.26"), (50, "0.13")]


@pytest.mark.parametrize("weights", [None, ["1", "1", "1", "1"], ["2", "2", "2", "2"]])
def test_equal_weights_are_no_weights_and_agree_with_scipy(weights):
    hours, values = zip(*((t, float(v)) for t, v in UNEVEN), strict=True)
    (_, constant), _ = curve_fit(lambda t, a, k: a * np.exp(-k * t), hours, values, p0=(1, 0.03))
    answer = run({**RETENTION, "samples": samples(UNEVEN), "weights": weights})
    assert answer["effective_half_life_h"] == pytest.approx(math.log(2) / constant, rel=1e-6)


def test_weights_choose_the_points():
    case = {**RETENTION, "samples": samples(UNEVEN), "weights": ["0", "0", "1", "1"]}
    assert run(case)["effective_half_life_h"] == pytest.approx(10, rel=1e-9), "the last two fall by half in 10 h"


def test_two_exponentials_find_both_half_lives():
    hours = (1, 4, 10, 24, 48, 96, 168)
    values = [(t, round(0.7 * 2 ** (-t / 6) + 0.3 * 2 ** (-t / 70), 14)) for t in hours]
    answer = run({**RETENTION, "model": "bi", "samples": samples(values)})
    slow, fast = answer["fit"]["components"]
    assert slow["half_life_h"] == pytest.approx(70, rel=1e-4)
    assert fast["half_life_h"] == pytest.approx(6, rel=1e-4)
    assert answer["time_integrated_activity"] == pytest.approx((0.7 * 6 + 0.3 * 70) / math.log(2), rel=1e-6)
    assert answer["effective_half_life_h"] == slow["half_life_h"]


def test_uptake_and_clearance():
    hours = (2, 6, 24, 48, 96)
    values = [(t, round(50 * (2 ** (-t / 60) - 2 ** (-t / 3)), 12)) for t in hours]
    case = {"nuclide": "Lu-177", "quantity": "activity_mbq", "model": "uptake_clearance", "samples": samples(values)}
    answer = run(case)
    assert answer["unit"] == "MBq h"
    assert answer["time_integrated_activity"] == pytest.approx(50 * (60 - 3) / math.log(2), rel=1e-6)
    assert answer["effective_half_life_h"] == pytest.approx(60, rel=1e-5)


def test_a_dose_is_energy_per_decay_times_area_over_mass():
    case = {**RETENTION, "mass_g": 20, "administered_activity_mbq": 3700}
    area_bq_s = run(case)["time_integrated_activity"] * 3700e6 * 3600
    expected = area_bq_s * 0.19185 * 1.602176634e-13 / 0.020
    assert run(case)["absorbed_dose_gy"] == pytest.approx(expected, rel=1e-6)
    assert any("photons are left out" in text for text in run(case)["warnings"])


def test_yttrium_uses_the_plans_energy_and_has_no_photons_to_leave_out():
    case = {
        "nuclide": "Y-90", "quantity": "activity_mbq", "model": "mono", "mass_g": 1000,
        "samples": samples(mono((0, 24, 72, 160), 64.1, 1000)),
    }  # fmt: skip
    answer = run(case)
    assert answer["absorbed_dose_gy"] == pytest.approx(49.67, rel=1e-6), "1 GBq decayed in 1 kg"
    assert not any("photons" in text for text in answer["warnings"])


def test_a_dose_from_fractions_waits_for_the_administered_activity():
    answer = run({**RETENTION, "mass_g": 20})
    assert answer["absorbed_dose_gy"] is None
    assert any("administered_activity_mbq is missing" in text for text in answer["warnings"])


def test_noise_gives_an_uncertainty_and_spare_points_are_needed_for_it():
    noisy = [(2, "0.95"), (24, "0.40"), (48, "0.21"), (96, "0.03")]
    found = run({**RETENTION, "samples": samples(noisy)})["fit"]["time_integrated_activity_standard_uncertainty"]
    assert 0.3 < found < 3
    two = run({**RETENTION, "samples": samples(mono((2, 48), 20))})
    assert two["fit"]["time_integrated_activity_standard_uncertainty"] is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"samples": samples(mono((2, 24, 39), 20))}, "within two effective half-lives"),
        ({"samples": samples(mono((2, 24, 48, 400), 192.4968))}, "falls no faster than the nuclide decays"),
        ({"samples": samples(mono((2, 24, 48, 400), 195))}, "falls no faster than the nuclide decays"),
    ],
)
def test_cautions(change, words):
    assert any(words in text for text in run({**RETENTION, **change})["warnings"])


def test_a_course_that_is_over_before_the_first_sample():
    hours = (4, 24, 48, 96, 120)
    case = {"nuclide": "Lu-177", "quantity": "activity_mbq", "model": "uptake_clearance"}
    answer = run({**case, "samples": samples(mono(hours, 40, 100))})
    assert answer["time_integrated_activity"] == pytest.approx(100 * 40 / math.log(2), rel=5e-3)
    assert any("the area can" in text for text in answer["warnings"])


def test_a_sum_with_a_negative_phase_says_so():
    hours = (1, 2, 6, 24, 48, 96)
    values = [(t, round(50 * (2 ** (-t / 60) - 0.8 * 2 ** (-t / 3)), 12)) for t in hours]
    case = {"nuclide": "Lu-177", "quantity": "activity_mbq", "model": "bi", "samples": samples(values)}
    assert any("fit uptake_clearance instead" in text for text in run(case)["warnings"])


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"samples": samples([(2, 98)])}, "samples.0.value", "did you mean percent?"),
        ({"samples": samples([(2, "1.02"), (24, "0.4")])}, "samples.0.value", "divide all by the first measurement"),
        ({"samples": samples([(2, "1.02"), (24, "0.4")])}, "samples.0.value", "did you mean percent?"),
        ({"samples": samples([(2, 2), (24, 1)])}, "samples.0.value", "did you mean percent?"),
        ({"samples": samples([(2, "0.5"), (24, "0.6")])}, "samples.1.value", "rises from 0.5"),
        ({"samples": samples([(2, "0.5")])}, "samples", "mono needs 2 points"),
        ({"samples": samples(mono((2, 24, 48), 20)), "model": "bi"}, "samples", "bi needs 4 points"),
        ({"samples": samples(mono((2, 24, 48), 20)), "model": "uptake_clearance"}, "samples", "needs 4 points"),
        ({"samples": samples(mono((2, 24), 20)), "model": "single_point"}, "samples", "takes one sample"),
        ({"samples": samples([(0, "0.5")]), "model": "single_point"}, "samples", "tells nothing"),
        ({"samples": samples([(24, "0.5"), (2, "0.4")])}, "samples", "sort them"),
        ({"samples": samples([(2, "0.5"), (2, "0.4")])}, "samples", "rise from sample to sample"),
        ({"samples": samples([("-1", "0.5"), (2, "0.4")])}, "samples.0.hours", "0 or more"),
        ({"samples": samples([(2, "0"), (24, "0")])}, "samples", "nothing to fit"),
        ({"samples": samples(mono((2, 24, 48), 300))}, "samples", "without decay correction"),
        ({"weights": ["1", "1"]}, "weights", "one weight"),
        ({"weights": ["1", "1", "1", "-1"]}, "weights", "0 or more"),
        ({"weights": ["0", "0", "0", "1"]}, "weights", "two of them above 0"),
        ({"mass_g": 0}, "mass_g", "above 0"),
        ({"administered_activity_mbq": "-1"}, "administered_activity_mbq", "above 0"),
        ({"nuclide": "F-18"}, "nuclide", ""),
        ({"half_life": 8}, "half_life", "unknown field"),
    ],
)
def test_refused(change, field, words):
    with pytest.raises(BadCase) as fault:
        run({**RETENTION, **change})
    assert fault.value.field == field
    assert words in fault.value.message


def test_negative_activities_are_a_matter_of_background():
    case = {"nuclide": "Lu-177", "quantity": "activity_mbq", "model": "mono", "samples": samples([(2, 5), (24, "-1")])}
    with pytest.raises(BadCase, match="correct the background"):
        run(case)


def test_a_model_that_cannot_describe_the_values_is_refused():
    with pytest.raises(BadCase, match="does not describe these values"):
        fit([3.5, 7.1, 41.2, 95.9, 122.2], [0, 60.7, 0, 54.4, 0], model="bi", physical_half_life_h=192.5)


def test_weights_may_leave_out_an_outlier():
    hours = np.array([2.0, 24, 48, 72, 96])
    values = 100 * 2 ** (-hours / 30)
    values[2] = 90
    fitted = fit(hours, values, model="mono", physical_half_life_h=192.5, weights=[1, 1, 0, 1, 1])
    assert fitted.effective_half_life_h == pytest.approx(30, rel=1e-6)


# Limits on radioiodine

BLOOD = {
    "limit": "blood", "residence_time_per_ml_h": "0.0006", "residence_time_total_body_h": 20, "weight_kg": 70,
}  # fmt: skip
KEPT = {"limit": "retention_48h", "retained_fraction_48h": "0.25", "diffuse_lung_metastases": False}
LIFETIME = {"limit": "cumulative", "previous_activity_gbq": "15.91", "proposed_activity_gbq": "6.29"}


@pytest.mark.parametrize(
    ("lung_metastases", "activity_gbq", "why"),
    [
        (False, 17.76, "120 mCi kept of a quarter are 480 mCi"),
        (True, 11.84, "80 mCi kept of a quarter are 320 mCi"),
        (None, 11.84, "not known is not no: the stricter"),
    ],
)
def test_retention_at_48_h(lung_metastases, activity_gbq, why):
    answer = run({"nuclide": "I-131", **KEPT, "diffuse_lung_metastases": lung_metastases})
    assert answer["maximum_activity_gbq"] == pytest.approx(activity_gbq, rel=1e-12), why
    assert bool(answer["warnings"]) is (lung_metastases is None)


@pytest.mark.parametrize(
    ("previous", "proposed", "maximum", "allowed"),
    [
        ("15.91", "6.29", 6.29, True),
        ("15.91", "6.2901", 6.29, False),
        ("22.2", "0.001", 0.0, False),
        ("25", None, 0.0, None),
    ],
    ids=["exactly 600 mCi in all", "just above", "nothing left", "more was given before"],
)
def test_lifetime_activity(previous, proposed, maximum, allowed):
    case = {"nuclide": "I-131", **LIFETIME, "previous_activity_gbq": previous, "proposed_activity_gbq": proposed}
    answer = run(case)
    assert answer["maximum_activity_gbq"] == maximum
    assert answer["proposed_activity_allowed"] is allowed


def test_the_smallest_of_several_limits_controls():
    answer = run({"nuclide": "I-131", "limits": [BLOOD, KEPT, LIFETIME]})
    assert answer["controlling_constraint"] == "cumulative"
    assert [each["name"] for each in answer["constraints"]] == ["blood", "retention_48h", "cumulative"]
    assert answer["maximum_activity_gbq"] == 6.29
    each_named = [{**limit, "nuclide": "I-131"} for limit in (BLOOD, KEPT)]
    assert run({"nuclide": "I-131", "limits": each_named})["controlling_constraint"] == "retention_48h"


def test_blood_dose_needs_confirmation_and_says_so():
    answer = run({"nuclide": "I-131", **BLOOD})
    assert answer["maximum_activity_gbq"] == pytest.approx(2 / (108 * 0.0006 + 0.0188 * 70 ** (-2 / 3) * 20), rel=1e-12)
    assert any("physicist's confirmation" in text for text in answer["warnings"])


@pytest.mark.parametrize(
    ("sex", "height_m", "weight_kg", "volume_ml"),
    [("male", "1.80", 80, 31.9 * 180 + 26.3 * 80 - 2402), ("female", "1.65", 62, 56.9 * 165 + 14.1 * 62 - 6460)],
)
def test_without_blood_samples_the_body_stands_for_the_blood(sex, height_m, weight_kg, volume_ml):
    case = {
        "nuclide": "I-131", "limit": "blood", "residence_time_total_body_h": 18, "weight_kg": weight_kg,
        "height_m": height_m, "sex": sex,
    }  # fmt: skip
    expected = (108 * 0.14 / volume_ml + 0.0188 * weight_kg ** (-2 / 3)) * 18
    assert run(case)["constraints"][0]["dose_per_activity_gy_gbq"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("case", "field", "words"),
    [
        ({"nuclide": "Lu-177", **BLOOD}, "nuclide", "I-131 is needed"),
        ({"nuclide": "Lu-177", "limits": [BLOOD]}, "nuclide", ""),
        ({"nuclide": "I-131", "limit": "marrow"}, "limit", "use one of"),
        ({"nuclide": "I-131", "limit": ["blood"]}, "limit", "use one of"),
        ({"nuclide": "I-131", "limits": []}, "limits", ""),
        ({"nuclide": "I-131", "limits": [{"limit": "retention_48h"}]}, "limits.0.retained_fraction_48h", "add it"),
        ({"nuclide": "I-131", **BLOOD, "weight_kg": 0}, "weight_kg", "kilograms"),
        ({"nuclide": "I-131", "limits": [KEPT, {**BLOOD, "weight_kg": 0}]}, "limits.1.weight_kg", "kilograms"),
        ({"nuclide": "I-131", **BLOOD, "weight_kg": "300.1"}, "weight_kg", "kilograms"),
        ({"nuclide": "I-131", **BLOOD, "height_m": "2.51"}, "height_m", "metres"),
        (
            {"nuclide": "I-131", **BLOOD, "residence_time_per_ml_h": None, "height_m": 165, "sex": "female"},
            "height_m",
            "metres, not centimetres",
        ),
        ({"nuclide": "I-131", "limits": [{**KEPT, "nuclide": "Lu-177"}]}, "limits.0.nuclide", "I-131"),
        ({"nuclide": "I-131", **BLOOD, "residence_time_per_ml_h": None}, "residence_time_per_ml_h", "height_m and sex"),
        (
            {"nuclide": "I-131", **BLOOD, "residence_time_per_ml_h": None, "height_m": "0.9", "sex": "female"},
            "height_m",
            "check both",
        ),
        ({"nuclide": "I-131", **KEPT, "retained_fraction_48h": 25}, "retained_fraction_48h", "percent"),
        ({"nuclide": "I-131", **KEPT, "retained_fraction_48h": 0}, "retained_fraction_48h", "above 0"),
        ({"nuclide": "I-131", **LIFETIME, "previous_activity_gbq": "-1"}, "previous_activity_gbq", "0 or more"),
        ({"nuclide": "I-131", **LIFETIME, "proposed_activity_gbq": 0}, "proposed_activity_gbq", "above 0"),
        ([], "(case)", "one JSON object"),
    ],
)
def test_limits_refused(case, field, words):
    with pytest.raises(BadCase) as fault:
        run(case)
    assert fault.value.field == field
    assert words in fault.value.message


def test_the_first_of_equal_limits_controls():
    both = [systemic.cumulative_limit(previous_activity_gbq=Decimal(each)) for each in (20, 20)]
    assert systemic.controlling(both) is both[0]
