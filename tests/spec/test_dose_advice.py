"""What a plan says beyond its numbers: the guideline's rows, intervals, and the vial."""

from decimal import Decimal

import pytest

from connector.contract.dose_plan import run
from connector.core.dosimetry import delivery, thresholds
from connector.core.errors import BadCase

PLAN = {
    "method": "partition", "device": "glass", "prescribed_dose_gy": 205, "prescribed_to": "tumour",
    "tumour_mass_kg": "0.25", "normal_liver_mass_kg": 1, "tumour_to_normal_ratio": 4, "lung_shunt_fraction": "0.03",
    "lung_mass_kg": 1, "previous_lung_dose_gy": 0,
}  # fmt: skip


def rows(device, tumour_type, intent, **known):
    found = thresholds.recommendations(device=device, tumour_type=tumour_type, intent=intent, **known)
    return {row.compartment: row for row in found}


@pytest.mark.parametrize(
    ("device", "tumour_type", "intent", "compartment", "not_met", "met", "why"),
    [
        ("glass", "HCC", "segmentectomy", "perfused", "400", "400.01", "more than 400 Gy"),
        ("glass", "ICC", "segmentectomy", "perfused", "400", "400.01", "same for cholangiocarcinoma"),
        ("glass", "HCC", "lobectomy", "perfused", "139", "140", "140 to 150 Gy"),
        ("glass", "HCC", "lobectomy", "normal_perfused", "87.9", "88", "at least 88 Gy makes the lobe shrink"),
        ("glass", "HCC", "unilobar", "tumour", "204.9", "205", "at least 205 Gy"),
        ("glass", "HCC", "unilobar", "normal_perfused", "120", "119.9", "below 120 Gy"),
        ("glass", "HCC", "unilobar", "whole_normal_liver", "75", "74.9", "below 75 Gy, bilirubin not known"),
        ("glass", "HCC", "bilobar", "whole_normal_liver", "50", "49.9", "no middle of the range: the stricter"),
        ("glass", "HCC", "bilobar", "perfused", "150.1", "150", "80 to 150 Gy"),
        ("glass", "ICC", "unilobar", "tumour", "259.9", "260", "at least 260 Gy"),
        ("glass", "mCRC", "bilobar", "tumour", "188.9", "189", "at least 189 Gy"),
        ("resin", "HCC", "segmentectomy", "perfused", "150", "150.1", "more than 150 Gy"),
        ("resin", "ICC", "lobectomy", "normal_perfused", "70", "70.1", "more than 70 Gy"),
        ("resin", "mCRC", "unilobar", "tumour", "100", "100.1", "more than 100 Gy"),
        ("resin", "HCC", "unilobar", "tumour", "99.9", "100", "at least 100 Gy"),
        ("resin", "HCC", "unilobar", "normal_perfused", "40", "39.9", "below 40 Gy"),
        ("resin", "HCC", "bilobar", "normal_perfused", "30", "29.9", "pretreatment not known: the stricter"),
    ],
)
def test_guideline_rows_at_their_limits(device, tumour_type, intent, compartment, not_met, met, why):
    row = rows(device, tumour_type, intent)[compartment]
    assert not row.is_met(Decimal(not_met)), why
    assert row.is_met(Decimal(met)), why


@pytest.mark.parametrize(
    ("bilirubin", "limit"), [("1.09", 90), ("1.1", 50), ("1.11", 50)], ids=["below", "at", "above"]
)
def test_bilirubin_moves_the_limit_of_the_whole_normal_liver(bilirubin, limit):
    assert rows("glass", "mCRC", "unilobar", bilirubin_mg_dl=Decimal(bilirubin))["whole_normal_liver"].below == limit


def test_a_liver_known_to_be_untreated_bears_more_resin():
    assert rows("resin", "HCC", "bilobar", pretreated_or_compromised=False)["normal_perfused"].below == 40


