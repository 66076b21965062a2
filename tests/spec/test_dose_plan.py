"""`connector dose plan`: what each method gives, which limit controls, and what is refused."""

from decimal import Decimal

import pytest

from connector.contract.dose_plan import PlanCase, run
from connector.core.dosimetry.ranges import RANGES
from connector.core.dosimetry.request import PlanRequest
from connector.core.errors import BadCase

EMPIRIC = {"method": "empiric", "device": "resin", "tumour_volume_ml": 300, "liver_volume_ml": 1500}
BSA = {
    "method": "bsa", "device": "resin", "height_m": "1.75", "weight_kg": 80, "tumour_volume_ml": 300,
    "liver_volume_ml": 1500, "lung_shunt_fraction": "0.05", "lung_mass_kg": 1,
}  # fmt: skip
MIRD = {
    "method": "mird", "device": "glass", "prescribed_dose_gy": 120, "perfused_mass_kg": 1,
    "lung_shunt_fraction": "0.05", "lung_mass_kg": 1, "previous_lung_dose_gy": 0,
}  # fmt: skip
PARTITION = {
    "method": "partition", "device": "glass", "prescribed_dose_gy": 40, "prescribed_to": "normal_liver",
    "tumour_mass_kg": "0.25", "normal_liver_mass_kg": 1, "tumour_to_normal_ratio": 4, "lung_shunt_fraction": "0.05",
    "lung_mass_kg": 1, "previous_lung_dose_gy": 0,
}  # fmt: skip


def said(answer, words):
    return any(words in warning for warning in answer["warnings"])


@pytest.mark.parametrize(
    ("tumour_ml", "treated_ml", "expected_gbq", "why"),
    [
        (375, None, 2.0, "exactly 25 % belongs to two printed rows and takes the lower activity"),
        ("375.001", None, 2.5, "just above 25 %"),
        (750, None, 2.5, "exactly 50 % takes the lower activity"),
        ("750.001", None, 3.0, "just above 50 %"),
        (0, None, 2.0, "no tumour is the lowest step"),
        (300, 750, 1.0, "half of the liver gets half"),
    ],
)
def test_empiric_steps(tumour_ml, treated_ml, expected_gbq, why):
    case = {**EMPIRIC, "tumour_volume_ml": tumour_ml, "treated_volume_ml": treated_ml, "lung_shunt_fraction": 0}
    assert run(case)["activity_gbq"] == expected_gbq, why


@pytest.mark.parametrize(
    ("shunt", "share", "allowed", "why"),
    [
        ("0.0999", 1.0, True, "below 10 % nothing is taken off"),
        ("0.10", 0.8, True, "exactly 10 % is taken as above it"),
        ("0.1499", 0.8, True, "below 15 %"),
        ("0.15", 0.6, True, "exactly 15 %"),
        ("0.1999", 0.6, True, "below 20 %"),
        ("0.20", None, False, "exactly 20 % is forbidden"),
    ],
)
@pytest.mark.parametrize("case", [EMPIRIC, BSA], ids=["empiric", "bsa"])
def test_resin_is_reduced_by_the_shunt(case, shunt, share, allowed, why):
    answer = run({**case, "lung_shunt_fraction": shunt, "lung_mass_kg": 1})
    assert answer["allowed"] is allowed, why
    if share is None:
        assert answer["activity_gbq"] is None
        assert answer["absorbed_dose_gy"]["lung"] is None
        assert answer["delivery"] is None
        assert answer["controlling_constraint"] == "resin_shunt_reduction"
        assert said(answer, "not allowed")
    else:
        assert answer["activity_gbq"] == pytest.approx(share * answer["prescription_gbq"], rel=1e-12), why
        expected = "prescription" if share == 1 else "resin_shunt_reduction"
        assert answer["controlling_constraint"] == expected


def test_glass_is_not_reduced_and_says_so():
    answer = run({**EMPIRIC, "device": "glass", "lung_shunt_fraction": "0.12", "lung_mass_kg": 1})
    assert answer["activity_gbq"] == 2.0
    assert said(answer, "published for resin microspheres only")


def test_empiric_without_a_shunt_cannot_be_allowed():
    answer = run(EMPIRIC)
    assert answer["allowed"] is None
    assert answer["activity_gbq"] == 2.0
    assert said(answer, "lung_shunt_fraction is missing")
    assert answer["lung_activity_gbq"] is None


