"""Several territories, a given activity, two assays, and the other definitions of ratio and shunt."""

import pytest

from connector.contract.dose_plan import run
from connector.core.dosimetry.constants import constants_for
from connector.core.dosimetry.territories import plan_territories
from connector.core.dosimetry.uncertainty import CONSTANTS_FRACTION
from connector.core.errors import BadCase

PATIENT = {
    "method": "partition", "device": "glass", "lung_shunt_fraction": "0.1", "lung_mass_kg": 1,
    "previous_lung_dose_gy": 0, "prescribed_dose_gy": 120, "prescribed_to": "tumour",
}  # fmt: skip
RIGHT = {"name": "right", "tumour_mass_kg": "0.2", "normal_liver_mass_kg": "0.8", "tumour_to_normal_ratio": 3}
LEFT = {"name": "left", "tumour_mass_kg": "0.1", "normal_liver_mass_kg": "0.3", "tumour_to_normal_ratio": 4}
ONE = {**PATIENT, **{name: value for name, value in RIGHT.items() if name != "name"}}
K = 49.67


def by_hand(dose, territory, shunt=0.1):
    tumour, normal, ratio = (
        float(territory[name]) for name in ("tumour_mass_kg", "normal_liver_mass_kg", "tumour_to_normal_ratio")
    )
    return dose / ratio * (ratio * tumour + normal) / (K * (1 - shunt))


def test_each_territory_has_its_own_activity_and_the_sum_is_given():
    answer = run({**PATIENT, "territories": [RIGHT, LEFT]})
    right, left = (by_hand(120, each) for each in (RIGHT, LEFT))
    assert [each["activity_gbq"] for each in answer["territories"]] == pytest.approx([right, left])
    assert answer["activity_gbq"] == pytest.approx(right + left)
    assert answer["absorbed_dose_gy"]["tumour"] == pytest.approx(120), "both tumours get what was prescribed"
    assert answer["absorbed_dose_gy"]["normal_liver"] == pytest.approx((40 * 0.8 + 30 * 0.3) / 1.1), "by mass"
    assert answer["absorbed_dose_gy"]["lung"] == pytest.approx(K * (right + left) * 0.1), "the lungs get both"
    energy = K * (right + left)
    dose = answer["absorbed_dose_gy"]
    assert dose["perfused"] * 1.4 + dose["lung"] * 1 == pytest.approx(energy), "energy is conserved"
    assert (answer["controlling_constraint"], answer["allowed"]) == ("prescription", True)
    assert answer["territories"][0]["interval_gy"]["tumour"] == pytest.approx([120 * 0.9932, 120 * 1.0068])


@pytest.mark.parametrize("unsure", [{}, {"volume_uncertainty_fraction": "0.1", "shunt_uncertainty_fraction": "0.3"}])
def test_one_territory_alone_is_the_plain_plan(unsure):
    plain, alone = run({**ONE, **unsure}), run({**PATIENT, **unsure, "territories": [RIGHT]})
    for name in ("activity_gbq", "lung_activity_gbq", "absorbed_dose_gy", "controlling_constraint", "allowed",
                 "interval_gbq", "interval_gy"):  # fmt: skip
        assert alone[name] == plain[name]


@pytest.mark.parametrize(
    ("unsure", "dose", "expected", "why"),
    [
        ({}, "tumour", 0, "the constants alone"),
        ({"shunt": "0.3"}, "lung", 0.3, "one scan is off in both territories alike"),
        ({"shunt": "0.3"}, "perfused", 0.3 * 0.1 / 0.9, "what the lungs get the liver does not"),
        ({"calibration": "0.05"}, "normal_liver", 0.05, "every dose is in proportion to the activity"),
        ({"ratio": "0.2"}, "perfused", 0, "the mean does not change with the ratios"),
        (
            {"ratio": "0.2"},
            None,
            0.2 * (0.8 / 3 + 0.3 / 4) / (0.2 + 0.8 / 3 + 0.1 + 0.3 / 4),
            "A is as the sum of m_T + m_N/TN: only m_N/TN moves",
        ),
    ],
)
def test_both_territories_together_have_intervals(unsure, dose, expected, why):
    """Relative standard uncertainty of a dose, or of the activity, beside that of the constants."""
    known = {f"{name}_uncertainty_fraction": value for name, value in unsure.items()}
    answer = run({**PATIENT, **known, "territories": [RIGHT, LEFT]})
    low, high = answer["interval_gy"][dose] if dose else answer["interval_gbq"]
    value = answer["absorbed_dose_gy"][dose] if dose else answer["activity_gbq"]
    squared = ((high - low) / 4 / value) ** 2 - float(CONSTANTS_FRACTION) ** 2
    assert max(squared, 0) ** 0.5 == pytest.approx(expected, abs=1e-6), why


