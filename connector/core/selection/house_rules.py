"""What people entered and what no source covers: readings of our own, flagged as such in every answer."""

from connector.core.catalogue import Facts, Sums
from connector.core.dosimetry.cautions import LARGEST_LIVER_KG, LIVER_ML, LUNG_KG
from connector.core.dosimetry.limits import SHUNT_STEPS
from connector.core.rules import Condition, Rule, Verdict
from connector.core.selection.freshness import MOST_DAYS, SCORE_STALE, STALE
from connector.core.sources import HOUSE
from connector.core.vocabulary import INVASIVE, LIVER_LOCOREGIONAL, LOCOREGIONAL, MODALITIES, Modality


def _measure(
    rule_id: str, when: Condition, options: tuple[Modality, ...], says: str, verdict: Verdict = Verdict.REQUIRES
) -> Rule:
    return Rule(
        id=rule_id, when=when, verdict=verdict, kind="measure", options=options, says=says,
        cite=HOUSE.at("what no source covers"), derived=True,
    )  # fmt: skip


def _house(rule_id: str, when: Condition, verdict: Verdict, options: tuple[Modality, ...], says: str) -> Rule:
    return Rule(
        id=rule_id, when=when, verdict=verdict, kind="option", options=options, says=says,
        cite=HOUSE.at("entered by people"), derived=True,
    )  # fmt: skip


def _other_unit(rule_id: str, when: Condition, says: str) -> Rule:
    return Rule(
        id=rule_id, when=when, verdict=Verdict.ADVISES, kind="alert", says=says,
        cite=HOUSE.at("what no source covers"), derived=True,
    )  # fmt: skip


BY_TABLE = Facts.microsphere_type.is_("resin") & Facts.activity_method.among("empiric", "bsa")
MOST_SHUNT, LEAST_SHUNT = SHUNT_STEPS[0][0], SHUNT_STEPS[-1][0]

NO_RULE_SET = Facts.histology.among("PDTC", "ATC")

