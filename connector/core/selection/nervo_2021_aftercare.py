"""Systemic therapy beside a procedure, follow-up, adverse events and background, by Nervo 2021."""

from connector.core.catalogue import Facts
from connector.core.rules import ALWAYS, Rule, Verdict
from connector.core.sources import NERVO_2021
from connector.core.vocabulary import ABLATION, BONE_LOCOREGIONAL, INVASIVE, LIVER_LOCOREGIONAL

RULES: tuple[Rule, ...] = (
    # Systemic therapy / TKI
    Rule(
        id="SYS-VEGF-HOLD",
        when=Facts.systemic_therapy_anti_vegf & ~Facts.tki_interruption_planned,
        verdict=Verdict.REQUIRES,
        kind="measure",
        options=INVASIVE,
        says="An anti-VEGF drug is paused before the procedure, to avoid bleeding; the board sets for how long.",
        cite=NERVO_2021.at(
            "Patients and Methods",
            "the systemic treatment was temporarily interrupted in order to avoid potential bleeding",
        ),
    ),
    Rule(
        id="SYS-VEGF-DAYS",
        when=Facts.systemic_therapy_anti_vegf,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("systemic_therapy",),
        says="In 2 patients the drug was paused for 11 and 15 days in all, without bleeding.",
        cite=NERVO_2021.at("Results", "for a total of 11 days in one patient and 15 days in the other case"),
    ),
    Rule(
        id="SYS-OLIGO-LRT",
        when=~Facts.systemic_therapy_current.is_("none")
        & Facts.progression_pattern.among("single_lesion", "oligo_single_organ"),
        verdict=Verdict.INDICATES,
        kind="option",
        options=LIVER_LOCOREGIONAL,
        says="Isolated progression under systemic therapy is a reason to add a local treatment and keep the drug.",
        cite=NERVO_2021.at(
            "Conclusion",
            "In case of isolated hepatic progression, LRTs can be performed also after the start of TKI treatment",
        ),
    ),
    # Bone metastases
    Rule(
        id="BONE-ABSENT-LRT",
        when=Facts.coagulopathy_status.is_("uncorrected"),
        verdict=Verdict.EXCLUDES,
        kind="option",
        options=(*BONE_LOCOREGIONAL, "lung_RFA"),
        says="Coagulopathy that is not corrected rules out invasive treatment of bone and lung too.",
        cite=NERVO_2021.at("Patients and Methods", "uncorrected coagulopathy represented absolute contraindications"),
        derived=True,
    ),
    # Follow-up and response
    Rule(
        id="FU-CT1M",
        when=Facts.last_lrt_modality.among("RFA", "MWA", "TACE", "TAE", "ablation_plus_TACE")
        & (Facts.days_since_lrt >= 20)
        & (Facts.days_since_lrt <= 45),
        verdict=Verdict.REQUIRES,
        kind="follow_up",
        options=("RFA", "MWA", "TACE", "TAE", "ablation_plus_TACE"),
        says="A contrast-enhanced CT is done about 1 month after the procedure.",
        cite=NERVO_2021.at(
            "Patients and Methods",
            "contrast-enhanced computed tomography (CT) control was normally performed nearly 1 month later",
        ),
        derived=True,
    ),
    Rule(
        id="FU-AE1M",
        when=Facts.days_since_lrt <= 31,
        verdict=Verdict.REQUIRES,
        kind="follow_up",
        options=LIVER_LOCOREGIONAL,
        says="Adverse events of the first month are recorded by CTCAE v5.",
        cite=NERVO_2021.at("Patients and Methods", "in the first month"),
    ),
    Rule(
        id="RESP-RECIST",
        when=Facts.recist_sum_baseline_mm > 0,
        verdict=Verdict.REQUIRES,
        kind="response",
        says="Response is assessed by RECIST 1.1.",
        cite=NERVO_2021.at(
            "Patients and Methods",
            "was assessed according to Response Evaluation Criteria in Solid Tumours",
        ),
    ),
    Rule(
        id="RESP-UNDEREST",
        when=Facts.last_lrt_modality.among("RFA", "MWA", "TACE", "TAE", "TARE", "ablation_plus_TACE"),
        verdict=Verdict.INFORMS,
        kind="response",
        options=("RFA", "MWA", "TACE", "TAE", "TARE", "ablation_plus_TACE"),
        says="RECIST underestimates the response after local treatment.",
        cite=NERVO_2021.at("Discussion", "they have been found to underestimate the response of liver tumours"),
    ),
    # Adverse events, complications, REILD
    Rule(
        id="AE-ABL-COMP",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=ABLATION,
        says="Ablation has complications in 2.5 to 5.7 % and a mortality of 0.5 to 1.5 %.",
        cite=NERVO_2021.at(
            "Discussion",
            "ablation is a treatment with a low complication rate, varying between 2.5 and 5.7%",
        ),
    ),
    Rule(
        id="AE-TACE-RATE",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TACE",),
        says="TACE has a morbidity of 22.6 %, of grade 3 to 4 in 9.2 %.",
        cite=NERVO_2021.at("Discussion", "complications are respectively 22.6%"),
    ),
    Rule(
        id="AE-TACE-PES",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TACE",),
        says="The post-embolisation syndrome appears in 20 % of patients.",
        cite=NERVO_2021.at("Discussion", "syndrome appears in 20% of patients"),
    ),
    Rule(
        id="AE-TACE-MAJOR",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TACE",),
        says="Major complications of TACE are ascites, cholecystitis, pancreatitis, abscess and renal failure.",
        cite=NERVO_2021.at("Discussion", "decompensation with ascites, acute cholecystitis, acute pan"),
    ),
    Rule(
        id="AE-TACE-DEATH",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TACE",),
        says="One patient died (G5, 1 case in Lorenz) of a pheochromocytoma metastasis that was not recognised before "
        "TACE.",
        cite=NERVO_2021.at("Table 2", "hypertensive crisis with"),
    ),
    Rule(
        id="AE-TAE-CHOLE",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TAE",),
        says="One cholecystitis (G2, 1 case) followed TAE.",
        cite=NERVO_2021.at("Table 2", "Cholecystitis (G2)"),
    ),
    Rule(
        id="AE-RFA-BURN",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("RFA",),
        says="Burn wounds followed RFA once (1 case).",
        cite=NERVO_2021.at("Table 2", "Burn wounds (n = 1)"),
    ),
    Rule(
        id="AE-SERIES001",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=LIVER_LOCOREGIONAL,
        says="The case series saw abdominal pain in 3 patients, raised liver tests in 2, nausea in 1 and thoracic pain "
        "in 1 (G1-G2).",
        cite=NERVO_2021.at("Results", "abdominal pain in 3 patients, liver function test"),
    ),
    # Background and remaining statements
    Rule(
        id="BG-OLIGO-ATA",
        when=Facts.treatment_intent.among("curative", "palliative"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=LIVER_LOCOREGIONAL,
        says="Local treatment palliates, or controls radically when the metastases are few.",
        cite=NERVO_2021.at(
            "Introduction",
            "palliation or radical local tumour control in the oligo-metastatic setting",
        ),
    ),
    Rule(
        id="ABL-LARGE-N",
        when=Facts.liver_lesion_largest_diameter_mm >= 30,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=ABLATION,
        says="Larger lesions may need more than one procedure.",
        cite=NERVO_2021.at("Discussion", "a greater number of procedures might be necessary for treating larger LMs"),
    ),
    Rule(
        id="TACE-DEB-WHY",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TACE",),
        says="Drug-eluting beads keep the peak of the drug in the blood low.",
        cite=NERVO_2021.at("Discussion", "avoiding a peak plasma concentration of the chemotherapeutic drugs"),
    ),
    Rule(
        id="TACE-DOXO",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TACE",),
        says="Doxorubicin causes more necrosis and more inflammation of the liver.",
        cite=NERVO_2021.at("Discussion", "an increase in arterial and parenchymal necrosis"),
    ),
    Rule(
        id="TACE-LORENZ-N",
        when=Facts.prior_lrt_count >= 1,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TACE",),
        says="More adverse events were recorded after repeated TACE.",
        cite=NERVO_2021.at(
            "Literature Review",
            "a greater number of AEs were recorded in patients who had been submitted repeatedly",
        ),
    ),
)