def test_lobar_bsa_is_the_lobes_share_of_the_surface_plus_the_lobes_tumour():
    whole = run(BSA)["activity_gbq"]
    lobe = run({**BSA, "treated_volume_ml": 900, "treated_tumour_volume_ml": 300})["activity_gbq"]
    assert lobe == pytest.approx((whole - 300 / 1500) * 900 / 1500 + 300 / 1500, rel=1e-12)


@pytest.mark.parametrize(
    ("change", "factor", "why"),
    [
        ({}, 1, "reference"),
        ({"residual_fraction": "0.1"}, 1 / 0.9, "what stays in the vial is added"),
        ({"prescribed_dose_gy": 60}, 0.5, "half the dose"),
        ({"lung_shunt_fraction": 0}, 0.95, "nothing is lost to the lungs"),
        ({"constants": "icrp107"}, 50 / 49.77, "one energy for prescription and report"),
        ({"constants": "glass-insert"}, 1, "the insert prescribes with 50 too"),
        ({"energy_per_activity_j_gbq": 25}, 2, "an energy that is given overrides the profile"),
    ],
)
def test_mird_prescription(change, factor, why):
    assert run({**MIRD, **change})["prescription_gbq"] == pytest.approx(120 / 50 / 0.95 * factor, rel=1e-12), why


def test_mird_reports_with_the_report_energy():
    answer = run(MIRD)
    assert answer["absorbed_dose_gy"]["perfused"] == pytest.approx(120 * 49.67 / 50)
    assert answer["constants"]["energy_per_activity_j_gbq"] == 49.67
    assert answer["constants"]["prescription_energy_per_activity_j_gbq"] == 50
    assert answer["constants"]["half_life_h"] == 64.1


@pytest.mark.parametrize(
    ("change", "controlling", "activity_gbq", "why"),
    [
        ({}, "prescription", 120 / 50 / 0.95, "no limit bites"),
        (
            {"lung_shunt_fraction": "0.3", "lung_mass_kg": 2},
            "lung_activity",
            0.61 / 0.3,
            "0.61 GBq before 30 Gy in 2 kg",
        ),
        ({"lung_shunt_fraction": "0.3"}, "lung_dose", 30 / 49.67 / 0.3, "30 Gy in 1 kg is 0.604 GBq"),
        (
            {"lung_shunt_fraction": "0.3", "previous_lung_dose_gy": 30},
            "cumulative_lung_dose",
            20 / 49.67 / 0.3,
            "50 Gy in all leave 20 Gy",
        ),
        (
            {"lung_shunt_fraction": "0.3", "residual_fraction": "0.1"},
            "lung_dose",
            30 / 49.67 / 0.3 / 0.9,
            "the residue does not reach the lungs",
        ),
        (
            {
                "normal_liver_dose_limit_gy": 40,
                "tumour_mass_kg": "0.2",
                "tumour_to_normal_ratio": 3,
                "lung_shunt_fraction": 0,
            },
            "normal_liver_dose",
            40 * (3 * 0.2 + 0.8) / 49.67,
            "the normal liver's limit, its mass from the perfused and the tumour's",
        ),
    ],
)
def test_the_smallest_limit_controls(change, controlling, activity_gbq, why):
    answer = run({**MIRD, **change})
    assert answer["controlling_constraint"] == controlling, why
    assert answer["activity_gbq"] == pytest.approx(activity_gbq, rel=1e-12), why
    assert answer["allowed"] is True
    smallest = min([answer["prescription_gbq"], *(each["activity_gbq"] for each in answer["constraints"])])
    assert answer["activity_gbq"] == smallest


@pytest.mark.parametrize(("previous", "allowed"), [("49.999", True), (50, False), (60, False)])
def test_lungs_that_have_had_their_dose_get_none(previous, allowed):
    answer = run({**MIRD, "previous_lung_dose_gy": previous})
    assert answer["allowed"] is allowed
    assert (answer["activity_gbq"] is None) is not allowed
    assert said(answer, "the lungs have had") is not allowed


def test_without_shunt_no_lung_limit_is_needed():
    answer = run({**MIRD, "lung_shunt_fraction": 0, "lung_mass_kg": None, "previous_lung_dose_gy": 60})
    assert answer["allowed"] is True
    assert answer["constraints"] == []


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"lung_mass_kg": None}, "lung_mass_kg is missing"),
        ({"normal_liver_dose_limit_gy": 40}, "tumour_to_normal_ratio, tumour_mass_kg and normal_liver_mass_kg"),
    ],
)
def test_a_limit_that_cannot_be_checked_leaves_allowed_open(change, missing):
    answer = run({**MIRD, **change})
    assert answer["allowed"] is None
    assert answer["activity_gbq"] == pytest.approx(120 / 50 / 0.95)
    assert said(answer, missing)


