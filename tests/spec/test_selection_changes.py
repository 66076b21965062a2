"""What would change an answer: the smallest change of one fact, and what a missing fact could lead to."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from connector.core.catalogue import read_fact
from connector.core.evidence import Observed
from connector.core.selection import select
from connector.core.selection.sensitivity import what_would_change

D = Decimal
TODAY = date(2026, 1, 31)
PUBLISHED = Path(__file__).parents[1] / "published" / "vignettes.json"
VIGNETTES = {case["id"]: case["facts"] for case in json.loads(PUBLISHED.read_text(), parse_float=D)["vignettes"]}


DIFFUSE = {
    "histology": "MTC", "pheochromocytoma_status": "excluded", "pregnancy_status": "not_pregnant",
    "coagulopathy_status": "none", "performance_status_class": "good", "life_expectancy_months": 24,
    "liver_insufficiency_severe": False, "clinical_liver_failure": False, "child_pugh_score": 5, "renal_failure": False,
    "contrast_media_allergy": False, "portal_vein_thrombosis": "none", "liver_lesion_count": 5,
    "liver_lesion_largest_diameter_mm": 18, "liver_lobes_involved": "bilobar", "liver_tumour_burden_percent": 10,
    "liver_lesion_hypervascular": True, "extrahepatic_disease_status": "none", "liver_imaging_age_days": 14,
    "liver_disease_status": "progressive", "surgical_candidate": False, "resection_feasible": False,
    "liver_symptoms": ["itching"], "ret_mutation": "M918T", "liver_lesion_diameters_mm": [18, 9, 9, 8, 7],
}  # fmt: skip


def changes_of(facts):
    given = {name: read_fact(name, raw) for name, raw in facts.items()}
    selection = select({name: Observed(value, "case") for name, value in given.items()}, TODAY)
    return selection, what_would_change(given, selection)


def test_the_smallest_changes_that_flip_the_first_option():
    _, changes = changes_of(DIFFUSE)
    found = {(change.fact, change.after): change for change in changes}
    assert found["performance_status_class", "poor"].preferred == ("TARE",)
    assert found["liver_tumour_burden_percent", D("50.1")].before == D(10)
    assert ("liver_tumour_burden_percent", D(50)) not in found, "50 % itself changes nothing"
    assert found["child_pugh_score", 8].preferred != ("TACE",)
    assert ("child_pugh_score", 7) not in found
    assert "if it were poor, first would be TARE" in found["performance_status_class", "poor"].text
    text = "liver_tumour_burden_percent: if it were 50.1, the board alone would decide"
    assert found["liver_tumour_burden_percent", D("50.1")].text == text
    assert "ret_mutation" not in {change.fact for change in changes}, "nothing hangs on it"
    assert not any(change.status == "contradictory_data" for change in changes)
    assert found["renal_failure", True].text.startswith("renal_failure: if it were true, ")
    of_burden = [change.after for change in changes if change.fact == "liver_tumour_burden_percent"]
    assert of_burden == [D("50.1")], "the smallest change to a side, and no larger one"
    for change in changes:
        assert read_fact(change.fact, change.after) == change.after, "a value that the fact may have"


def test_the_missing_fact_worth_getting_first_stands_first():
    facts = {name: value for name, value in DIFFUSE.items() if name != "performance_status_class"}
    selection, changes = changes_of(facts)
    assert selection.status == "cannot_decide"
    assert (changes[0].fact, changes[0].before) == ("performance_status_class", None)
    assert {change.preferred for change in changes[:2]} == {("TACE",), ("TARE",)}
    assert "performance_status_class: if it turned out to be good, first would be TACE" in {one.text for one in changes}


def test_missing_facts_stand_in_the_order_of_how_much_they_could_change():
    """A humerus that threatens to break (Cazzato 2018, Figure 3): what is missing does not weigh the same."""
    _, changes = changes_of({
        "histology": "DTC_NOS", "bone_lesion_count": 1, "bone_lesion_painful": True, "bone_lesion_hypervascular": True,
        "bone_lesion_mechanical_stress": True, "bone_fracture_status": "impending",
        "last_lrt_modality": "cryoablation", "bone_lesion_near_nerve": True, "age_years": 60, "mdt_review_done": True,
    })  # fmt: skip
    answers = {}
    for change in changes:
        if change.before is None:
            decided = {change.preferred} if change.preferred else set()
            answers[change.fact] = answers.get(change.fact, set()) | decided
    weights = [len(found) for found in answers.values()]
    assert weights == sorted(weights, reverse=True)
    assert weights[0] > weights[-1]


def test_a_change_to_nothing_says_why():
    _, changes = changes_of({**DIFFUSE, "tumour_multifocal": True, "patient_declined_modalities": []})
    texts = [change.text for change in changes if change.fact == "patient_declined_modalities"]
    assert any("{TACE}" in text for text in texts)


def test_of_a_missing_number_each_answer_is_told_once_and_from_its_limit_on():
    facts = {**DIFFUSE, "performance_status_class": "poor"}
    del facts["life_expectancy_months"]
    _, changes = changes_of(facts)
    told = [(change.after, change.preferred) for change in changes if change.fact == "life_expectancy_months"]
    assert told == [(D(0), ("board_only",)), (D(3), ("TARE",))], "TARE from 3 months on (Anbari 2023)"


def test_a_change_of_a_set_adds_or_takes_one_word():
    _, changes = changes_of({**DIFFUSE, "patient_declined_modalities": ["laser"]})
    (declined,) = [change for change in changes if change.fact == "patient_declined_modalities"]
    assert "if it were {TACE, laser}, first would be TARE" in declined.text


def test_a_fact_that_only_a_need_names_may_be_worth_getting():
    facts = {**DIFFUSE, "performance_status_class": "poor"}
    del facts["liver_imaging_age_days"]
    selection, changes = changes_of(facts)
    assert selection.status == "cannot_decide"
    aged = [change for change in changes if change.fact == "liver_imaging_age_days"]
    assert {change.preferred for change in aged} == {("TARE",)}, "radioembolisation waits for the age of the images"
    assert {change.status for change in aged} == {"recommend"}


def test_liver_tests_that_grow_too_old_leave_the_answer_open():
    """Pugh 1973: bilirubin past 51 (3), albumin of 28 to 35 (2), and 1 for each other part: 8, past the limit of B7."""
    parts = {
        "bilirubin_total_umol_l": 52, "albumin_g_l": 30, "inr": "1.1", "ascites_grade": "none",
        "encephalopathy_grade": 0, "liver_function_age_days": 30,
    }  # fmt: skip
    facts = {name: raw for name, raw in DIFFUSE.items() if name != "child_pugh_score"}
    selection, changes = changes_of({**facts, **parts})
    assert [option.modality for option in selection.options if option.rank == 1] == ["board_only"]
    (aged,) = [change for change in changes if change.fact == "liver_function_age_days"]
    assert (aged.after, aged.status) == (31, "cannot_decide"), "old parts that spoke against TACE do not open it"


POOR = {**DIFFUSE, "performance_status_class": "poor"}
RESIN = {"microsphere_type": "resin", "activity_method": "bsa"}
ALL_BUT_TARE = ["RFA", "MWA", "laser", "cryoablation", "PEI", "TACE", "TAE", "ablation_plus_TACE"]


@pytest.mark.parametrize(
    ("facts", "name", "expected", "why"),
    [
        ({**DIFFUSE, "renal_failure": True}, "renal_failure", [(False, ("TACE",))], "a yes that were a no"),
        ({**DIFFUSE, "hepatic_artery_access_contraindicated": False}, "hepatic_artery_access_contraindicated",
         [(True, ("board_only",))], "a fact on which one contraindication hangs, and nothing else"),
        (POOR, "life_expectancy_months", [(D("2.9"), ("board_only",))], "the nearest value below, not the lowest"),
        ({**POOR, **RESIN, "lung_shunt_fraction": D("0.05")}, "lung_shunt_fraction", [(D("0.2"), ("board_only",))],
         "a limit that is no whole number"),
    ],
)  # fmt: skip
def test_the_nearest_value_that_changes_what_stands_first(facts, name, expected, why):
    _, changes = changes_of(facts)
    assert [(change.after, change.preferred) for change in changes if change.fact == name] == expected, why


def test_answers_that_differ_in_their_status_alone_are_told_apart_and_each_once():
    facts = {**POOR, "patient_declined_modalities": ALL_BUT_TARE}
    del facts["life_expectancy_months"]
    _, changes = changes_of(facts)
    told = [(one.after, one.status, one.preferred) for one in changes if one.fact == "life_expectancy_months"]
    assert told == [(D(0), "excluded_all", ("board_only",)), (D(3), "recommend", ("TARE",))]


def test_of_a_missing_whole_number_each_answer_is_told_once():
    facts = {name: raw for name, raw in POOR.items() if name not in {"child_pugh_score", "liver_insufficiency_severe"}}
    _, changes = changes_of(facts)
    told = [(one.after, one.status) for one in changes if one.fact == "child_pugh_score"]
    assert told == [(10, "excluded_all")], "class C is severe insufficiency (CON-LIVERINSUFF)"


def test_no_value_is_tried_that_a_fact_cannot_have():
    facts = {name: raw for name, raw in VIGNETTES["VIG-069"].items() if name != "rai_planned_activity_mci"}
    _, changes = changes_of(facts)
    tried = [change.after for change in changes if change.fact == "rai_planned_activity_mci"]
    assert tried
    assert all(read_fact("rai_planned_activity_mci", value) == value for value in tried), "no activity of 0"
