"""What a fitted dose means: the BED of any sum of exponentials, limits of kidney and marrow, and what came before."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from scipy.integrate import quad

from connector.contract.dose_fit import run
from connector.core.dosimetry.kinetics import Phase
from connector.core.dosimetry.radiobiology import KIDNEY, LIVER, UNKNOWN_TISSUE, bed_gy
from connector.core.dosimetry.tolerance import KIDNEY_DOSE_SOURCE, ToleranceLimit, exactly, protracted_bed_gy
from connector.core.errors import BadCase

HOURS = (4, 24, 72, 168)


def course(half_life_h, first=100.0, hours=HOURS):
    return [{"hours": each, "value": f"{first * 2 ** (-each / half_life_h):.9f}"} for each in hours]


def kidney(dose_gy=10.0, **more):
    """Lu-177 in a kidney of 150 g with 50 h: the activity is chosen for the dose."""
    joule = 19.636336094975785 * np.log(2) / 159.528  # J per GBq h
    area_mbq_h = dose_gy * 0.150 / joule * 1000
    case = {
        "nuclide": "Lu-177", "quantity": "activity_mbq", "model": "mono", "mass_g": 150, "tissue": "kidney",
        "samples": course(50, first=area_mbq_h * np.log(2) / 50), "administered_activity_mbq": 7400,
    }  # fmt: skip
    return run({**case, **more})


def test_one_phase_is_the_formula_of_one_phase():
    phases = [Phase(3.0, np.log(2) / 50)]
    expected = bed_gy(20, alpha_beta_gy=2.5, repair_half_time_h=2.5, effective_half_life_h=50)
    assert protracted_bed_gy(20, phases, tissue=LIVER) == pytest.approx(expected)
    assert protracted_bed_gy(20, phases, tissue=UNKNOWN_TISSUE) is None
    assert protracted_bed_gy(20, [], tissue=LIVER) is None


def test_two_phases_agree_with_the_double_integral():
    """Uptake of 2 h and clearance of 60 h; Lea and Catcheside integrated numerically over 1500 h."""
    slow, fast = np.log(2) / 60, np.log(2) / 2
    dose = 15.0
    scale = dose / (1 / slow - 1 / fast)
    repair = np.log(2) / KIDNEY.repair_half_time_h

    def rate(t):
        return scale * (np.exp(-slow * t) - np.exp(-fast * t))

    def unrepaired(t):
        return rate(t) * quad(lambda s: rate(s) * np.exp(-repair * (t - s)), max(t - 60, 0), t, limit=200)[0]

    double = quad(unrepaired, 0, 1500, limit=400)[0]
    expected = dose + 2 / KIDNEY.alpha_beta_gy * double
    found = protracted_bed_gy(dose, [Phase(7.0, slow), Phase(-7.0, fast)], tissue=KIDNEY)
    assert found == pytest.approx(expected, rel=1e-4)


def test_the_kidneys_of_a_treatment():
    answer = kidney(10.0)
    assert answer["absorbed_dose_gy"] == pytest.approx(10, rel=1e-4)
    total = 10 + answer["photon_self_dose_gy"]
    assert total == pytest.approx(10 * 1.021, abs=0.01), "a published S value of 276 g is 1.026 of its electrons"
    bed = total * (1 + total * 2.8 / (2.8 + 50) / 2.6)
    assert answer["biologically_effective_dose_gy"] == pytest.approx(bed, rel=1e-4)
    by_name = {each["name"]: each for each in answer["limits"]}
    assert by_name["kidney_dose"]["limit_gy"] == 23
    assert by_name["kidney_dose"]["reached_gy"] == pytest.approx(total, rel=1e-4), "a limit counts the photons"
    assert by_name["kidney_dose"]["activity_gbq"] == pytest.approx(7.4 * 23 / total, rel=1e-4)
    assert by_name["kidney_bed"]["limit_gy"] == 28, "risk factors are not known: the stricter"
    assert answer["controlling_limit"] == "kidney_dose", "10.2 of 23 Gy is more than 12.4 of 28 Gy"
    assert any("neither is a proven limit" in text for text in answer["warnings"])


@pytest.mark.parametrize(("beyond", "kept"), [("0", True), ("0.0000000001", False)])
def test_what_was_given_before_counts_to_the_last_digit(beyond, kept):
    """Exactly at the limit it is kept: decimals, for 0.1 and 0.2 make more than 0.3 in binary numbers."""
    alone = Decimal(repr(kidney(9.9999)["limits"][0]["reached_gy"]))
    previous = 23 - alone + Decimal(beyond)
    answer = kidney(9.9999, previous_absorbed_dose_gy=str(previous), kidney_risk_factors=False)
    by_name = {each["name"]: each for each in answer["limits"]}
    assert by_name["kidney_dose"]["kept"] is kept
    assert by_name["kidney_bed"]["limit_gy"] == 40
    assert answer["cumulative"]["radionuclide_sum_gy"] == pytest.approx(23)


def test_a_limit_in_decimals():
    limit = ToleranceLimit("kidney_dose", Decimal("0.3"), exactly(0.1) + Decimal("0.2"), None, KIDNEY_DOSE_SOURCE)
    assert limit.kept
    assert not replace(limit, reached_gy=exactly(0.1 + 0.2)).kept


def test_a_lesion_must_reach_its_dose_by_electrons_alone():
    """79 Gy by electrons and 5 Gy by the photons of 10 g (I-131: 0.01277 of 0.19185 MeV) are not shown as 80."""
    joule = 30.730 * np.log(2) / 192.4968
    answer = run(
        {"nuclide": "I-131", "quantity": "activity_mbq", "model": "mono", "mass_g": 10, "tissue": "lesion",
         "samples": course(80, first=79 * 0.010 / joule * 1000 * np.log(2) / 80)}
    )  # fmt: skip
    assert answer["photon_self_dose_gy"] == pytest.approx(79 * 0.01277 / 0.19185, rel=1e-3)
    assert answer["findings"][0]["met"] is False
    assert any("its own add 6.7%" in text for text in answer["warnings"])


@pytest.mark.parametrize(("mass_g", "known"), [("0.0999", False), ("0.1", True), ("3000", True), ("3000.1", False)])
def test_photons_are_told_for_the_masses_of_the_table_alone(mass_g, known):
    answer = kidney(mass_g=mass_g)
    assert (answer["photon_self_dose_gy"] is not None) is known
    assert any("not known for this mass" in text for text in answer["warnings"]) is not known


@pytest.mark.parametrize(("previous", "warned"), [("0", False), ("0.01", True)])
def test_the_effect_of_what_was_given_before_is_a_lower_bound(previous, warned):
    """A dose has at least its own size as BED, so a limit shown as kept may be passed."""
    warnings = kidney(previous_absorbed_dose_gy=previous)["warnings"]
    assert any("lower bound" in text for text in warnings) is warned


def test_marrow_that_has_had_its_dose_gets_none():
    answer = kidney(1.0, tissue="marrow", previous_absorbed_dose_gy=3)
    (limit,) = answer["limits"]
    assert (limit["name"], limit["limit_gy"], limit["kept"], limit["activity_gbq"]) == ("marrow_dose", 2, False, 0)
    assert answer["biologically_effective_dose_gy"] is None
    without = kidney(1.0, tissue="marrow", administered_activity_mbq=None)
    assert without["limits"][0]["activity_gbq"] is None


@pytest.mark.parametrize(("dose_gy", "met"), [(79.9, False), (80.1, True)])
def test_a_lesion_of_radioiodine_against_80_gy(dose_gy, met):
    joule = 30.730 * np.log(2) / 192.4968
    area = dose_gy * 0.010 / joule * 1000
    answer = run(
        {"nuclide": "I-131", "quantity": "activity_mbq", "model": "mono", "mass_g": 10, "tissue": "lesion",
         "samples": course(80, first=area * np.log(2) / 80)}
    )  # fmt: skip
    assert answer["findings"][0]["met"] is met
    assert answer["limits"] == []


def test_external_radiotherapy_is_noted_beside_and_not_added():
    answer = kidney(10.0, ebrt_dose_gy=12)
    assert answer["cumulative"]["ebrt_gy"] == 12
    assert answer["cumulative"]["radionuclide_sum_gy"] == pytest.approx(10 + answer["photon_self_dose_gy"], rel=1e-4)
    assert any("side by side" in text for text in answer["warnings"])


def test_a_dose_has_an_interval_when_the_fit_has_a_spare_point():
    noisy = course(50, first=100.0)
    noisy[1]["value"] = "75"
    known = {"mass_uncertainty_fraction": "0.1", "calibration_uncertainty_fraction": "0.05"}
    answer = kidney(samples=noisy, **known)
    by_fit = answer["fit"]["time_integrated_activity_standard_uncertainty"] / answer["time_integrated_activity"]
    low, high = answer["interval_gy"]
    assert (high - low) / 4 / answer["absorbed_dose_gy"] == pytest.approx(np.sqrt(by_fit**2 + 0.1**2 + 0.05**2))
    point = kidney(samples=[{"hours": 60, "value": 50}], model="single_point")
    assert point["interval_gy"] is None
    assert point["biologically_effective_dose_gy"] is None
    assert any("tells no dose rate" in text for text in point["warnings"])
    assert point["retained_fraction_48h"] is None


def test_retention_at_48_h_of_a_whole_body():
    """60 % with 8 h and 40 % with 60 h: 23.91 % at 48 h."""
    hours = (2, 6, 24, 48, 72, 120)
    values = [0.6 * 2 ** (-each / 8) + 0.4 * 2 ** (-each / 60) for each in hours]
    samples = [{"hours": at, "value": f"{value:.9f}"} for at, value in zip(hours, values, strict=True)]
    answer = run({"nuclide": "I-131", "quantity": "retained_fraction", "model": "bi", "samples": samples})
    assert answer["retained_fraction_48h"] == pytest.approx(0.23911467099940698, rel=1e-6)
    assert answer["cumulative"] is None
    activity = {
        "nuclide": "I-131", "quantity": "activity_mbq", "model": "bi",
        "samples": [{"hours": at, "value": f"{1850 * value:.9f}"} for at, value in zip(hours, values, strict=True)],
    }  # fmt: skip
    assert run(activity)["retained_fraction_48h"] is None, "1850 MBq of how much?"
    given = run({**activity, "administered_activity_mbq": 1850})
    assert given["retained_fraction_48h"] == pytest.approx(0.23911467099940698, rel=1e-6)


def test_limits_wait_for_a_mass():
    assert any("mass_g is missing" in text for text in kidney(mass_g=None)["warnings"])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"previous_absorbed_dose_gy": "-1"}, "previous_absorbed_dose_gy"),
        ({"ebrt_dose_gy": "-0.1"}, "ebrt_dose_gy"),
        ({"mass_uncertainty_fraction": 1}, "mass_uncertainty_fraction"),
        ({"calibration_uncertainty_fraction": "-0.1"}, "calibration_uncertainty_fraction"),
        ({"tissue": "spleen"}, "tissue"),
    ],
)
def test_refused(change, field):
    with pytest.raises(BadCase) as fault:
        kidney(**change)
    assert fault.value.field == field


def test_an_uncertainty_above_1_asks_for_percent():
    with pytest.raises(BadCase, match="did you mean percent"):
        kidney(mass_uncertainty_fraction=10)