def test_what_may_not_be_given_has_no_interval():
    resin = {**PATIENT, "device": "resin", "method": "bsa", "height_m": "1.7", "weight_kg": 70,
             "liver_volume_ml": 1500, "tumour_volume_ml": 100, "lung_shunt_fraction": "0.2"}  # fmt: skip
    answer = run(
        {**resin, "territories": [{"name": "right", "treated_volume_ml": 900, "treated_tumour_volume_ml": 80}]}
    )
    assert (answer["activity_gbq"], answer["interval_gbq"], answer["interval_gy"]) == (None, None, {})


def test_the_lungs_lower_all_territories_alike():
    """Each alone keeps 7 Gy to the lungs; both together must not bring more."""
    answer = run({**PATIENT, "lung_dose_limit_gy": "7", "territories": [RIGHT, LEFT]})
    alone = [each["prescription_gbq"] for each in answer["territories"]]
    assert all(K * activity * 0.1 < 7 for activity in alone)
    assert answer["controlling_constraint"] == "lung_dose"
    assert answer["absorbed_dose_gy"]["lung"] == pytest.approx(7)
    share = answer["activity_gbq"] / sum(alone)
    assert share < 1
    assert [each["activity_gbq"] for each in answer["territories"]] == pytest.approx([share * each for each in alone])


def test_a_limit_of_one_territory_is_named_with_it():
    answer = run({**PATIENT, "territories": [RIGHT, {**LEFT, "normal_liver_dose_limit_gy": 20}]})
    assert answer["controlling_constraint"] == "left: normal_liver_dose"
    assert answer["territories"][1]["absorbed_dose_gy"]["normal_liver"] == pytest.approx(20)


@pytest.mark.parametrize(
    ("change", "allowed", "why"),
    [
        ({"lung_mass_kg": None}, None, "the lungs were not weighed"),
        ({"previous_lung_dose_gy": 50}, False, "the lungs have had all they may get"),
        ({"previous_lung_dose_gy": 50, "lung_mass_kg": None}, False, "whatever they weigh"),
        ({"lung_shunt_fraction": 0, "lung_mass_kg": None}, True, "nothing reaches them"),
    ],
)
def test_what_forbids_one_forbids_all(change, allowed, why):
    answer = run({**PATIENT, **change, "territories": [RIGHT, LEFT]})
    assert answer["allowed"] is allowed, why
    assert (answer["activity_gbq"] is None) is (allowed is False)


def test_mird_keeps_the_lung_activity_of_all_together():
    territories = [{"name": "a", "perfused_mass_kg": 1}, {"name": "b", "perfused_mass_kg": 1}]
    case = {**PATIENT, "method": "mird", "prescribed_to": "perfused", "lung_shunt_fraction": "0.2", "lung_mass_kg": 2}
    answer = run({**case, "prescribed_dose_gy": 100, "territories": territories})
    assert answer["controlling_constraint"] == "lung_activity"
    assert answer["lung_activity_gbq"] == pytest.approx(0.61)
    assert answer["absorbed_dose_gy"]["tumour"] is None, "no tumour was weighed"


def test_a_territory_without_tumour_does_not_hide_the_others_dose():
    answer = run({**PATIENT, "prescribed_to": "normal_liver", "territories": [RIGHT, {**LEFT, "tumour_mass_kg": 0}]})
    assert answer["absorbed_dose_gy"]["tumour"] == pytest.approx(360)


