"""Liver tests that are too old, and images dated after the day they are to plan: not used, and named."""

from datetime import date, timedelta

import pytest

from connector.core.evidence import Observed
from connector.core.selection import select
from connector.core.selection.freshness import dated, too_old
from connector.core.selection.sensitivity import what_would_change

TODAY = date(2026, 1, 31)
# Pugh 1973: 1 point each but for albumin of 28 to 35 g/L, so 6.
PARTS = {
    "bilirubin_total_umol_l": 20, "albumin_g_l": 30, "inr": "1.1", "ascites_grade": "none", "encephalopathy_grade": 0,
}  # fmt: skip
DIFFUSE = {
    "histology": "MTC", "pheochromocytoma_status": "excluded", "performance_status_class": "good",
    "extrahepatic_disease_status": "none", "liver_insufficiency_severe": False, "coagulopathy_status": "none",
    "renal_failure": False, "contrast_media_allergy": False, "liver_lesion_hypervascular": True,
    "clinical_liver_failure": False, "life_expectancy_months": 24, "pregnancy_status": "not_pregnant",
    "portal_vein_thrombosis": "none", "liver_tumour_burden_percent": 20, "liver_imaging_age_days": 5,
}  # fmt: skip


def facts(parts=PARTS, days=0, **ages):
    """Liver function `days` old, and single parts of another age; None is a part whose day is not known."""
    on = {name: ages.get(name, days) for name in parts}
    return {
        **{name: Observed(value, "case") for name, value in {**DIFFUSE, "liver_lesion_count": 8}.items()},
        **{
            name: Observed(value, name, None if on[name] is None else TODAY - timedelta(on[name]))
            for name, value in parts.items()
        },
    }


def tare(found):
    return next(option for option in found.options if option.modality == "TARE")


@pytest.mark.parametrize(
    ("days", "ages", "computed", "why"),
    [
        (0, {}, True, "all of today"),
        (30, {}, True, "exactly 30 days, the only age that a source limits (Anbari 2023, Baseline imaging)"),
        (31, {}, False, "one day past it"),
        (0, {"inr": 31}, False, "one part past it is enough: four of today and an old one are no score"),
        (0, {"inr": 30}, True, "30 days apart, and none older"),
        (0, {"bilirubin_total_umol_l": 31}, False, "each part counts"),
        (0, {"albumin_g_l": 31}, False, "each part counts"),
        (0, {"ascites_grade": 31}, False, "each part counts"),
        (0, {"encephalopathy_grade": 31}, False, "each part counts"),
        (None, {}, True, "of a script, without dates: taken as of the day of the case"),
        (None, {"inr": 31}, False, "the one day that is known is too old"),
        (0, {"inr": -1}, True, "a day to come is no age"),
    ],
)
def test_a_child_pugh_score_is_computed_from_fresh_parts_only(days, ages, computed, why):
    found = select(facts(days=days, **ages), TODAY)
    assert (found.values.get("child_pugh_score") == "6") is computed, why
    assert ("albi_grade" in found.values) is computed
    assert ("child_pugh_score" in found.missing) is not computed, "it is asked for"
    assert (tare(found).verdict == "possible") is computed, "without the score TARE is not offered"
    assert (found.status == "recommend") is computed, "nor is TACE while old parts may speak against it"
    assert ("HOUSE-LIVER-FUNCTION-STALE" in {measure.rule for measure in found.measures}) is not computed


def test_a_stated_score_is_not_disputed_by_old_parts():
    stated = {"child_pugh_score": Observed(5, "case", TODAY)}
    old = select(facts(days=200) | stated, TODAY)
    assert (old.contradictions, old.values["child_pugh_score"]) == ((), "5")
    fresh = select(facts() | stated, TODAY)
    assert "child_pugh_score" in fresh.contradictions, "today's parts give 6"


# 3 points for each of bilirubin, albumin, INR and ascites, 1 for encephalopathy: 13, class C (Pugh 1973).
CLASS_C = {
    "bilirubin_total_umol_l": 60, "albumin_g_l": 25, "inr": "2.4", "ascites_grade": "moderate",
    "encephalopathy_grade": 0,
}  # fmt: skip
ABLATABLE = {
    "liver_lesion_count": 2, "liver_lobes_involved": "unilobar", "liver_lesion_largest_diameter_mm": 20,
    "liver_lesion_at_hilum": False, "liver_lesion_near_bile_duct": False, "surgical_candidate": False,
    "liver_lesion_near_critical_structure": False, "resection_feasible": False,
}  # fmt: skip
REPEAT = "HOUSE-LIVER-FUNCTION-STALE"