def test_the_conventional_lung_mass_is_asked_for_and_warned_of():
    answer = run({**MIRD, "lung_mass_kg": None, "lung_mass_convention": "1kg"})
    assert answer["absorbed_dose_gy"]["lung"] == pytest.approx(49.67 * answer["lung_activity_gbq"])
    assert answer["allowed"] is True
    assert said(answer, "lung mass 1 kg is a convention")


@pytest.mark.parametrize(
    ("to", "dose", "why"),
    [
        ("normal_liver", 40, "the dose is that of the normal liver"),
        ("tumour", 160, "four times as much in the tumour"),
        ("perfused", 64, "mean over both: 40 Gy x 2 / 1.25"),
    ],
)
def test_partition_prescribes_to_any_compartment(to, dose, why):
    answer = run({**PARTITION, "prescribed_to": to, "prescribed_dose_gy": dose, "normal_liver_dose_limit_gy": 40})
    assert answer["activity_gbq"] == pytest.approx(40 * (4 * 0.25 + 1) / (49.67 * 0.95), rel=1e-12), why
    assert answer["absorbed_dose_gy"]["normal_liver"] == pytest.approx(40)
    assert answer["absorbed_dose_gy"]["tumour"] == pytest.approx(160)
    assert answer["controlling_constraint"] == "prescription", "a limit that is just reached does not bite"


def test_energy_is_conserved():
    answer = run({**PARTITION, "residual_fraction": "0.02"})
    dose = answer["absorbed_dose_gy"]
    deposited = 0.25 * dose["tumour"] + dose["normal_liver"] + dose["lung"]
    assert deposited == pytest.approx(49.67 * answer["activity_gbq"] * 0.98, rel=1e-12)


def test_a_compartment_without_mass_has_no_dose():
    no_tumour = run({**PARTITION, "tumour_mass_kg": 0})
    assert no_tumour["absorbed_dose_gy"]["tumour"] is None
    only_tumour = run({**MIRD, "tumour_mass_kg": 1, "tumour_to_normal_ratio": 3})
    assert only_tumour["absorbed_dose_gy"]["normal_liver"] is None
    assert only_tumour["absorbed_dose_gy"]["tumour"] == pytest.approx(only_tumour["absorbed_dose_gy"]["perfused"])
    from_normal = run({**MIRD, "normal_liver_mass_kg": "0.6", "tumour_to_normal_ratio": 3})
    assert from_normal["absorbed_dose_gy"]["tumour"] > from_normal["absorbed_dose_gy"]["normal_liver"]