@pytest.mark.parametrize(
    ("territories", "field", "words"),
    [
        ([RIGHT, RIGHT], "territories.1.name", "given twice"),
        ([{**RIGHT, "tumour_mass_kg": "-1"}], "territories.0.tumour_mass_kg", "0 or more"),
        ([{**RIGHT, "tumour_to_normal_ratio": None}], "tumour_to_normal_ratio", "(territory right)"),
        ([{**RIGHT, "lung_mass_kg": 1}], "territories.0.lung_mass_kg", "unknown field"),
        ([], "territories", ""),
    ],
)
def test_refused(territories, field, words):
    with pytest.raises(BadCase) as fault:
        run({**PATIENT, "territories": territories})
    assert fault.value.field == field
    assert words in fault.value.message


WHOLE = {
    "device": "resin", "tumour_volume_ml": 300, "liver_volume_ml": 1500, "height_m": "1.7", "weight_kg": 70,
    "lung_shunt_fraction": "0.02",
}  # fmt: skip
HALF = {"treated_volume_ml": 750, "treated_tumour_volume_ml": 150}


@pytest.mark.parametrize("method", ["empiric", "bsa"])
def test_two_halves_of_a_liver_get_what_the_whole_gets(method):
    whole = run({**WHOLE, "method": method})
    halves = run({**WHOLE, "method": method, "territories": [{"name": "a", **HALF}, {"name": "b", **HALF}]})
    assert halves["activity_gbq"] == pytest.approx(whole["activity_gbq"])
    alone = run({**WHOLE, "method": method, "territories": [{"name": "a"}]})
    assert alone["activity_gbq"] == whole["activity_gbq"]


@pytest.mark.parametrize("method", ["empiric", "bsa"])
@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (({}, HALF), "territory a"),
        ((HALF, {}), "territory b"),
        ((HALF, {**HALF, "treated_volume_ml": "750.1"}), "larger than liver_volume_ml"),
    ],
)
def test_territories_that_are_no_parts_of_the_liver_are_refused(method, parts, words):
    """Each would be planned as the whole liver, and the patient get twice the activity."""
    territories = [{"name": name, **part} for name, part in zip("ab", parts, strict=True)]
    with pytest.raises(BadCase, match=words) as fault:
        run({**WHOLE, "method": method, "territories": territories})
    assert fault.value.field == "treated_volume_ml"


@pytest.mark.parametrize("field", ["tumour_mass_kg", "normal_liver_mass_kg", "perfused_mass_kg", "given_activity_gbq"])
def test_a_size_of_one_territory_is_not_taken_for_several(field):
    left = {name: value for name, value in LEFT.items() if name != field}
    with pytest.raises(BadCase, match="give it in each") as fault:
        run({**PATIENT, field: "0.4", "territories": [RIGHT, left]})
    assert fault.value.field == field
    assert run({**PATIENT, field: RIGHT.get(field, 1), "territories": [RIGHT]})["activity_gbq"] is not None


def test_the_core_needs_a_territory():
    with pytest.raises(BadCase, match="one territory"):
        plan_territories({}, constants_for())


def test_doses_of_a_given_activity():
    """2 GBq, 5 % shunt, 0.25 kg of tumour and 1.15 kg of liver, T/N 4 and 50 J/GBq: 176.74 Gy to the tumour."""
    case = {
        "method": "partition", "device": "resin", "given_activity_gbq": 2, "lung_shunt_fraction": "0.05",
        "tumour_mass_kg": "0.25", "normal_liver_mass_kg": "1.15", "tumour_to_normal_ratio": 4,
        "energy_per_activity_j_gbq": 50, "lung_mass_kg": "0.8",
    }  # fmt: skip
    answer = run(case)
    assert answer["prescription_gbq"] == 2
    assert answer["absorbed_dose_gy"]["tumour"] == pytest.approx(176.74418604651163)
    limited = run({**case, "lung_dose_limit_gy": 5})
    assert limited["given"]["exceeds"] == ["lung_dose"]
    assert limited["given"]["absorbed_dose_gy"]["lung"] == pytest.approx(50 * 2 * 0.05 / 0.8)
    assert limited["activity_gbq"] < 2, "what is planned keeps the limit; what was given is told in full"
    beside = run({**ONE, "given_activity_gbq": 2})
    assert beside["prescription_gbq"] == pytest.approx(by_hand(120, RIGHT))
    assert beside["given"]["activity_gbq"] == 2
    assert run(ONE)["given"] is None


