"""The numbers beside an answer: activities, doses, response and pooled proportions."""

from datetime import date
from decimal import Decimal

import pytest
from scipy.stats import binom

from connector.contract import dose_plan
from connector.core.selection import pooling
from connector.core.selection.derived import add_sums
from connector.core.selection.evidence_rows import SERIES
from connector.core.selection.values import numbers

D = Decimal
TODAY = date(2026, 1, 31)
SUMS = {"recist_sum_baseline_mm": D(100), "recist_sum_nadir_mm": D(50), "new_lesions": False}


@pytest.mark.parametrize(
    ("given", "expected", "why"),
    [
        ({**SUMS, "recist_sum_current_mm": D(0)}, "CR", "all gone"),
        ({**SUMS, "recist_sum_nadir_mm": D(70), "recist_sum_current_mm": D(70)}, "PR", "exactly 30 % smaller"),
        ({**SUMS, "recist_sum_nadir_mm": D("70.1"), "recist_sum_current_mm": D("70.1")}, "SD", "just short of it"),
        ({**SUMS, "recist_sum_current_mm": D(60)}, "PD", "20 % and 10 mm from the smallest"),
        ({**SUMS, "recist_sum_current_mm": D("59.9")}, "PR", "just short of 20 %, and 40 % below baseline"),
        ({**SUMS, "recist_sum_current_mm": D(60), "new_lesions": True}, "PD", "a new lesion"),
        ({"new_lesions": True}, "PD", "a new lesion without sums"),
        ({**SUMS, "recist_sum_current_mm": D(60), "last_lrt_modality": "TARE", "days_since_lrt": 89},
         "not_assessable_yet", "growth within three months of TARE is no progression"),
        ({**SUMS, "recist_sum_current_mm": D(60), "last_lrt_modality": "TARE", "days_since_lrt": 90}, "PD",
         "after three months it is"),
        ({**SUMS, "recist_sum_current_mm": D(55), "last_lrt_modality": "TARE", "days_since_lrt": 60}, "PR",
         "shrinking counts early too"),
        ({"new_lesions": False, "last_lrt_modality": "TARE", "days_since_lrt": 60}, "not_assessable_yet", "no sums"),
        ({"new_lesions": True, "last_lrt_modality": "TARE", "days_since_lrt": 60}, "PD", "a new lesion is no rim"),
        ({"recist_sum_baseline_mm": D(100), "recist_sum_current_mm": D(60), "new_lesions": False}, None,
         "without the smallest sum, progression cannot be ruled out"),
        ({"recist_sum_baseline_mm": D(100), "recist_sum_nadir_mm": D(50), "recist_sum_current_mm": D(60)}, "PD",
         "growth is progression, whether or not there are new lesions"),
        ({"recist_sum_nadir_mm": D(50), "recist_sum_current_mm": D(60)}, "PD", "nor does it need the baseline"),
        ({"recist_sum_baseline_mm": D(100), "recist_sum_nadir_mm": D(50), "recist_sum_current_mm": D("59.9")}, None,
         "without growth it hangs on new lesions, and nobody spoke of them"),
        ({"recist_sum_baseline_mm": D(40), "recist_sum_current_mm": D(0), "new_lesions": False}, "CR",
         "nothing is left, whatever the smallest sum was"),
        ({}, None, "nothing known"),
    ],
)  # fmt: skip
def test_response_of_given_sums(given, expected, why):
    assert numbers(given).get("response") == expected, why


PLANS = [
    ({"activity_method": "bsa", "microsphere_type": "resin", "height_m": D("1.7"), "weight_kg": D(70),
      "tumour_volume_ml": D(300), "liver_volume_total_ml": D(1500)},
     {"method": "bsa", "device": "resin", "height_m": "1.7", "weight_kg": "70", "tumour_volume_ml": "300",
      "liver_volume_ml": "1500", "lung_shunt_fraction": "0"}),
    ({"activity_method": "mird_single", "target_mean_dose_gy": D(120), "target_liver_mass_kg": D("1.5"),
      "lung_shunt_fraction": D("0.05")},
     {"method": "mird", "device": "glass", "prescribed_dose_gy": "120", "perfused_mass_kg": "1.5",
      "lung_shunt_fraction": "0.05"}),
    ({"activity_method": "partition", "target_mean_dose_gy": D(40), "tn_ratio": D(5), "tumour_mass_kg": D("0.3"),
      "normal_liver_mass_kg": D("1.2"), "lung_shunt_fraction": D("0.05")},
     {"method": "partition", "device": "glass", "prescribed_dose_gy": "40", "prescribed_to": "normal_liver",
      "tumour_to_normal_ratio": "5", "tumour_mass_kg": "0.3", "normal_liver_mass_kg": "1.2",
      "lung_shunt_fraction": "0.05"}),
    ({"activity_method": "empiric", "liver_tumour_burden_percent": D("25.1")},
     {"method": "empiric", "device": "resin", "tumour_volume_ml": "25.1", "liver_volume_ml": "100"}),
    ({"activity_method": "empiric", "liver_tumour_burden_percent": D(50)},
     {"method": "empiric", "device": "resin", "tumour_volume_ml": "50", "liver_volume_ml": "100"}),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "case"), PLANS, ids=[f"{row[0]['activity_method']}" for row in PLANS])
