"""Every disagreement of the sources is named on a case that it touched, and on no other: its rules, its limits."""

import re
from decimal import Decimal

import pytest

from connector.core.rules import ALWAYS
from connector.core.selection.conflicts import CONFLICTS, touching
from connector.core.selection.registry import RULE, RULES

D = Decimal
# The catalogue of conflicts, read once against the rules: which of them rest on a resolution.
BY_RULE = """
CON-F2-THREE F2-N1-THREE
CON-F2-FOUR F2-N1-FOUR
CON-F2-DUCTARROW F2-N3-ABL F2-N3-VASC
CON-F2-STATUS F2-N4-EVAL
CON-HILUM ABL-HILUM ABL-REL-DUCT
CON-CRITICAL GEN-IRT-SELECT-CRIT
CON-RANK-TACE-TARE GL-ESMO-TACELAST
CON-ETA-ESMO GL-ESMO-SOLITARY GL-ETA-OLIGO
CON-TACE-SIZE TACE-SIZE-GE30
CON-TACE-30-33-50 TACE-BURDEN-GREY TACE-BURDEN-MAX
CON-CITE-30 TACE-BURDEN-30
CON-TARE-BURDEN TARE-REL-BURDEN50 TARE-REL-BURDEN70
CON-RFA-SIZE ABL-RISK-20 RFA-PUB-DER70 RFA-SIZE-50
CON-MARGIN ABL-MARGIN-10 ABL-MARGIN-5
CON-MWA-HEAT MWA-HEATSINK
CON-LASER LASER-170
CON-CRYO CRYO-ATA
CON-COAG GEN-ABS-COAG HOUSE-COAG-CORRECTED TARE-REL-COAG
CON-LIVERINSUFF GEN-ABS-LIVERINSUFF GEN-DER-CPC TARE-ABS-LIVERFAIL
CON-CPB7 TACE-DER-CP TARE-REL-CPB7
CON-PVT TACE-DER-PVT TARE-REL-PVT
CON-PVTTARGET TARE-REL-PVTTARGET
CON-EXTRADEP TARE-EXTRADEP
CON-PHEO GEN-DER-PHEO HOUSE-PHEO
CON-TARE-PREG GEN-DER-PREG TARE-ABS-PREGNANCY
CON-CARDIO TACE-CV
CON-RENAL TARE-REL-RENAL
CON-BILIARY-ANAST TARE-BDANAST
CON-BSA TARED-BSA
CON-PARTITION-D TARED-PARTITION
CON-MIRD50 TARED-MIRD
CON-LUNGOVER TARE-LUNG-OVEREST
CON-EMPIRIC TARED-EMPIRIC-HIGH
CON-EMPIRIC-BURDEN TARED-EMPIRIC-HIGH
CON-LOWBURDEN AE-REILD-RISK-LOWBURDEN
CON-POSTIMG TARED-POSTIMG TARED-POSTPET
CON-TKI-HOLD SYS-ETA-HOLD SYS-VEGF-HOLD
CON-TKI-EFFECT SYS-INTERFERE
CON-TKI-DATED SYS-TKI-RAIR
CON-RAI600 RAI-CEILING RAI-SALVAGE
CON-RAI-REFR RAI-REFRACT
CON-004-QUALITY EBRT-ADDTOX RAI-SALVAGE
CON-EBRT-ADD EBRT-ADDTOX EBRT-EMBO
CON-MTC-RAI RAI-MTC-NO
CON-STRATA-M1 STRAT-ATA-HIGH-M STRAT-TNM-HIGH
CON-TNM-LOW STRAT-TNM-LOW
CON-CEA30 BIO-CEA30-CRC
CON-DISCORD BIO-DISCORD-DOWN BIO-DISCORD-UP
CON-FU-1M-3M FU-CT1M FU-TARE-CLIN FU-TARE-IMG
CON-RECIST RESP-UNDEREST RESP-VIABLE
CON-RECIST-PD RESP-PD-DER
CON-SYMPT RESP-SYMPT25
CON-REILD-RATE AE-REILD
CON-REILD-DEF AE-REILD AE-REILD-LABS
CON-GAP-RAIPREG RAI-DER-PREG
CON-GAP-MARROW RAI-MARROW
"""
ON_RULES = {row.split()[0]: set(row.split()[1:]) for row in BY_RULE.strip().splitlines()}
# Marked there for a clinician to confirm; every gap is.
CONFIRM = (
    "CON-F2-THREE CON-F2-FOUR CON-F2-5UNI CON-PS CON-HILUM CON-TACE-30-33-50 CON-TARE-BURDEN CON-MARGIN CON-COAG "
    "CON-LIVERINSUFF CON-CPB7 CON-PVT CON-PHEO CON-TARE-PREG CON-RENAL CON-BILIARY-ANAST CON-DOSE80 CON-SPECACT "
    "CON-TKI-HOLD CON-RAI600 CON-004-QUALITY CON-MTC-RAI CON-RECIST CON-REILD-DEF"
)
# Told in the manual, whatever the case.
NOTES = (
    "CON-F2-TEXT CON-PENETR CON-SPECACT CON-SPHERES CON-NERVO CON-LORENZ CON-FROMIGUE CON-OVERLAP CON-EPI "
    "CON-CITE-DRIFT CON-OWNSERIES CON-BONE-DENOM CON-BONE-INDEX CON-SCOPE CON-NOOS CON-GAP-LABS CON-GAP-DIST "
    "CON-GAP-FLR CON-GAP-ANTIBIOTIC CON-GAP-PROPHYLAXIS CON-GAP-LUNGMWA"
)
BILOBAR, UNILOBAR = {"liver_lobes_involved": "bilobar"}, {"liver_lobes_involved": "unilobar"}
GLASS_MIRD = {"microsphere_type": "glass", "activity_method": "mird_single"}


