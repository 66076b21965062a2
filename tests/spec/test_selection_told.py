"""What a tumour board reads beside an answer: reasons, missing facts, measures, alerts, follow-up, what changed."""

import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from connector.core.assessment import Option, Selection
from connector.core.catalogue import read_fact
from connector.core.evidence import Observed
from connector.core.selection import compare, select

TODAY = date(2026, 1, 31)
PUBLISHED = Path(__file__).parents[1] / "published" / "vignettes.json"
VIGNETTES = {case["id"]: case["facts"] for case in json.loads(PUBLISHED.read_text(), parse_float=Decimal)["vignettes"]}
DIFFUSE, LIMITED, RADIOIODINE = VIGNETTES["VIG-001"], VIGNETTES["VIG-017"], VIGNETTES["VIG-069"]
GONE = object()


def answer(base, today=TODAY, **changes):
    """The answer to a vignette with some facts changed, or taken away by GONE."""
    facts = {name: raw for name, raw in {**base, **changes}.items() if raw is not GONE}
    return select({name: Observed(read_fact(name, raw), "case") for name, raw in facts.items()}, today)


def verdict(selection, modality):
    return next((option.verdict for option in selection.options if option.modality == modality), None)


def test_reasons_name_rule_source_words_and_facts_strongest_first():
    option = next(one for one in answer(DIFFUSE).options if one.modality == "TACE")
    reason = next(one for one in option.because if one.rule == "F2-N5-TACE")
    assert (reason.source.source, reason.facts) == (
        "Zhang 2025",
        ("liver_insufficiency_severe", "liver_lesion_count", "liver_lobes_involved", "performance_status_class"),
    )
    assert "STRENGTH READ" in reason.text


def test_of_several_facts_that_each_suffice_a_reason_names_those_that_hold():
    option = next(one for one in answer(DIFFUSE, renal_failure=True).options if one.modality == "TACE")
    assert next(one.facts for one in option.because if one.rule == "TACE-DER-ACCESS") == ("renal_failure",)


def test_what_holds_for_everybody_is_no_reason_for_one():
    tace = next(option for option in answer(DIFFUSE).options if option.modality == "TACE")
    told = {reason.rule for reason in tace.because}
    assert "GEN-BURDEN" in told, "the burden of this patient's liver is known, and below 30 %"
    assert "GEN-CASEBYCASE" not in told, "a static statement is told by `rules --explain`"


def test_missing_facts_start_with_what_blocks():
    selection = answer(DIFFUSE, performance_status_class=GONE, child_pugh_score=GONE)
    assert selection.missing[0] == "performance_status_class"
    assert "child_pugh_score" in selection.missing[:5]
    assert "ablation_contraindicated" not in selection.missing, "nobody is asked for what needs no answer"


@pytest.mark.parametrize(
    ("changes", "rule_id", "why"),
    [
        ({"mdt_review_done": False}, "GEN-MDT", "the board has not seen it"),
        ({"mdt_review_done": GONE}, "GEN-MDT", "nobody said that the board has seen it"),
        ({"liver_imaging_age_days": 31}, "TAREW-IMG30", "imaging past 30 days"),
        ({"microsphere_type": "glass", "activity_method": "mird_single", "target_mean_dose_gy": 79}, "TARED-MIRD-DOSE",
         "below 80 Gy (Anbari 2023)"),
        ({"systemic_therapy_current": "lenvatinib", "systemic_therapy_anti_vegf": True,
          "tki_interruption_planned": False}, "SYS-VEGF-HOLD", "bleeding"),
        ({"pheochromocytoma_status": "suspected", "surgical_candidate": True, "resection_feasible": True,
          "liver_lobes_involved": "unilobar", "liver_lesion_count": 2}, "GEN-DER-PHEO", "before surgery"),
    ],
)  # fmt: skip
def test_measures_tell_what_is_to_be_done(changes, rule_id, why):
    assert rule_id in {reason.rule for reason in answer(DIFFUSE, **changes).measures}, why


@pytest.mark.parametrize(
    ("pheochromocytoma", "operable", "required", "why"),
    [
        ("suspected", True, True, "an exclusion of local treatment is a requirement before surgery"),
        ("excluded", True, False, "it is met"),
        ("suspected", False, False, "nobody operates"),
    ],
)
def test_phaeochromocytoma_is_settled_before_surgery(pheochromocytoma, operable, required, why):
    selection = answer(
        LIMITED, pheochromocytoma_status=pheochromocytoma, surgical_candidate=operable, resection_feasible=operable
    )
    assert ("GEN-DER-PHEO" in {measure.rule for measure in selection.measures}) is required, why