def test_the_net_activity_of_two_assays():
    """4 GBq one half-life before, 0.1 GBq left one half-life after: 2 - 0.2 = 1.8 GBq were given."""
    administration = {
        "assayed_gbq": 4, "hours_from_assay_to_injection": "64.1", "residue_gbq": "0.1",
        "hours_from_injection_to_residue": "64.1",
    }  # fmt: skip
    answer = run({**ONE, "administration": administration})
    assert answer["given"]["activity_gbq"] == pytest.approx(1.8)
    assert answer["given"]["lung_activity_gbq"] == pytest.approx(0.18)


def test_kaos_ratios_become_concentrations():
    """Kao 2014 with R = 1.5 and TLSF = 0.08: 50 J/GBq, 120 Gy to 0.3 kg of tumour need 0.72 GBq in it."""
    case = {
        "method": "partition", "device": "resin", "prescribed_dose_gy": 120, "prescribed_to": "tumour",
        "tumour_mass_kg": "0.3", "normal_liver_mass_kg": "1.2", "tumour_to_normal_activity_ratio": "1.5",
        "tumour_lung_shunt_fraction": "0.08", "energy_per_activity_j_gbq": 50, "lung_mass_kg": 1,
    }  # fmt: skip
    answer = run(case)
    in_lung = 0.72 * 0.08 / 0.92
    assert answer["activity_gbq"] == pytest.approx(0.72 + 0.48 + in_lung)
    assert answer["lung_activity_gbq"] == pytest.approx(in_lung)
    assert answer["absorbed_dose_gy"]["normal_liver"] == pytest.approx(50 * 0.48 / 1.2)


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"given_activity_gbq": 0}, "given_activity_gbq", "above 0"),
        ({"given_activity_gbq": 1, "administration": {"assayed_gbq": 1}}, "given_activity_gbq", "leave one out"),
        ({"residual_fraction": "0.1", "administration": {"assayed_gbq": 1}}, "residual_fraction", "leave it out"),
        ({"administration": {"assayed_gbq": 0}}, "administration.assayed_gbq", "above 0"),
        ({"administration": {"assayed_gbq": 1, "residue_gbq": "-1"}}, "administration.residue_gbq", "0 or more"),
        ({"administration": {"assayed_gbq": 1, "residue_gbq": 2}}, "residue_gbq", "more activity was left"),
        ({"tumour_to_normal_activity_ratio": 2}, "tumour_to_normal_activity_ratio", "leave out one of the two"),
        ({"tumour_lung_shunt_fraction": "0.1"}, "tumour_lung_shunt_fraction", "leave out one of the two"),
        (
            {"tumour_lung_shunt_fraction": "0.1", "lung_shunt_fraction": None},
            "tumour_to_normal_activity_ratio",
            "is needed by tumour_lung_shunt_fraction",
        ),
        ({"tumour_lung_shunt_fraction": 5}, "tumour_lung_shunt_fraction", "did you mean percent?"),
        (
            {"tumour_to_normal_activity_ratio": 2, "tumour_to_normal_ratio": None, "tumour_mass_kg": 0},
            "tumour_mass_kg",
            "a mass above 0",
        ),
    ],
)
def test_other_words_refused(change, field, words):
    with pytest.raises(BadCase) as fault:
        run({**ONE, **change})
    assert fault.value.field == field
    assert words in fault.value.message


def test_conflicts_of_the_sources_are_named():
    assert run(ONE)["conflicts"] == ["CON-PARTITION-D", "CON-LUNGOVER", "CON-SPECACT", "CON-SPHERES"]
    empiric = run({"method": "empiric", "device": "resin", "tumour_volume_ml": 750, "liver_volume_ml": 1500})
    assert "CON-EMPIRIC" in empiric["conflicts"]
    assert empiric["prescription_gbq"] == 2.5, "exactly half takes the lower activity"
    assert any("for the board alone" in text for text in empiric["warnings"])
    less = run({"method": "empiric", "device": "resin", "tumour_volume_ml": "749.9", "liver_volume_ml": 1500})
    assert not any("for the board alone" in text for text in less["warnings"])


def test_the_body_surface_is_told():
    case = {"method": "bsa", "device": "resin", "height_m": "1.818", "weight_kg": "70.7", "tumour_volume_ml": 100,
            "liver_volume_ml": 1500, "lung_shunt_fraction": 0}  # fmt: skip
    assert run(case)["body_surface_m2"] == pytest.approx(1.907961, abs=5e-7)