def test_a_conflict_is_named_where_its_rule_fired():
    assert {conflict.id: set(conflict.rules) for conflict in CONFLICTS if conflict.rules} == ON_RULES
    for name, rules in ON_RULES.items():
        assert all(name in touching({}, [rule]) for rule in rules), name
    assert touching({}, ["FU-QOL"]) == ()


def test_a_rule_and_a_conflict_name_each_other_by_ids_that_exist():
    known = {conflict.id for conflict in CONFLICTS}
    assert len(known) == len(CONFLICTS)
    assert {name for rule in RULES for name in re.findall(r"CON-[A-Z0-9-]+", rule.says)} <= known
    assert {rule for conflict in CONFLICTS for rule in conflict.rules} <= RULE.keys()


def test_no_conflict_hangs_on_what_holds_for_everybody():
    static = {rule.id for rule in RULES if rule.when is ALWAYS}
    assert not [one.id for one in CONFLICTS if not static.isdisjoint(one.rules)], "it would be told of every case"


def test_what_a_clinician_has_to_confirm_and_what_is_a_note():
    gaps = {conflict.id for conflict in CONFLICTS if conflict.id.startswith("CON-GAP-")}
    assert len(gaps) == 17
    assert {conflict.id for conflict in CONFLICTS if conflict.to_confirm} == {*CONFIRM.split(), *gaps}
    assert {one.id for one in CONFLICTS if not one.rules and one.when is None} == set(NOTES.split())