def test_a_measure_that_is_done_is_not_asked_for():
    assert not {"GEN-MDT", "GEN-CONSENT", "TAREW-IMG30"} & {reason.rule for reason in answer(DIFFUSE).measures}


def test_a_measure_is_something_to_do_for_what_is_offered():
    found = answer(DIFFUSE, portal_vein_thrombosis=GONE)
    measures = {reason.rule for reason in found.measures}
    assert not {"F2-N5-TACE", "TACE-BURDEN-30"} & measures, "reasons are told with their option"
    assert "TAREW-ANGIO" not in measures, "TARE is not offered"


def test_nobody_is_asked_for_the_other_half_of_an_or_that_holds():
    selection = answer(DIFFUSE, liver_lobes_involved=GONE, surgical_candidate=False, resection_feasible=True)
    assert "liver_lobes_involved" not in selection.missing, (
        "more than 4 lesions are diffuse disease, whatever the lobes"
    )
    assert "liver_lobes_involved" in answer(DIFFUSE, liver_lobes_involved=GONE, liver_lesion_count=4).missing


def test_nobody_is_asked_for_what_only_an_excluded_option_hangs_on():
    pregnant = {**LIMITED, "histology": "PTC", "pregnancy_status": "pregnant"}
    assert not {"rai_cumulative_activity_mci", "lung_shunt_fraction", "fdg_avid"} & set(answer(pregnant).missing)
    assert "lung_shunt_fraction" in answer({**pregnant, "pregnancy_status": "not_pregnant"}).missing


def test_an_option_names_what_it_lacks_for_a_prescription_too():
    found = answer(DIFFUSE, child_pugh_score=GONE, prescribed_activity_gbq=2)
    needs = next(option.needs for option in found.options if option.modality == "TARE")
    assert needs == ("child_pugh_score", "lung_shunt_fraction", "lung_mass_kg", "extrahepatic_deposition_on_maa")


@pytest.mark.parametrize(
    ("changes", "alerts"),
    [
        ({}, set()),
        ({"liver_tumour_burden_percent": 70}, set()),
        ({"liver_tumour_burden_percent": Decimal("70.1")}, {"TARE-REL-BURDEN70"}),
        ({"pheochromocytoma_status": "present"}, {"GEN-DER-PHEO"}),
        ({"pregnancy_status": "pregnant"}, {"GEN-DER-PREG"}),
        ({"tare_ae_weeks": 10, "jaundice": True, "ascites_grade": "massive", "biliary_obstruction": False,
          "radiological_progression": False}, {"AE-REILD", "AE-REILD-LABS"}),
    ],
)  # fmt: skip
def test_alerts(changes, alerts):
    assert {reason.rule for reason in answer(DIFFUSE, **changes).alerts} == alerts


@pytest.mark.parametrize(
    ("modality", "days", "due", "why"),
    [
        ("RFA", 10, {"FU-CT1M": 20, "FU-AE1M": 21}, "a month after ablation"),
        ("RFA", 30, {"FU-CT1M": 0, "FU-AE1M": 1}, "due today"),
        ("RFA", 31, {"FU-CT1M": 14, "FU-AE1M": 0}, "the last day of the first month"),
        ("RFA", 32, {"FU-CT1M": 13}, "the first month is over"),
        ("TACE", 40, {"FU-CT1M": 5}, "until day 45"),
        ("TACE", 46, {}, "the window has closed"),
        ("TARE", 29, {"FU-AE1M": 2, "FU-TARE-CLIN": 1, "FU-TARE-IMG": 61}, "before the first review"),
        ("TARE", 60, {"FU-TARE-CLIN": 30, "FU-TARE-IMG": 30}, "review until day 90"),
        ("TARE", 90, {"FU-TARE-CLIN": 0, "FU-TARE-IMG": 0}, "both today"),
        ("TARE", 91, {"FU-TARE-IMG": 89}, "three-monthly from then on"),
        ("TARE", 180, {"FU-TARE-IMG": 0}, "half a year"),
        ("TARE", 10**9, {"FU-TARE-IMG": 80}, "however long ago"),
        ("surgery", 10, {}, "no rule tells"),
    ],
)
def test_follow_up_after_a_procedure_is_dated(modality, days, due, why):
    selection = answer(RADIOIODINE, last_lrt_modality=modality, days_since_lrt=days)
    found = {visit.rule: visit.due_on for visit in selection.follow_up if visit.due_on}
    assert found == {rule_id: TODAY + timedelta(days=ahead) for rule_id, ahead in due.items()}, why