@pytest.mark.parametrize(
    ("case", "field", "words"),
    [
        ({**MIRD, "lung_shunt_fraction": 5}, "lung_shunt_fraction", "did you mean percent?"),
        ({**MIRD, "lung_shunt_fraction": 1}, "lung_shunt_fraction", "no activity reaches the liver"),
        ({**MIRD, "lung_shunt_fraction": "-0.1"}, "lung_shunt_fraction", "a fraction is 0..1"),
        ({**MIRD, "lung_shunt_fraction": None}, "lung_shunt_fraction", "is needed by mird"),
        ({**MIRD, "residual_fraction": "0.2001"}, "residual_fraction", "0..0.2"),
        ({**MIRD, "perfused_mass_kg": 0}, "perfused_mass_kg", "above 0"),
        ({**MIRD, "perfused_mass_kg": None}, "perfused_mass_kg", "is needed by mird"),
        ({**MIRD, "prescribed_dose_gy": 0}, "prescribed_dose_gy", "above 0"),
        ({**MIRD, "prescribed_to": "tumour"}, "prescribed_to", "use partition"),
        ({**MIRD, "lung_mass_convention": "1kg"}, "lung_mass_convention", "lung_mass_kg is given too"),
        ({**MIRD, "tumour_mass_kg": 2}, "tumour_mass_kg", "larger than perfused_mass_kg"),
        ({**MIRD, "normal_liver_mass_kg": 2}, "normal_liver_mass_kg", "larger than perfused_mass_kg"),
        (
            {**MIRD, "tumour_mass_kg": "0.2", "normal_liver_mass_kg": "0.9"},
            "perfused_mass_kg",
            "is not tumour_mass_kg 0.2 plus normal_liver_mass_kg 0.9",
        ),
        ({**MIRD, "constants": "unknown"}, "constants", "use one of"),
        ({**MIRD, "energy_per_activity_j_gbq": 0}, "energy_per_activity_j_gbq", "above 0"),
        ({**MIRD, "device": "gel"}, "device", ""),
        ({**MIRD, "prescribed_dose_gy": True}, "prescribed_dose_gy", "not true or false"),
        ({**MIRD, "dose": 1}, "dose", "unknown field"),
        ({**PARTITION, "prescribed_to": None}, "prescribed_to", "is needed by partition"),
        ({**PARTITION, "tumour_mass_kg": 0, "prescribed_to": "tumour"}, "prescribed_to", "no tumour mass"),
        ({**PARTITION, "tumour_to_normal_ratio": 0}, "tumour_to_normal_ratio", "range"),
        ({**PARTITION, "normal_liver_mass_kg": 0}, "normal_liver_mass_kg", "above 0"),
        ({**BSA, "height_m": 175}, "height_m", "metres, not centimetres"),
        ({**BSA, "height_m": "2.5001"}, "height_m", "0.5..2.5"),
        ({**BSA, "weight_kg": "1.99"}, "weight_kg", "2..300"),
        ({**BSA, "height_m": "0.5", "weight_kg": 2}, "weight_kg", "too small for this method"),
        ({**BSA, "treated_volume_ml": 900}, "treated_tumour_volume_ml", "is needed by bsa"),
        ({**BSA, "treated_volume_ml": 1600}, "treated_volume_ml", "larger than liver_volume_ml"),
        ({**EMPIRIC, "tumour_volume_ml": 1501}, "tumour_volume_ml", "larger than liver_volume_ml"),
        ({**EMPIRIC, "tumour_volume_ml": "-1"}, "tumour_volume_ml", "0 or more"),
        ({**EMPIRIC, "liver_volume_ml": None}, "liver_volume_ml", "is needed by empiric"),
    ],
)
def test_refused(case, field, words):
    with pytest.raises(BadCase) as fault:
        run(case)
    assert fault.value.field == field
    assert words in fault.value.message


@pytest.mark.parametrize(("height_m", "weight_kg"), [("0.5", 2), ("2.5", 300)])
def test_the_ends_of_height_and_weight_are_accepted(height_m, weight_kg):
    PlanRequest(method="bsa", device="resin", height_m=Decimal(height_m), weight_kg=Decimal(weight_kg))


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ({**MIRD, "prescribed_dose_gy": "79.9"}, "a physician signs it off"),
        ({**MIRD, "prescribed_dose_gy": "150.1"}, "a physician signs it off"),
        ({**MIRD, "lung_mass_kg": "0.29"}, "check that it is in kilograms"),
        ({**MIRD, "previous_lung_dose_gy": None}, "judged for this treatment alone"),
        ({**MIRD, "lung_shunt_fraction": "0.21"}, "contraindication to resin"),
        ({**MIRD, "perfused_mass_kg": "0.09"}, "below 0.1 kg"),
        ({**MIRD, "perfused_mass_kg": 1500}, "perfused mass 1500 kg is more than that of a large liver"),
        ({**PARTITION, "tumour_mass_kg": 200, "normal_liver_mass_kg": 1300}, "check that it is in kilograms"),
        ({**PARTITION, "tumour_to_normal_ratio": "0.9"}, "takes up less than"),
        ({**PARTITION, "tumour_to_normal_ratio": "1.4"}, "takes up hardly more than"),
        ({**BSA, "weight_kg": 20, "height_m": "1.1"}, "unusual for an adult"),
        ({**BSA, "liver_volume_ml": 4501}, "whole liver in millilitres"),
        ({**EMPIRIC, "treated_volume_ml": 99}, "below 100 mL"),
    ],
)
def test_cautions(case, words):
    assert said(run(case), words)


@pytest.mark.parametrize(
    "case",
    [
        {**MIRD, "prescribed_dose_gy": 80},
        {**MIRD, "prescribed_dose_gy": 150},
        PARTITION,
        {**MIRD, "perfused_mass_kg": "4.635"},
    ],
)
def test_what_is_usual_gets_no_caution(case):
    assert run(case)["warnings"] == []


def test_the_schema_prints_the_cores_ranges():
    properties = PlanCase.model_json_schema()["properties"]
    for field, limits in RANGES.items():
        if field in properties and "minimum" in str(properties[field]).lower():
            assert limits.as_schema().items() <= properties[field].items(), field
    assert properties["lung_shunt_fraction"]["exclusiveMaximum"] == 1
    assert properties["constants"]["enum"] == ["glass-insert", "icrp107", "seed"]
