"""From facts to an answer: the pathway, the precedence of verdicts, the ranks, and what an answer waits for."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from connector.core.catalogue import read_fact
from connector.core.evidence import Observed
from connector.core.rules import Rule, Verdict
from connector.core.selection import select
from connector.core.selection.ranking import Standing, ranks, standing
from connector.core.sources import HOUSE, NERVO_2021, ZHANG_2025

TODAY = date(2026, 1, 31)
PUBLISHED = Path(__file__).parents[1] / "published" / "vignettes.json"
VIGNETTES = {case["id"]: case["facts"] for case in json.loads(PUBLISHED.read_text(), parse_float=Decimal)["vignettes"]}
DIFFUSE, LIMITED = VIGNETTES["VIG-001"], VIGNETTES["VIG-017"]
LUNG, BONE, RADIOIODINE = VIGNETTES["VIG-074"], VIGNETTES["VIG-015"], VIGNETTES["VIG-069"]
GONE = object()


def answer(base, today=TODAY, **changes):
    """The answer to a vignette with some facts changed, or taken away by GONE."""
    facts = {name: raw for name, raw in {**base, **changes}.items() if raw is not GONE}
    return select({name: Observed(read_fact(name, raw), "case") for name, raw in facts.items()}, today)


def first(selection):
    return {option.modality for option in selection.options if option.rank == 1}


def verdict(selection, modality):
    return next((option.verdict for option in selection.options if option.modality == modality), None)


@pytest.mark.parametrize(
    ("base", "changes", "status", "preferred", "why"),
    [
        (DIFFUSE, {}, "recommend", {"TACE"}, "diffuse, good status"),
        (DIFFUSE, {"tace_contraindicated": True}, "recommend", {"TARE"}, "TARE when TACE is contraindicated"),
        (DIFFUSE, {"performance_status_class": "poor"}, "recommend", {"TARE"}, "poor, inside the limits of TARE"),
        (DIFFUSE, {"performance_status_class": "poor", "life_expectancy_months": Decimal("2.9")}, "recommend",
         {"board_only"}, "poor, outside the limits of TARE: TACE is for good status"),
        (DIFFUSE, {"performance_status_class": GONE}, "cannot_decide", set(), "TACE or TARE hangs on the status"),
        (DIFFUSE, {"liver_insufficiency_severe": GONE}, "cannot_decide", set(), "blocks every liver treatment"),
        (DIFFUSE, {"liver_lesion_hypervascular": GONE}, "cannot_decide", set(), "blocks TACE, where the path leads"),
        (DIFFUSE, {"liver_lobes_involved": GONE, "liver_lesion_count": 5}, "recommend", {"TACE"},
         "five lesions are diffuse in whatever lobe"),
        (DIFFUSE, {"extrahepatic_disease_status": "progressive"}, "recommend", {"systemic_therapy"},
         "both progress: systemic therapy"),
        (DIFFUSE, {"extrahepatic_disease_status": GONE}, "cannot_decide", set(), "eligibility hangs on it"),
        (DIFFUSE, {"pregnancy_status": "pregnant"}, "recommend", {"board_only"}, "pregnancy: board only"),
        (DIFFUSE, {"pregnancy_status": GONE}, "recommend", {"TACE"}, "unknown pregnancy blocks TARE, not TACE"),
        (DIFFUSE, {"histology": GONE}, "cannot_decide", set(), "without histology nothing is offered"),
        (DIFFUSE, {"histology": "PDTC"}, "recommend", {"board_only"}, "no rule set"),
        (DIFFUSE, {"histology": "ATC"}, "recommend", {"board_only"}, "no rule set"),
        (DIFFUSE, {"coagulopathy_status": "uncorrected"}, "excluded_all", {"board_only"}, "absolute for all"),
        (DIFFUSE, {"coagulopathy_status": "corrected"}, "recommend", {"TACE"}, "corrected is allowed"),
        (DIFFUSE, {"pheochromocytoma_status": GONE}, "cannot_decide", set(), "MTC without exclusion of it"),
        (DIFFUSE, {"ecog_ps": 4}, "contradictory_data", set(), "contradictory facts prefer nothing"),
        (DIFFUSE, {"ecog_ps": 4, "coagulopathy_status": "uncorrected"}, "contradictory_data", set(),
         "a contradiction is said before everything else"),
        (LIMITED, {}, "recommend", {"RFA"}, "limited, not operable, away from ducts"),
        (LIMITED, {"liver_lesion_count": 3}, "recommend", {"RFA"}, "three are still limited"),
        (LIMITED, {"liver_lesion_count": 4}, "recommend", {"board_only"}, "four in one lobe: the figure has no branch"),
        (LIMITED, {"liver_lesion_near_bile_duct": True}, "recommend", {"TACE"}, "near a duct: vascular"),
        (LIMITED, {"liver_lesion_at_hilum": True}, "recommend", {"TACE"}, "at the hilum: vascular"),
        (LIMITED, {"liver_lesion_at_hilum": GONE}, "cannot_decide", set(), "the duct node is not answered"),
        (LIMITED, {"performance_status_class": GONE}, "cannot_decide", set(), "blocks all ablative preference"),
        (LIMITED, {"surgical_candidate": True, "resection_feasible": True}, "recommend", {"surgery"}, "operable"),
        (LIMITED, {"surgical_candidate": True, "resection_feasible": GONE}, "cannot_decide", set(), "operable?"),
        (LIMITED, {"surgical_candidate": True, "resection_feasible": True,
                   "patient_declined_modalities": ["surgery"]}, "recommend", {"RFA", "MWA"}, "declined surgery"),
        (LIMITED, {"liver_lesion_count": GONE}, "cannot_decide", set(), "the first node is not answered"),
        (LIMITED, {"liver_lesion_count": 0, "liver_lesion_largest_diameter_mm": GONE}, "recommend", {"board_only"},
         "no liver lesion, and nothing else known"),
        (LIMITED, {"patient_declined_modalities": ["RFA"]}, "recommend", {"MWA"}, "declined is not offered"),
        (LUNG, {}, "recommend", {"lung_RFA"}, "slow, small, macronodular"),
        (LUNG, {"disease_tempo": GONE}, "cannot_decide", set(), "curative intent hangs on the tempo"),
        (LUNG, {"lung_lesion_largest_diameter_mm": 30}, "recommend", {"board_only"}, "30 mm is a contraindication"),
        (BONE, {}, "recommend", {"bone_embolisation"}, "hypervascular"),
        (BONE, {"bone_lesion_hypervascular": False, "bone_lesion_mechanical_stress": False,
                "bone_fracture_status": "none", "bone_lesion_lytic": False, "systemic_therapy_current": "none"},
         "recommend", {"board_only"}, "nothing is indicated"),
        (BONE, {"bone_lesion_hypervascular": GONE, "bone_lesion_mechanical_stress": False,
                "bone_fracture_status": "none", "bone_lesion_lytic": False}, "recommend", {"board_only"},
         "embolisation hangs on vascularity, which is asked for and blocks nothing"),
        (RADIOIODINE, {}, "recommend", {"RAI"}, "avid, not refractory, at the ceiling"),
        (RADIOIODINE, {"rai_planned_activity_mci": Decimal("100.1")}, "recommend", {"board_only"}, "past 600 mCi"),
        (RADIOIODINE, {"rai_cumulative_activity_mci": GONE}, "cannot_decide", set(), "the lifetime activity"),
        (RADIOIODINE, {"histology": GONE}, "cannot_decide", set(), "uptake alone names no disease"),
        ({}, {}, "cannot_decide", set(), "nothing is known"),
        ({}, {"liver_lesion_count": 0}, "recommend", {"board_only"}, "only that the liver is free"),
    ],
)  # fmt: skip
def test_the_answer_follows_the_pathway(base, changes, status, preferred, why):
    selection = answer(base, **changes)
    assert (selection.status, first(selection)) == (status, preferred), why


@pytest.mark.parametrize(
    ("base", "changes", "modality", "expected", "why"),
    [
        (DIFFUSE, {"clinical_liver_failure": True, "child_pugh_score": GONE}, "TARE", "excluded",
         "one absolute exclusion is enough, whatever else is unknown"),
        (DIFFUSE, {"renal_failure": True, "child_pugh_score": GONE}, "TARE", "cannot_decide",
         "an unknown eligibility fact is said before a relative contraindication"),
        (DIFFUSE, {"renal_failure": True, "prescribed_activity_gbq": 2}, "TARE", "relative_contraindication",
         "a known contraindication is said before what a prescription lacks"),
        (DIFFUSE, {"prescribed_activity_gbq": 2}, "TARE", "cannot_decide", "a prescription lacks the shunt"),
        (DIFFUSE, {"prescribed_activity_gbq": 2, "lung_shunt_fraction": Decimal("0.05"), "lung_mass_kg": 1,
                   "extrahepatic_deposition_on_maa": False}, "TARE", "possible", "everything for a prescription"),
        (DIFFUSE, {"prescribed_activity_gbq": 2, "lung_shunt_fraction": Decimal("0.05"), "predicted_lung_dose_gy": 5,
                   "extrahepatic_deposition_on_maa": False}, "TARE", "possible", "a lung dose stands for the mass"),
        (DIFFUSE, {}, "TARE", "possible", "without a prescription nothing of it is asked"),
        (DIFFUSE, {"extrahepatic_deposition_on_maa": True}, "TARE", "excluded", "until corrected and tested again"),
        (DIFFUSE, {"prior_lrt_modalities": ["TARE"]}, "TARE", "cannot_decide", "the earlier lung dose is not known"),
        (DIFFUSE, {"liver_tumour_burden_percent": 50}, "TARE", "possible", "50 % is the limit"),
        (DIFFUSE, {"liver_tumour_burden_percent": Decimal("50.1")}, "TARE", "relative_contraindication", "past 50 %"),
        (DIFFUSE, {}, "surgery", "relative_contraindication", "bilobar and not resectable"),
        (DIFFUSE, {"resection_feasible": True}, "surgery", "excluded", "resectable, but no candidate"),
        (DIFFUSE, {"resection_feasible": True, "surgical_candidate": True}, "surgery", "possible",
         "shown in diffuse disease when the surgeon says so"),
        (LIMITED, {}, "surgery", "excluded", "the surgeon said no"),
        (LIMITED, {"liver_lobes_involved": GONE}, "surgery", "cannot_decide", "which no it is hangs on the lobes"),
        (LIMITED, {"systemic_therapy_eligible": False}, "systemic_therapy", "excluded", "the oncologist said no"),
        (LIMITED, {"rai_refractory": True}, "EBRT", "possible", "spoken of in refractory disease"),
        (LIMITED, {}, "EBRT", None, "no rule speaks of it"),
        (LIMITED, {"pheochromocytoma_status": "suspected", "surgical_candidate": True, "resection_feasible": True},
         "surgery", "preferred", "a requirement for surgery, not an exclusion"),
        (LIMITED, {"liver_lesion_count": 2, "bone_lesion_count": 1, "bone_lesion_hypervascular": True,
                   "extrahepatic_disease_status": "stable"},
         "bone_embolisation", "preferred", "every site has its own first option"),
        (LUNG, {}, "RFA", None, "the liver is not in question"),
    ],
)  # fmt: skip
def test_an_option_gets_the_strongest_verdict(base, changes, modality, expected, why):
    assert verdict(answer(base, **changes), modality) == expected, why


def rule(name, verdict_word, source, kind="option"):
    return Rule(id=name, when=None, verdict=verdict_word, kind=kind, says="", cite=source.at(""), options=("RFA",))


RFA_RULES = [rule("A", Verdict.PREFERS, ZHANG_2025), rule("B", Verdict.INDICATES, NERVO_2021)]


@pytest.mark.parametrize(
    ("better", "worse", "why"),
    [
        (standing("RFA", [rule("A", Verdict.INDICATES, HOUSE)], targets=()),
         standing("MWA", [*RFA_RULES, rule("C", Verdict.RELATIVE, HOUSE)], targets=("MWA",)),
         "no contraindication comes first"),
        (standing("RFA", RFA_RULES, targets=("RFA",)), standing("MWA", [*RFA_RULES, *RFA_RULES], targets=()),
         "then where the pathway leads"),
        (standing("RFA", [rule("A", Verdict.PREFERS, NERVO_2021)], targets=()),
         standing("MWA", [rule("B", Verdict.INDICATES, ZHANG_2025)] * 3, targets=()), "prefers beats indicates"),
        (standing("RFA", [rule("A", Verdict.PREFERS, ZHANG_2025)], targets=()),
         standing("MWA", [rule("B", Verdict.PREFERS, NERVO_2021)] * 3, targets=()), "a review beats a case series"),
        (standing("RFA", RFA_RULES, targets=()), standing("MWA", RFA_RULES[:1], targets=()), "one more statement"),
        (standing("RFA", RFA_RULES[1:], targets=()), standing("laser", RFA_RULES, targets=("laser",)),
         "laser is never first"),
        (standing("RFA", RFA_RULES[:1], targets=()),
         standing("MWA", [rule("A", Verdict.PREFERS, ZHANG_2025, "dose")], targets=()), "doses do not rank options"),
        (standing("RFA", [rule("A", Verdict.PREFERS, ZHANG_2025, "pathway")], targets=()),
         standing("MWA", [], targets=()), "the statements of the pathway do"),
    ],
)  # fmt: skip
def test_options_are_ranked_by_contraindication_pathway_strength_and_source(better, worse, why):
    ranked = ranks([worse, better], first_is_open=True)
    assert ranked[better.modality] < ranked[worse.modality], why


def test_ties_share_a_rank_and_rank_1_stays_empty_when_nothing_may_lead():
    tied = [Standing(name, (0, False, True, (0,))) for name in ("RFA", "MWA")]
    last = Standing("TAE", (1, False, True, (0,)))
    assert ranks([*tied, last], first_is_open=True) == {"RFA": 1, "MWA": 1, "TAE": 2}
    assert ranks([*tied, last], first_is_open=False) == {"RFA": 2, "MWA": 2, "TAE": 3}
    assert ranks([last], first_is_open=True) == {"TAE": 2}
    assert ranks([], first_is_open=True) == {}


@pytest.mark.parametrize(
    ("base", "changes", "modality", "expected"),
    [
        (DIFFUSE, {}, "TACE", ""),
        (DIFFUSE, {}, "TARE", "behind TACE: the pathway leads to TACE"),
        (DIFFUSE, {}, "systemic_therapy", "behind TACE: no source prefers or indicates it in this case"),
        (DIFFUSE, {}, "RFA", "behind TACE: 1 relative contraindication"),
        (DIFFUSE, {"renal_failure": True, "contrast_media_allergy": True}, "TARE", ""),
        (DIFFUSE, {}, "RAI", ""),
        (LIMITED, {}, "MWA", "behind RFA: fewer or weaker statements of the sources speak for it"),
        (LIMITED, {}, "laser", "behind RFA: it is marginal and experimental, and never first"),
        (LIMITED, {}, "PEI", "behind RFA: it is reported once, together with TAE, and never first"),
        (LIMITED, {}, "cryoablation", "behind RFA: no source tells of it in the liver, and it is never first"),
        (DIFFUSE, {"surgical_candidate": True, "resection_feasible": True}, "surgery",
         "behind TACE: the pathway does not lead to it"),
        (LIMITED, {"ablation_contraindicated": True, "liver_lesion_near_bile_duct": True}, "RFA",
         "behind TACE: 2 relative contraindications"),
        (LIMITED, {"surgical_candidate": True, "resection_feasible": True, "patient_declined_modalities": ["surgery"]},
         "TACE", "behind RFA or MWA: the pathway leads to RFA or MWA"),
        (LUNG, {}, "systemic_therapy", "behind lung_RFA: no source prefers or indicates it in this case"),
    ],
)  # fmt: skip
def test_an_offered_option_says_why_it_is_not_first(base, changes, modality, expected):
    found = next(option for option in answer(base, **changes).options if option.modality == modality)
    assert found.why_not_first == expected


@pytest.mark.parametrize(
    ("changes", "rule_id"),
    [
        ({"liver_lobes_involved": "unilobar", "liver_lesion_count": 4}, "F2-N1-FOUR"),
        ({"liver_tumour_burden_percent": Decimal("70.1")}, "TARE-REL-BURDEN70"),
        ({"pregnancy_status": "pregnant"}, "GEN-DER-PREG"),
        ({"histology": "PDTC"}, "GEN-MDT-ENDO"),
        ({"histology": "ATC"}, "HOUSE-BOARD-NO-RULE-SET"),
    ],
)
def test_the_board_is_told_what_leaves_the_case_to_it(changes, rule_id):
    found = next(option for option in answer(DIFFUSE, **changes).options if option.modality == "board_only")
    assert rule_id in {reason.rule for reason in found.because}


@pytest.mark.parametrize(
    ("changes", "nodes"),
    [
        ({}, [("yes", "Liver"), ("no", "Extrahepatic"), ("yes", "Limited"), ("no", "Surgery"), ("no", "Near"),
              ("yes", "Good")]),
        ({"liver_lesion_count": 4}, [("yes", "Liver"), ("no", "Extrahepatic"), ("no", "Limited"), ("yes", "Four")]),
        ({"liver_lobes_involved": "bilobar"}, [("yes", "Liver"), ("no", "Extrahepatic"), ("no", "Limited"),
                                               ("no", "Four"), ("yes", "Diffuse"), ("yes", "Liver"), ("yes", "Good")]),
        ({"liver_lesion_count": 5, "tace_contraindicated": True},
         [("yes", "Liver"), ("no", "Extrahepatic"), ("no", "Limited"), ("no", "Four"), ("yes", "Diffuse"),
          ("yes", "Liver"), ("yes", "Good"), ("yes", "TACE")]),
        ({"liver_lobes_involved": GONE}, [("yes", "Liver"), ("no", "Extrahepatic"), ("unknown", "Limited"),
                                          ("unknown", "Diffuse")]),
        ({"liver_lesion_count": GONE}, [("unknown", "Liver")]),
    ],
)  # fmt: skip
def test_the_pathway_is_told_node_by_node(changes, nodes):
    path = answer(LIMITED, **changes).pathway
    assert [(node.answer, node.node.split()[0]) for node in path] == nodes
    assert all(str(node.source).startswith("Zhang 2025") for node in path)


@pytest.mark.parametrize(
    ("base", "changes", "needed", "why"),
    [
        (LUNG, {"lung_pattern": GONE, "rai_refractory": True}, ("lung_pattern",),
         "a drug does not lead while it is open whether the lesions can be ablated"),
        (LUNG, {"lung_pattern": GONE}, ("lung_pattern",), "radioiodine has questions of its own, which are listed"),
        (VIGNETTES["VIG-079"], {"bone_lesion_mechanical_stress": True, "bone_fracture_status": GONE,
                                "rai_refractory": True}, ("bone_fracture_status",), "nor while it may be broken"),
        (VIGNETTES["VIG-069"], {"rai_avid": GONE}, ("rai_avid",), "no organ is named: radioiodine"),
    ],
)  # fmt: skip
def test_away_from_the_liver_an_answer_waits_for_what_its_organ_asks(base, changes, needed, why):
    selection = answer(base, **changes)
    assert (selection.status, selection.blocking) == ("cannot_decide", needed), why
    assert set(needed) <= set(selection.missing)


@pytest.mark.parametrize(
    ("changes", "first", "why"),
    [
        ({"lung_lesion_largest_diameter_mm": 30}, {"systemic_therapy"}, "past the size an ablation stands behind"),
        ({"rai_avid": True, "rai_refractory": False, "rai_cumulative_activity_mci": 100, "breastfeeding": False,
          "rai_planned_activity_mci": 100, "pregnancy_status": "not_pregnant"}, {"RAI"}, "radioiodine does not wait"),
        ({"disease_tempo": "rapid", "lung_lesion_largest_diameter_mm": GONE}, {"systemic_therapy"},
         "ablation is for what grows slowly (Cazzato 2018), whatever its size and pattern"),
        ({"disease_tempo": "rapid", "lung_pattern": "macronodular", "coagulopathy_status": GONE}, {"systemic_therapy"},
         "nor does the answer wait for what stands against an option that nothing speaks for"),
        ({"liver_lesion_count": 0, "liver_disease_status": "progressive", "extrahepatic_disease_status": "progressive"},
         {"systemic_therapy"}, "where everything progressed, the drug was preferred (Nervo 2021), so it stands before"),
    ],
)  # fmt: skip
def test_an_open_question_about_the_lung_that_changes_nothing_holds_nothing_up(changes, first, why):
    selection = answer(LUNG, **{"lung_pattern": GONE, "rai_refractory": True, **changes})
    assert selection.status == "recommend", why
    assert {option.modality for option in selection.options if option.rank == 1} == first, why


@pytest.mark.parametrize("lytic", [True, False, GONE])
def test_nothing_leads_in_any_site_while_a_phaeochromocytoma_is_not_settled(lytic):
    """In MTC it excludes (GEN-DER-PHEO); elsewhere the board alone decides, and is told what to settle first."""
    operable = {**LIMITED, "histology": "PTC", "surgical_candidate": True, "resection_feasible": True}
    for base, changes in ((operable, {}), (BONE, {"bone_lesion_lytic": lytic, "histology": "PTC"})):
        selection = answer(base, **changes, pheochromocytoma_status="suspected", men2_status="sporadic")
        assert selection.status == "recommend"
        assert [option.modality for option in selection.options if option.rank == 1] == ["board_only"]
        assert "HOUSE-PHEO" in {reason.rule for reason in selection.options[0].because}
        assert "HOUSE-PHEO" in {measure.rule for measure in selection.measures}