@pytest.mark.parametrize(
    ("name", "values", "touched", "why"),
    [
        ("CON-F2-BILOBAR", BILOBAR | {"liver_lesion_count": 3}, True, "few and in both lobes"),
        ("CON-F2-BILOBAR", BILOBAR | {"liver_lesion_count": 4}, False, "not few"),
        ("CON-F2-BILOBAR", UNILOBAR | {"liver_lesion_count": 3}, False, "one lobe"),
        ("CON-F2-5UNI", UNILOBAR | {"liver_lesion_count": 5}, True, "more than 4 in one lobe"),
        ("CON-F2-5UNI", UNILOBAR | {"liver_lesion_count": 4}, False, "4 are CON-F2-FOUR"),
        ("CON-F2-5UNI", BILOBAR | {"liver_lesion_count": 5}, False, "both criteria agree"),
        ("CON-F2-SURGDIFFUSE", BILOBAR | {"resection_feasible": True}, True, "diffuse by lobes"),
        ("CON-F2-SURGDIFFUSE", UNILOBAR | {"resection_feasible": True, "liver_lesion_count": 5}, True, "by number"),
        ("CON-F2-SURGDIFFUSE", UNILOBAR | {"resection_feasible": True, "liver_lesion_count": 4}, False, "neither"),
        ("CON-F2-SURGDIFFUSE", BILOBAR | {"resection_feasible": False}, False, "nobody would operate"),
        ("CON-PS", {"ecog_ps": 0}, True, "an ECOG grade is given, and no source has a cut-off"),
        ("CON-PS", {"performance_status_class": "good"}, False, "the clinician's word"),
        ("CON-EXTRAHEP", {"extrahepatic_disease_status": "progressive"}, True, "stable or not is what differs"),
        ("CON-EXTRAHEP", {"extrahepatic_disease_status": "stable"}, False, "all sources agree"),
        ("CON-SIZE-EXACT30", {"liver_lesion_largest_diameter_mm": D(30)}, True, "in neither class"),
        ("CON-SIZE-EXACT30", {"liver_lesion_largest_diameter_mm": D("30.1")}, False, "above 3 cm"),
        ("CON-SIZE-EXACT30", {"liver_lesion_largest_diameter_mm": D("29.9")}, False, "below 3 cm"),
        ("CON-MWA-MAX", {"liver_lesion_largest_diameter_mm": D(55)}, False, "the largest that was ablated (Nervo)"),
        ("CON-MWA-MAX", {"liver_lesion_largest_diameter_mm": D("55.1")}, True, "larger than any reported"),
        ("CON-TARE-POOR", {"performance_status_class": "poor"}, True, "poor status of what"),
        ("CON-TARE-POOR", {"performance_status_class": "good"}, False, "not in question"),
        ("CON-LUNG061", {"lung_activity_gbq": D(0), "predicted_lung_dose_gy": D(0)}, True, "both limits are tested"),
        ("CON-LUNG061", {"lung_activity_gbq": D(0)}, False, "one of them only"),
        ("CON-LUNG061", {"predicted_lung_dose_gy": D(0)}, False, "the other only"),
        ("CON-EMPIRIC", {"activity_method": "empiric", "liver_tumour_burden_percent": D(25)}, True, "in two rows"),
        ("CON-EMPIRIC", {"activity_method": "empiric", "liver_tumour_burden_percent": D(24)}, False, "in one row"),
        ("CON-EMPIRIC", {"activity_method": "empiric", "liver_tumour_burden_percent": D(26)}, False, "in one row"),
        ("CON-EMPIRIC", {"activity_method": "bsa", "liver_tumour_burden_percent": D(25)}, False, "another method"),
        ("CON-DOSE80", GLASS_MIRD, True, "80 to 150 Gy is of glass in one compartment"),
        ("CON-DOSE80", GLASS_MIRD | {"microsphere_type": "resin"}, False, "not of resin"),
        ("CON-DOSE80", GLASS_MIRD | {"activity_method": "partition"}, False, "nor of two compartments"),
        ("CON-FTC4", {"histology": "FTC", "vascular_invasion_foci_count": 4}, True, "neither < 4 nor > 4"),
        ("CON-FTC4", {"histology": "FTC", "vascular_invasion_foci_count": 5}, False, "high risk"),
        ("CON-FTC4", {"histology": "PTC", "vascular_invasion_foci_count": 4}, False, "of follicular carcinoma"),
        ("CON-N1MID", {"pathologic_n1_count": 5, "n1_largest_mm": D("2.1")}, True, "few, and no micrometastases"),
        ("CON-N1MID", {"pathologic_n1_count": 5, "n1_largest_mm": D("29.9")}, True, "few, below 3 cm"),
        ("CON-N1MID", {"pathologic_n1_count": 5, "n1_largest_mm": D(2)}, False, "low risk"),
        ("CON-N1MID", {"pathologic_n1_count": 5, "n1_largest_mm": D(30)}, False, "3 cm"),
        ("CON-N1MID", {"pathologic_n1_count": 6, "n1_largest_mm": D(10)}, False, "more than 5: intermediate"),
        ("CON-CT6", {"calcitonin_doubling_time_months": D(6)}, True, "6 exactly is silent"),
        ("CON-CT6", {"calcitonin_doubling_time_months": D("6.1")}, False, "slower"),
        ("CON-GAP-TGAB", {"tg_antibodies_positive": True}, True, "thyroglobulin is unreliable"),
        ("CON-GAP-TGAB", {"tg_antibodies_positive": False}, False, "it is not"),
        ("CON-GAP-RESIN", {"microsphere_type": "resin"}, True, "no target dose of resin"),
        ("CON-GAP-RESIN", {"microsphere_type": "glass"}, False, "glass has one"),
        ("CON-GAP-INTERVAL", {"prior_lrt_count": 1}, True, "how long after the last one"),
        ("CON-GAP-INTERVAL", {"prior_lrt_count": 0}, False, "there is none"),
        ("CON-GAP-PDTC", {"histology": "PDTC"}, True, "no rule set"),
        ("CON-GAP-ATC", {"histology": "ATC"}, True, "no rule set"),
        ("CON-GAP-ATC", {"histology": "PDTC"}, False, "another gap"),
        ("CON-GAP-BONESCORE", {"bone_lesion_mechanical_stress": True}, True, "no score of fracture risk"),
        ("CON-GAP-BONESCORE", {"bone_lesion_mechanical_stress": False}, False, "no stress"),
        ("CON-GAP-BRAIN", {"extrahepatic_sites": frozenset({"brain", "lung"})}, True, "the brain"),
        ("CON-GAP-BRAIN", {"extrahepatic_sites": frozenset({"lung"})}, False, "not the brain"),
        ("CON-GAP-PAED", {"age_years": D("17.9")}, True, "a child"),
        ("CON-GAP-PAED", {"age_years": D(18)}, False, "an adult"),
        ("CON-GAP-SELECTIVE", {"systemic_therapy_current": "selective_ret"}, True, "a selective drug"),
        ("CON-GAP-SELECTIVE", {"systemic_therapy_current": "lenvatinib"}, False, "a multikinase inhibitor"),
    ],
)
def test_a_conflict_is_named_from_its_limit_on(name, values, touched, why):
    assert (name in touching(values, ())) is touched, why