@pytest.mark.parametrize(
    ("days", "score", "used", "rfa", "why"),
    [
        (0, 6, True, "preferred", "of today"),
        (None, 6, True, "preferred", "of a script, without a day: taken as of the day of the case"),
        (30, 6, True, "preferred", "exactly 30 days, as for its parts"),
        (-1, 6, True, "preferred", "a day to come is no age"),
        (31, 6, False, "preferred", "one day past it; ablation asks for no score"),
        (31, 9, False, "preferred", "class B closes no ablation"),
        (31, 10, False, "cannot_decide", "class C does, and its age does not open what it closed"),
        (30, 10, True, "excluded", "class C of 30 days closes it by itself"),
    ],
)
def test_a_stated_score_is_as_old_as_its_parts_may_be(days, score, used, rfa, why):
    stated = Observed(score, "Observation/9/_history/1", None if days is None else TODAY - timedelta(days))
    given = facts(parts={}) | {name: Observed(value, "case") for name, value in ABLATABLE.items()}
    given["child_pugh_score"] = stated
    found = select(given, TODAY)
    verdicts = {option.modality: option.verdict for option in found.options}
    assert (found.values.get("child_pugh_score") == str(score)) is used, why
    assert ("child_pugh_score" in tare(found).needs) is not used
    assert all((verdicts[one] == "cannot_decide") is not used for one in ("TARE", "TACE", "TAE", "ablation_plus_TACE"))
    assert (REPEAT in {measure.rule for measure in found.measures}) is not used
    assert verdicts["RFA"] == rfa, why
    assert list(too_old(given, TODAY)) == (
        []
        if used
        else [f"Child-Pugh score {score} of 2025-12-31 is not used, 31 days old: more than 30 days; measure it again"]
    )


@pytest.mark.parametrize(
    ("days", "score", "verdict", "why"),
    [
        (30, 10, "relative_contraindication", "class C of 30 days flags it, so that it does not lead"),
        (31, 10, "cannot_decide", "its age does not lift the flag"),
        (31, 9, "preferred", "class B flags no resection"),
    ],
)
def test_a_class_c_that_is_too_old_does_not_let_surgery_lead(days, score, verdict, why):
    operable = ABLATABLE | {"surgical_candidate": True, "resection_feasible": True}
    given = facts(parts={}) | {name: Observed(value, "case") for name, value in operable.items()}
    given["child_pugh_score"] = Observed(score, "case", TODAY - timedelta(days))
    del given["liver_insufficiency_severe"]  # which a score of class C answers
    surgery = next(option for option in select(given, TODAY).options if option.modality == "surgery")
    assert surgery.verdict == verdict, why
    assert ("child_pugh_score" in surgery.needs) is (verdict == "cannot_decide")


def test_fresh_parts_stand_in_for_a_score_that_is_too_old():
    found = select(facts() | {"child_pugh_score": Observed(5, "case", TODAY - timedelta(31))}, TODAY)
    assert (found.values["child_pugh_score"], found.contradictions) == ("6", ()), "today's parts give 6"
    assert REPEAT not in {measure.rule for measure in found.measures}


def test_nobody_is_told_to_repeat_old_parts_beside_a_fresh_score():
    stated = {"child_pugh_score": Observed(5, "case", TODAY)}
    assert REPEAT not in {measure.rule for measure in select(facts(days=200) | stated, TODAY).measures}
    old = {"child_pugh_score": Observed(5, "case", TODAY - timedelta(31))}
    assert REPEAT in {measure.rule for measure in select(facts(days=200) | old, TODAY).measures}
    assert len(list(too_old(facts(days=200) | old, TODAY))) == 1 + len(PARTS)


@pytest.mark.parametrize(
    ("days", "parts", "verdict", "why"),
    [
        (31, CLASS_C, "cannot_decide", "old parts of class C do not open what they closed"),
        (31, CLASS_C | {"bilirubin_total_umol_l": 20, "albumin_g_l": 36}, "preferred", "old parts of 9 points"),
        (31, PARTS, "preferred", "old parts of class A closed no ablation"),
    ],
)
def test_what_old_parts_closed_stays_closed(days, parts, verdict, why):
    given = facts(parts=parts, days=days) | {name: Observed(value, "case") for name, value in ABLATABLE.items()}
    rfa = next(option for option in select(given, TODAY).options if option.modality == "RFA")
    assert rfa.verdict == verdict, why
    assert ("child_pugh_score" in rfa.needs) is (verdict == "cannot_decide")