RULES: tuple[Rule, ...] = (
    *(
        _house(
            f"HOUSE-DECLINED-{modality}",
            Facts.patient_declined_modalities.has(modality),
            Verdict.EXCLUDES,
            (modality,),
            "The patient declined it.",
        )
        for modality in MODALITIES
        if modality != "board_only"
    ),
    # A bilobar liver that cannot be resected is left to SURG-BILOBAR-NO, which words it as "usually not possible".
    _house(
        "HOUSE-SURGERY-NO",
        (~Facts.surgical_candidate | ~Facts.resection_feasible)
        & ~(Facts.liver_lobes_involved.is_("bilobar") & ~Facts.resection_feasible),
        Verdict.EXCLUDES,
        ("surgery",),
        "The surgeon entered that the patient or the disease cannot be operated.",
    ),
    _house(
        "HOUSE-SYSTEMIC-NO",
        ~Facts.systemic_therapy_eligible,
        Verdict.EXCLUDES,
        ("systemic_therapy",),
        "The oncologist entered that the patient is not eligible.",
    ),
    _house(
        "HOUSE-RAI-NOT-AVID",
        ~Facts.rai_avid,
        Verdict.RELATIVE,
        ("RAI",),
        "No uptake of radioiodine was seen, so radioiodine has nothing to act on.",
    ),
    # Two sources, two words: one excludes every local treatment, the other TARE alone (CON-LIVERINSUFF).
    _house(
        "HOUSE-LIVER-FAILURE",
        Facts.clinical_liver_failure,
        Verdict.RELATIVE,
        (*LIVER_LOCOREGIONAL, "surgery"),
        "Clinical liver failure was entered: TARE is excluded, and whether it is the severe insufficiency that "
        "excludes every other treatment of the liver is for the board.",
    ),
    _house(
        "HOUSE-SURGERY-LIVER-INSUFFICIENCY",
        Facts.liver_insufficiency_severe,
        Verdict.RELATIVE,
        ("surgery",),
        "Severe liver insufficiency excludes local treatments; on resection no source speaks, and the board decides.",
    ),
    # BONE-OSTEOSYN names cement beside the screws; alone it is for lytic metastases (Cazzato 2018, techniques).
    _house(
        "HOUSE-CEMENT-NOT-LYTIC",
        ~Facts.bone_lesion_lytic,
        Verdict.RELATIVE,
        ("cementoplasty",),
        "Cement fills the defect of a lytic metastasis, and this one is not lytic.",
    ),
    # In range, and what the same finding would read in another common unit: a wrong number that nobody would see.
    _other_unit(
        "HOUSE-UNIT-BILIRUBIN",
        Facts.bilirubin_total_umol_l < 3,
        "Bilirubin is below 3 µmol/L, as a value in mg/dL would be (1 mg/dL is 17.1 µmol/L): check its unit, for "
        "Child-Pugh and ALBI rest on it.",
    ),
    _other_unit(
        "HOUSE-UNIT-ALBUMIN",
        Facts.albumin_g_l < 10,
        "Albumin is below 10 g/L, as a value in g/dL would be: check its unit, for Child-Pugh and ALBI rest on it.",
    ),
    _other_unit(
        "HOUSE-UNIT-CREATININE",
        Facts.creatinine_umol_l < 15,
        "Creatinine is below 15 µmol/L, as a value in mg/dL would be (1 mg/dL is 88.4 µmol/L): check its unit, for "
        "the filtration rate rests on it.",
    ),
    _other_unit(
        "HOUSE-UNIT-LUNG",
        (Facts.lung_mass_kg < LUNG_KG[0]) | (Facts.lung_mass_kg > LUNG_KG[1]),
        f"The lungs weigh less than {LUNG_KG[0]} kg or more than {LUNG_KG[1]} kg: check that their mass is in "
        "kilograms, for the dose to them rests on it.",
    ),
    _other_unit(
        "HOUSE-UNIT-LIVER",
        (Facts.liver_volume_total_ml < LIVER_ML[0])
        | (Facts.liver_volume_total_ml > LIVER_ML[1])
        | (Facts.tumour_mass_kg > LARGEST_LIVER_KG)
        | (Facts.normal_liver_mass_kg > LARGEST_LIVER_KG)
        | (Facts.target_liver_mass_kg > LARGEST_LIVER_KG),
        f"The liver is outside {LIVER_ML[0]} to {LIVER_ML[1]} mL, or a part of it is heavier than a large liver: check "
        "that volumes are in millilitres and masses in kilograms, for burden and activity rest on them.",
    ),
    # What is below 5 mm is noted as too small to measure (RECIST 1.1, section 4.3.2); centimetres would read so.
    _other_unit(
        "HOUSE-UNIT-SIZE",
        Facts.liver_lesion_largest_diameter_mm < 5,
        "The largest liver lesion is below 5 mm, as a size in centimetres would be: check that it is in millimetres, "
        "for the choice of a technique rests on it.",
    ),
    # 30 mCi (1.1 GBq) is the least that is given to treat, for a remnant (ATA 2015, recommendation 55).
    _other_unit(
        "HOUSE-UNIT-RAI",
        (Facts.rai_planned_activity_mci < 30)
        | (Facts.rai_planned_activity_mci > 1000)
        | ((Facts.rai_cumulative_activity_mci > 0) & (Facts.rai_cumulative_activity_mci < 30))
        | (Facts.rai_cumulative_activity_mci > 3000),
        "The radioiodine planned or given before is outside what treatments come to in mCi, as a value in GBq or MBq "
        "would be (1 GBq is 27 mCi): check its unit, for the ceiling of 600 mCi rests on it.",
    ),
    # GEN-DER-PHEO excludes in MTC and MEN2 until it is ruled out; one that is known of is no less a danger elsewhere,
    # so nothing takes the first place before the board has spoken.
    _measure(
        "HOUSE-PHEO",
        ~Facts.histology.is_("MTC") & Facts.pheochromocytoma_status.among("present", "suspected"),
        (*LOCOREGIONAL, "surgery"),
        "A phaeochromocytoma is present or suspected, and one that nobody knew of killed during a procedure (Nervo "
        "2021): settle it before any procedure or operation, whatever the histology.",
    ),
    _measure(
        "HOUSE-LIFE-3",
        Facts.life_expectancy_months < 3,
        (*LOCOREGIONAL, "surgery"),
        "Life expectancy is below 3 months, a limit that the sources give for TARE alone: weigh whether any other "
        "procedure still helps.",
        Verdict.ADVISES,
    ),
    _measure(
        "HOUSE-STABLE",
        Facts.liver_disease_status.is_("stable"),
        LIVER_LOCOREGIONAL,
        "Stable liver metastases are not among the reasons to treat that the sources name (first detection, "
        "growth, symptoms): weigh watching them instead.",
        Verdict.ADVISES,
    ),
    _measure(
        "HOUSE-LIVER-FUNCTION-STALE",
        (STALE | SCORE_STALE) & ~Sums.child_pugh_known,
        (),  # it says why nothing is offered
        f"Repeat bilirubin, albumin, INR and the search for ascites and encephalopathy: one of them, or the stated "
        f"Child-Pugh score, is older than {MOST_DAYS} days (the limit that the sources give for images), so no score "
        "is used.",
    ),
    _measure(
        "HOUSE-COAG-CORRECTED",
        Facts.coagulopathy_status.is_("corrected"),
        INVASIVE,
        "Coagulation was corrected: check it again right before the procedure, for uncorrected it excludes every one.",
        Verdict.ADVISES,
    ),
    _measure(
        "HOUSE-TARE-BREASTFEEDING",
        Facts.breastfeeding,
        ("TARE",),
        "No source speaks of breastfeeding before 99mTc-MAA and yttrium-90: settle with radiation protection when it "
        "stops.",
    ),
    # `dose plan` takes the same steps off the activity (van Roekel, thesis on radioembolisation, p. 41).
    _measure(
        "HOUSE-RESIN-SHUNT-10",
        BY_TABLE & (Facts.lung_shunt_fraction >= LEAST_SHUNT) & (Facts.lung_shunt_fraction < MOST_SHUNT),
        ("TARE",),
        "A lung shunt from 10 % takes 20 %, from 15 % takes 40 % off the activity that the empiric or body-surface "
        "method gives for resin; `connector dose plan` does it.",
    ),
    Rule(
        id="HOUSE-RESIN-SHUNT-20",
        when=BY_TABLE & (Facts.lung_shunt_fraction >= MOST_SHUNT),
        verdict=Verdict.RELATIVE,
        kind="dose",
        options=("TARE",),
        says="A lung shunt of 20 % or more leaves no activity of resin by the empiric or body-surface method.",
        cite=HOUSE.at("what no source covers"),
        derived=True,
    ),
    *(
        Rule(
            id=f"HOUSE-NOT-HERE-{modality}",
            when=~Facts.centre_modalities_available.has(modality),
            verdict=Verdict.INFORMS,
            kind="evidence",
            options=(modality,),
            says="It is not among the treatments this centre offers: it needs a referral.",
            cite=HOUSE.at("entered by people"),
            derived=True,
        )
        for modality in MODALITIES
        if modality not in {"board_only", "systemic_therapy"}
    ),
    _house(
        "HOUSE-NO-RULE-SET",
        NO_RULE_SET,
        Verdict.RELATIVE,
        (*LOCOREGIONAL, "surgery"),
        "No source has criteria for poorly differentiated or anaplastic carcinoma: the board alone decides.",
    ),
    _house(
        "HOUSE-BOARD-NO-RULE-SET",
        NO_RULE_SET,
        Verdict.PREFERS,
        ("board_only",),
        "No source has criteria for this histology: the board decides.",
    ),
)