def test_an_activity_is_the_prescription_of_dose_plan(facts, case):
    planned = dose_plan.run(case)["prescription_gbq"]
    assert abs(D(numbers(facts)["prescribed_activity_gbq"]) - D(str(planned))) < D("0.000002")


@pytest.mark.parametrize("facts", [facts for facts, _ in PLANS], ids=[f"{row[0]['activity_method']}" for row in PLANS])
def test_an_activity_needs_everything_in_its_formula(facts):
    for name in facts:
        rest = {other: value for other, value in facts.items() if other != name}
        assert "prescribed_activity_gbq" not in numbers(rest), name


@pytest.mark.parametrize(
    ("given", "name", "expected", "why"),
    [
        ({"prescribed_activity_gbq": D("1.5"), "activity_method": "empiric", "liver_tumour_burden_percent": D(60)},
         "prescribed_activity_gbq", "1.5", "what a physician prescribed stands"),
        ({"activity_method": "bsa", "microsphere_type": "resin", "height_m": D("0.4"), "weight_kg": D(2),
          "tumour_volume_ml": D(30), "liver_volume_total_ml": D(150)}, "prescribed_activity_gbq", None,
         "too small a body for the method"),
        ({"activity_method": "mird_single", "target_mean_dose_gy": D(120), "target_liver_mass_kg": D("1.5"),
          "lung_shunt_fraction": D(1)}, "prescribed_activity_gbq", None, "nothing would reach the liver"),
        ({"prescribed_activity_gbq": D("3.05"), "lung_shunt_fraction": D("0.2")}, "lung_activity_gbq", "0.61", "0.61"),
        ({"child_pugh_score": 7}, "child_pugh_score", "7", "shown"),
        ({"child_pugh_class": "B"}, "child_pugh_class", "B", "shown"),
        ({"albi_grade": 2}, "albi_grade", "2", "shown"),
        ({"egfr_ml_min_1_73m2": D(92)}, "egfr_ml_min_1_73m2", "92", "shown"),
        ({"predicted_lung_dose_gy": D(30)}, "predicted_lung_dose_gy", "30", "shown"),
        ({"height_m": D("1.7"), "weight_kg": D(70)}, "bsa_m2", "1.809684", "0.20247 x 1.7^0.725 x 70^0.425"),
        ({"prescribed_activity_gbq": D("1.23456789")}, "prescribed_activity_gbq", "1.234568", "to a millionth"),
    ],
)  # fmt: skip
def test_numbers_of_a_case(given, name, expected, why):
    values = dict(given)
    add_sums(values)
    assert numbers(values).get(name) == expected, why


@pytest.mark.parametrize("n", [1, 2, 7, 12, 30])
def test_an_exact_interval_leaves_half_of_five_percent_on_each_side(n):
    for events in range(n + 1):
        low, high = (float(bound) / 100 for bound in pooling.exact_interval_percent(events, n))
        assert low <= events / n <= high
        assert events == 0 or binom.sf(events - 1, n, low) == pytest.approx(0.025, abs=0.01)
        assert events == n or binom.cdf(events, n, high) == pytest.approx(0.025, abs=0.01)


@pytest.mark.parametrize(
    ("events", "n", "interval"),
    [(0, 10, ("0.0", "30.8")), (10, 10, ("69.2", "100.0")), (5, 12, ("15.2", "72.3")), (1, 1, ("2.5", "100.0"))],
)
def test_exact_intervals_of_the_tables(events, n, interval):
    assert pooling.exact_interval_percent(events, n) == tuple(map(D, interval))


def risk(values, modality, start):
    return next(one for one in pooling.risks(values, {modality}) if one.outcome.startswith(start))