def test_a_new_score_would_be_of_today():
    """What would change the answer: to measure the old score again, whatever its age is now."""
    given = {name: one.value for name, one in facts(parts={}).items()}
    given |= {"child_pugh_score": 6, "child_pugh_score_age_days": 31}
    found = select({name: Observed(value, "case") for name, value in given.items()}, TODAY)
    changes = what_would_change(given, found)
    assert "recommend" in {change.status for change in changes if change.fact == "child_pugh_score"}
    assert {change.before for change in changes if change.fact == "child_pugh_score"} == {None}
    (aged,) = [change for change in changes if change.fact == "child_pugh_score_age_days"]
    assert (aged.after, aged.status) == (30, "recommend")


def test_an_age_that_a_script_states_is_taken_as_stated():
    found = select({**facts(days=None), "liver_function_age_days": Observed(31, "case")}, TODAY)
    assert "child_pugh_score" in found.missing
    found = select({**facts(days=200), "liver_function_age_days": Observed(3, "case")}, TODAY)
    assert found.values["child_pugh_score"] == "6"


def test_each_part_that_is_too_old_is_named_with_its_value_and_day():
    assert list(too_old(facts(), TODAY)) == []
    assert list(too_old(facts(inr=30), TODAY)) == []
    (told,) = too_old(facts(inr=31), TODAY)
    assert told == (
        "no Child-Pugh score is computed from INR 1.1 of 2025-12-31, 31 days old: more than 30 days; measure it again"
    )
    assert len(list(too_old(facts(days=90), TODAY))) == len(PARTS)
    assert list(too_old(facts(days=90) | {"child_pugh_score": Observed(6, "case")}, TODAY)) == [], "none is to compute"


MEASURED = {
    "liver_lesion_count": 8, "liver_lesion_largest_diameter_mm": 25, "liver_lesion_diameters_mm": (25,) * 8,
    "tumour_volume_ml": 300, "liver_volume_total_ml": 1500,
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), MEASURED.items())
def test_the_oldest_measurement_of_the_liver_is_the_age_of_the_images(name, value):
    known = facts()
    del known["liver_imaging_age_days"]
    known["liver_lesion_count"] = Observed(8, "1.2.3", TODAY)
    old = Observed(value, "1.2.4", TODAY - timedelta(31))
    assert "TAREW-IMG30" in {measure.rule for measure in select({**known, name: old}, TODAY).measures}
    new = Observed(value, "1.2.4", TODAY - timedelta(30))
    assert "TAREW-IMG30" not in {measure.rule for measure in select({**known, name: new}, TODAY).measures}


@pytest.mark.parametrize(
    ("days_ahead", "status", "why"),
    [
        (0, "recommend", "of today"),
        (1, "recommend", "where the site is, it may be tomorrow already"),
        (2, "contradictory_data", "imaging after the procedure it plans"),
    ],
)
@pytest.mark.parametrize(("name", "value"), MEASURED.items())
def test_images_dated_after_the_day_they_plan_contradict(name, value, days_ahead, status, why):
    found = select({**facts(), name: Observed(value, "1.2.3", TODAY + timedelta(days_ahead))}, TODAY)
    assert found.status == status, why
    assert ("liver_imaging_after_today" in found.contradictions) is (status == "contradictory_data")
    assert (status == "recommend") is any(option.rank == 1 for option in found.options), "nothing is preferred"


def test_what_a_board_states_after_the_images_is_no_image_of_the_future():
    """`process` without --today judges on the day of the latest study; the board met four days later."""
    stated = Observed(8, "Observation/7/_history/1", TODAY + timedelta(4))
    found = select({**facts(), "liver_lesion_count": stated}, TODAY)
    assert (found.status, found.contradictions) == ("recommend", ())
    image = Observed(8, "1.2.3", TODAY + timedelta(4))
    assert select({**facts(), "liver_lesion_count": image}, TODAY).status == "contradictory_data"


def test_an_age_has_the_day_and_the_origin_of_what_is_oldest():
    day, earlier = TODAY - timedelta(3), TODAY - timedelta(9)
    facts = {"bilirubin_total_umol_l": Observed(12, "Observation/1", day), "inr": Observed(1, "Observation/2", earlier)}
    age = dated(facts, TODAY)["liver_function_age_days"]
    assert (age.value, age.origin, age.observed_on) == (9, "Observation/2", earlier)