def test_findings_of_a_plan():
    answer = run({**PLAN, "intent": "unilobar", "tumour_type": "HCC"})
    found = {each["compartment"]: each for each in answer["findings"]}
    assert found["tumour"]["met"] is True
    assert found["tumour"]["recommended"] == ">= 205 Gy"
    assert found["perfused"]["recommended"] == ">= 80 Gy and <= 150 Gy"
    assert found["whole_normal_liver"]["met"] is None, "the mass of the whole normal liver was not given"
    whole = run({**PLAN, "intent": "unilobar", "tumour_type": "HCC", "whole_normal_liver_mass_kg": "1.5"})
    found = {each["compartment"]: each for each in whole["findings"]}
    assert found["whole_normal_liver"]["dose_gy"] == pytest.approx(205 / 4 / 1.5)
    assert run(PLAN)["findings"] == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"intent": "unilobar"}, "tumour_type"),
        (
            {"intent": "unilobar", "tumour_type": "HCC", "whole_normal_liver_mass_kg": "0.9"},
            "whole_normal_liver_mass_kg",
        ),
        ({"bilirubin_mg_dl": "-1"}, "bilirubin_mg_dl"),
        ({"volume_uncertainty_fraction": 1}, "volume_uncertainty_fraction"),
        ({"calibration_uncertainty_fraction": "-0.1"}, "calibration_uncertainty_fraction"),
        ({"ratio_uncertainty_fraction": "1"}, "ratio_uncertainty_fraction"),
    ],
)
def test_advice_refused(change, field):
    with pytest.raises(BadCase) as fault:
        run({**PLAN, **change})
    assert fault.value.field == field


@pytest.mark.parametrize(("value", "words"), [("1", "below 1"), ("1.01", "did you mean percent?"), (10, "percent?")])
def test_an_uncertainty_above_1_asks_for_percent(value, words):
    with pytest.raises(BadCase) as fault:
        run({**PLAN, "volume_uncertainty_fraction": value})
    assert words in fault.value.message


@pytest.mark.parametrize(
    ("needed_gbq", "hours", "vial"),
    [
        ("3", "0", 3),
        ("3.0001", "0", 5),
        ("2.5", "64.1", 5),
        ("2.5001", "64.1", 7),
        ("10", "64.1", 20),
        ("10.0001", "64.1", None),
    ],
)
def test_the_smallest_glass_vial_that_still_holds_it(needed_gbq, hours, vial):
    found = delivery.smallest_glass_vial(
        Decimal(needed_gbq), hours_after_calibration=Decimal(hours), half_life_h=Decimal("64.1")
    )
    assert (found and found.calibrated_gbq) == vial


def test_delivery_of_a_plan():
    glass = run({**PLAN, "hours_after_calibration": 0})["delivery"]
    assert glass["vial_gbq"] == 3
    resin = run({**PLAN, "device": "resin", "hours_after_calibration": "64.1"})
    assert resin["delivery"]["calibrated_activity_gbq"] == pytest.approx(2 * resin["activity_gbq"])
    assert "vial_gbq" not in resin["delivery"]
    fewest, most = resin["delivery"]["microspheres_million"]
    assert most == pytest.approx(resin["activity_gbq"] * 1e9 / 50 / 1e6)
    assert fewest == pytest.approx(most / 4)
    assert resin["delivery"]["microspheres_usual_million"] == [20, 40]
    assert resin["delivery"]["activity_per_microsphere_bq"] == [50, 200], "Table 1"
    big = run({**PLAN, "prescribed_dose_gy": 3000, "hours_after_calibration": "64.1", "lung_dose_limit_gy": 900,
               "cumulative_lung_dose_limit_gy": 900})  # fmt: skip
    assert big["delivery"]["vial_gbq"] is None


def test_net_activity_from_two_assays():
    net = delivery.net_activity_gbq(
        before_gbq=Decimal(4), hours_from_before_to_injection=Decimal("64.1"), residue_gbq=Decimal("0.1"),
        hours_from_injection_to_residue=Decimal("64.1"), half_life_h=Decimal("64.1"),
    )  # fmt: skip
    assert net == pytest.approx(Decimal("1.8"))
    with pytest.raises(BadCase, match="more activity was left"):
        delivery.net_activity_gbq(
            before_gbq=Decimal(1), hours_from_before_to_injection=Decimal(0), residue_gbq=Decimal(2),
            hours_from_injection_to_residue=Decimal(0), half_life_h=Decimal("64.1"),
        )  # fmt: skip