def test_what_holds_after_any_procedure_holds_after_the_last_one():
    found = answer(RADIOIODINE, last_lrt_modality="RFA", days_since_lrt=100)
    assert "FU-QOL" in {visit.rule for visit in found.follow_up}, "RAI leads, and RFA was done"


def test_what_follows_local_treatment_is_left_out_where_none_was_done_and_none_leads():
    assert not {"FU-QOL", "FU-CT-PHASES"} & {visit.rule for visit in answer(RADIOIODINE).follow_up}


def test_follow_up_of_the_preferred_option_is_told_without_a_date():
    visits = {visit.rule: visit for visit in answer(DIFFUSE).follow_up}
    assert visits["FU-CT1M"].due_on is None
    assert visits["FU-CT1M"].when == "about 1 month after the procedure"
    assert "FU-TARE-IMG" not in visits
    assert visits["FU-QOL"].when == "at every visit after the procedure"
    assert visits["BG-SURV"].when == "now"


@pytest.mark.parametrize(
    ("changes", "conflicts"),
    [
        ({"liver_lesion_count": 3}, {"CON-F2-THREE"}),
        ({"liver_lesion_count": 4}, {"CON-F2-FOUR"}),
        ({"liver_lesion_largest_diameter_mm": 30}, {"CON-SIZE-EXACT30", "CON-TACE-SIZE"}),
        ({"liver_lobes_involved": "bilobar"}, {"CON-F2-BILOBAR"}),
    ],
)
def test_conflicts_that_touched_the_case_are_named(changes, conflicts):
    assert conflicts <= set(answer(LIMITED, **changes).conflicts)
    assert not conflicts <= set(answer(LIMITED).conflicts)


def test_imaging_dates_give_the_age_of_the_volumes():
    facts = {name: Observed(read_fact(name, raw), "case") for name, raw in DIFFUSE.items()}
    del facts["liver_imaging_age_days"]
    older = Observed(5, "1.2.3", TODAY - timedelta(days=31))
    assert "TAREW-IMG30" in select({**facts, "liver_lesion_count": older}, TODAY).rules_fired
    newer = Observed(5, "1.2.3", TODAY - timedelta(days=30))
    assert "TAREW-IMG30" not in select({**facts, "liver_lesion_count": newer}, TODAY).rules_fired
    assert verdict(select({**facts, "liver_lesion_count": newer}, TODAY), "TARE") == "possible"
    tomorrow = Observed(5, "1.2.3", TODAY + timedelta(days=1))
    assert verdict(select({**facts, "liver_lesion_count": tomorrow}, TODAY), "TARE") == "cannot_decide"


def test_a_comparison_says_what_changed_and_why():
    before, now = answer(DIFFUSE), answer(DIFFUSE, performance_status_class="poor", child_pugh_score=GONE)
    change = compare(before, now)
    assert (change.status_before, change.status_now, change.is_same) == ("recommend", "cannot_decide", False)
    tare = next(one for one in change.options if one.modality == "TARE")
    assert (tare.verdict_before, tare.verdict_now, tare.rank_now) == ("possible", "cannot_decide", None)
    assert (tare.needs_added, tare.needs_met) == (("child_pugh_score",), ())
    assert "F2-N5-TACE" in change.rules_gone
    assert compare(before, before).is_same
    board = compare(before, answer(DIFFUSE, pregnancy_status="pregnant")).options
    assert next(one for one in board if one.modality == "board_only").verdict_before is None
    again = compare(answer(DIFFUSE, pregnancy_status="pregnant"), before).options
    gone = next(one for one in again if one.modality == "board_only")
    assert (gone.verdict_now, gone.rank_before, gone.rules_added) == (None, 1, ())
    assert "GEN-DER-PREG" in gone.rules_gone


@pytest.mark.parametrize(
    ("before", "now", "contradicting", "changed", "why"),
    [
        (("possible", 2), ("possible", 2), (), False, "nothing"),
        (("possible", 2), ("possible", 3), (), True, "its place"),
        (("possible", 2), ("relative_contraindication", 2), (), True, "its verdict"),
        (("excluded", None), ("cannot_decide", None), (), True, "closed or waiting is not the same"),
        (("possible", 2), ("possible", 2), ("histology", "rai_avid"), True, "facts that now contradict"),
    ],
)
def test_a_change_of_place_of_verdict_or_of_what_contradicts_is_one(before, now, contradicting, changed, why):
    earlier = Selection("recommend", (Option("TACE", *before),))
    later = Selection("recommend", (Option("TACE", *now),), contradictions=contradicting)
    assert compare(earlier, later).is_same is not changed, why
    assert bool(compare(earlier, later).options) is (before != now)
    assert compare(later, earlier).is_same is not changed, "nor is what no longer contradicts"