def test_benefit_is_pooled_from_similar_patients():
    tace = risk({"histology": "MTC"}, "TACE", "objective response")
    # Nervo 1 of 2 procedures, Lorenz 5 of 10 assessed, Fromigue 5 of 12, Grozinsky-Glasberg 7 of 7.
    assert (tace.n, tace.probability_percent, len(tace.sources)) == (31, D("58.1"), 5)
    assert "MTC" in tace.outcome
    sized = risk({"histology": "MTC", "liver_lesion_largest_diameter_mm": D(98)}, "TACE", "objective response")
    assert (sized.n, sized.outcome) == (12, "objective response (CR or PR) (MTC, lesions of this size)")
    just_past = risk({"histology": "MTC", "liver_lesion_largest_diameter_mm": D("98.1")}, "TACE", "objective")
    assert just_past.n == 31, "no series had lesions of that size: all of the histotype"
    assert risk({}, "TACE", "objective response").outcome.endswith("(any thyroid carcinoma)")
    assert risk({"histology": "MTC"}, "MWA", "objective response").outcome.endswith("(any thyroid carcinoma)")
    assert risk({"histology": "PTC"}, "TARE", "objective response").n == 1


@pytest.mark.parametrize(
    ("values", "modality", "outcome", "n", "percent", "why"),
    [
        ({"histology": "MTC"}, "TACE", "disease control", 31, "87.1", "18 responses and 9 stable (Nervo 2021)"),
        ({"histology": "MTC"}, "TACE", "progression", 31, "12.9", "Nervo 1, Lorenz 1, Fromigue 2"),
        ({"histology": "MTC"}, "TARE", "objective response", 6, "83.3", "Puleo: 1 CR, 4 PR; 2 not assessed"),
        ({"histology": "MTC"}, "TARE", "disease control", 6, "100.0", "and 1 SD"),
        ({"histology": "MTC"}, "TARE", "progression", 6, "0.0", "none"),
        ({}, "TACE", "adverse event of grade 3 or more", 33, "12.1", "Lorenz 2, Fromigue 1, Grozinsky 1"),
        ({"histology": "MTC", "liver_lesion_largest_diameter_mm": D(25)}, "TACE", "objective response", 19, "63.2",
         "Fromigue from 25 mm on, Grozinsky from 13"),
        ({"histology": "MTC", "liver_lesion_largest_diameter_mm": D("24.9")}, "TACE", "objective response", 7, "100.0",
         "Grozinsky alone had so small ones"),
    ],
)  # fmt: skip
def test_each_outcome_counts_its_own(values, modality, outcome, n, percent, why):
    found = risk(values, modality, f"{outcome} (")
    assert (found.n, found.probability_percent) == (n, D(percent)), why


def test_size_is_named_only_where_it_tells_patients_apart():
    only = risk({"histology": "PTC", "liver_lesion_largest_diameter_mm": D(45)}, "TARE", "objective")
    assert only.outcome == "objective response (CR or PR) (DTC)", "Kesim had the one patient, of 45 mm"


def test_harm_is_pooled_over_everybody_treated():
    for values in ({"histology": "PTC"}, {"histology": "MTC", "liver_lesion_largest_diameter_mm": D(18)}):
        death = risk(values, "TACE", "death")
        assert (death.n, death.probability_percent) == (33, D("3.0"))
        assert any(source.startswith("Lorenz 2005") for source in death.sources)


@pytest.mark.parametrize(
    ("burden", "n", "percent"), [(D("29.9"), 9, D("55.6")), (D(30), 3, D("0.0"))], ids=["below 30 %", "30 %"]
)
def test_response_is_told_by_burden_where_a_series_tells(burden, n, percent):
    values = {"histology": "MTC", "liver_tumour_burden_percent": burden}
    by_burden = next(one for one in pooling.risks(values, {"TACE"}) if "of the liver" in one.outcome)
    assert (by_burden.n, by_burden.probability_percent) == (n, percent)


def test_indirect_evidence_says_so():
    assert "mixed primaries" in risk({}, "lung_RFA", "local tumour progression").outcome
    assert risk({}, "cementoplasty", "major complication").n == 25
    assert pooling.risks({}, {"board_only"}) == ()


def test_series_are_consistent():
    assert len({series.id for series in SERIES}) == len(SERIES)
    for series in SERIES:
        assert series.responses is None or sum(series.responses) == series.n, series.id
        assert (series.deaths or 0) <= (series.serious or 0)
