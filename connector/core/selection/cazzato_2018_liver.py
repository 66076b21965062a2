"""Process, liver ablation and systemic therapy, by Cazzato 2018."""

from connector.core.catalogue import Facts
from connector.core.rules import ALWAYS, Rule, Verdict
from connector.core.sources import CAZZATO_2018
from connector.core.vocabulary import ABLATION, BONE_LOCOREGIONAL, DIFFERENTIATED, LIVER_LOCOREGIONAL

RULES: tuple[Rule, ...] = (
    # General eligibility and process
    Rule(
        id="GEN-TERTIARY",
        when=ALWAYS,
        verdict=Verdict.ADVISES,
        kind="process",
        says="A tertiary referral centre with its tumour board is the place to decide.",
        cite=CAZZATO_2018.at("Rationale", "multi-disciplinary tumor boards within the tertiary referral centres"),
    ),
    Rule(
        id="GEN-LIFE",
        when=Facts.life_expectancy_months >= 0,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=LIVER_LOCOREGIONAL,
        says="Life expectancy is a factor in choosing a local treatment.",
        cite=CAZZATO_2018.at("Rationale", "The patients' life expectancy"),
    ),
    Rule(
        id="GEN-TEMPO",
        when=Facts.disease_tempo.is_("slow"),
        verdict=Verdict.PREFERS,
        kind="process",
        says="Disease that evolves slowly is more likely to be treated with curative than with palliative intent.",
        cite=CAZZATO_2018.at(
            "Rationale",
            "slow evolving disease are more likely to receive the curative rather than the palliative treatments",
        ),
    ),
    Rule(
        id="GEN-FDG",
        when=Facts.fdg_avid,
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="Uptake of FDG indicates a more aggressive tumour.",
        cite=CAZZATO_2018.at("Rationale", "thus, indicating a more aggressive tumour histotype"),
    ),
    Rule(
        id="GEN-AVAIL",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="process",
        says="The choice depends on who is available locally to perform the treatment.",
        cite=CAZZATO_2018.at("Rationale", "The local availability of physicians performing local treatments"),
    ),
    Rule(
        id="GEN-MUT",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="The mutation profile has not been shown to predict prognosis or response, and selects no treatment here.",
        cite=CAZZATO_2018.at(
            "Rationale",
            "has not yet conclusively proven to be of significant value to predict the prognosis or response",
        ),
    ),
    # Thermal ablation in general (liver)
    Rule(
        id="ABL-TEMP-HEAT",
        when=Facts.last_lrt_modality.among("RFA", "MWA"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("RFA", "MWA"),
        says="Radiofrequency and microwaves heat the tissue to at least 55 °C.",
        cite=CAZZATO_2018.at("Interventional techniques", "≥55 °C in radiofrequency (RFA) or microwave ablation (MWA)"),
    ),
    Rule(
        id="ABL-CURATIVE-30",
        when=(Facts.liver_lesion_largest_diameter_mm < 30) & (Facts.liver_lesion_count <= 3),
        verdict=Verdict.PREFERS,
        kind="option",
        options=("RFA", "MWA"),
        says="Up to 3 lesions below 30 mm can be ablated with curative intent, given large margins.",
        cite=CAZZATO_2018.at(
            "Visceral metastases",
            "reasonably treated with curative RFA providing that the tumor size <3 cm coupled to large margins of"
            " ablation",
        ),
    ),
    Rule(
        id="ABL-RISK-30",
        when=Facts.liver_lesion_largest_diameter_mm > 30,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=ABLATION,
        says="Above 30 mm the tumour recurs earlier at the site and survival is shorter (colorectal metastases).",
        cite=CAZZATO_2018.at(
            "Visceral metastases",
            "tumor size >3 cm and margin size ≤5 mm were independently associated with a shorter local tumor "
            "progression-free survival",
        ),
    ),
    Rule(
        id="ABL-MARGIN-5",
        when=(Facts.planned_ablation_margin_mm <= 5) | (Facts.achieved_ablation_margin_mm <= 5),
        verdict=Verdict.RELATIVE,
        kind="option",
        options=(*ABLATION, "ablation_plus_TACE"),
        says="A margin of 5 mm or less does not allow ablation to be called curative.",
        cite=CAZZATO_2018.at("Visceral metastases", "ablation margin size ≤5 mm"),
        strength_read=True,
    ),
    Rule(
        id="ABL-EXTRA-SITES",
        when=Facts.extrahepatic_site_count > 1,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=ABLATION,
        says="More than one site of disease outside the liver goes with shorter survival (colorectal metastases).",
        cite=CAZZATO_2018.at(
            "Visceral metastases",
            "more than one site of extra-hepatic disease were independent predictors of a shorter OS",
        ),
    ),
    # Laser, PEI, cryoablation
    Rule(
        id="CRYO-TEMP",
        when=Facts.last_lrt_modality.is_("cryoablation"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("cryoablation",),
        says="Cryoablation cools the tissue to about -40 °C.",
        cite=CAZZATO_2018.at("Interventional techniques", "decrease [around -40 °C through cryo-ablation (CA)]"),
    ),
    # TACE
    Rule(
        id="TACE-EARLY",
        when=Facts.histology.is_("MTC") & Facts.liver_disease_status.is_("progressive"),
        verdict=Verdict.ADVISES,
        kind="option",
        options=("TACE",),
        says="TACE is preferably done early in the course of metastatic medullary carcinoma.",
        cite=CAZZATO_2018.at("Embolization", "preferably at an early stage during the course of metastatic disease"),
    ),
    Rule(
        id="TACE-PROG-PREDOM",
        when=Facts.histology.is_("MTC") & Facts.liver_disease_status.is_("progressive"),
        verdict=Verdict.INDICATES,
        kind="option",
        options=("TACE",),
        says="Progressive disease of mainly the liver in medullary carcinoma is a reason for chemoembolisation with "
        "lipiodol and doxorubicin.",
        cite=CAZZATO_2018.at(
            "Embolization",
            "should be considered for treating MTC patients with a progressive and predominant liver disease",
        ),
    ),
    # Systemic therapy / TKI
    Rule(
        id="SYS-LOCALFIRST",
        when=Facts.liver_symptoms.has("abdominal_pain") | Facts.high_risk_local_complication,
        verdict=Verdict.PREFERS,
        kind="option",
        options=LIVER_LOCOREGIONAL,
        says="Pain or a high risk of a local complication is treated locally before systemically.",
        cite=CAZZATO_2018.at("Rationale", "Prior to the systemic treatments when a distant"),
    ),
    Rule(
        id="SYS-SOLITARY-EVOL",
        when=~Facts.systemic_therapy_current.is_("none") & Facts.progression_pattern.is_("single_lesion"),
        verdict=Verdict.INDICATES,
        kind="option",
        options=(*LIVER_LOCOREGIONAL, "lung_RFA", "bone_ablation"),
        says="A solitary metastasis that grows in spite of systemic therapy is a reason for local treatment.",
        cite=CAZZATO_2018.at(
            "Rationale",
            "In case of a solitary metastatic lesion exhibiting an evolution despite the systemic therapy",
        ),
    ),
    Rule(
        id="SYS-TKI-TRIALS",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("systemic_therapy",),
        says="In 2018 TKIs were mainly used in trials; the newer source says otherwise (CON-TKI-DATED).",
        cite=CAZZATO_2018.at(
            "Rationale",
            "TKIs are currently primarily applied in the setting of dedicated research trials",
        ),
    ),
    # Biomarkers
    Rule(
        id="BIO-CEA30-CRC",
        when=Facts.cea_ng_ml > 30,
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="A CEA above 30 ng/mL matters in colorectal cancer only and is not applied to thyroid cancer (CON-CEA30).",
        cite=CAZZATO_2018.at("Visceral metastases", "tumor size >3 cm, CEA level >30 ng/mL"),
    ),
    # Follow-up and response
    Rule(
        id="RESP-SYMPT25",
        when=Facts.symptom_intensity_change_percent < -25,
        verdict=Verdict.INFORMS,
        kind="response",
        says="A fall of symptoms by more than 25 % counts as a clinical response.",
        cite=CAZZATO_2018.at("Embolization", ">25% decrease of symptoms intensity"),
    ),
    Rule(
        id="RESP-LOCALPROG",
        when=Facts.residual_viable_tumour,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("lung_RFA",),
        says="Tumour that grows again at the site of lung RFA goes with poor survival.",
        cite=CAZZATO_2018.at("Visceral metastases", "Progression at RFA site was associated with poor OS"),
    ),
    # Adverse events, complications, REILD
    Rule(
        id="AE-BONE",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=BONE_LOCOREGIONAL,
        says="Of 25 patients treated for bone metastases 1 had a major and 1 a minor complication, none a fracture or "
        "a nerve injury.",
        cite=CAZZATO_2018.at("Ablation and consolidation", "One major and one minor complication were reported"),
    ),
    # Background and remaining statements
    Rule(
        id="BG-SURV",
        when=Facts.histology.among("PTC", "FTC", "HTC", "DTC_NOS", "MTC"),
        verdict=Verdict.ADVISES,
        kind="follow_up",
        says="Surveillance goes on with thyroglobulin (differentiated) or calcitonin (medullary) and imaging.",
        cite=CAZZATO_2018.at(
            "Metastatic disease",
            "tumor marker measurements [thyroglobulin (Tg) for DTC, calcitonin for MTC] and imaging follow-up",
        ),
    ),
    Rule(
        id="BG-DISTMET-DTC",
        when=Facts.histology.among(*DIFFERENTIATED),
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="Differentiated carcinoma spreads to distant sites in about 10 %.",
        cite=CAZZATO_2018.at(
            "Introduction",
            "the metastatic spread is only noted in 10% of the patients affected by DTC",
        ),
    ),
    Rule(
        id="BONE-GA",
        when=Facts.bone_lesion_count >= 1,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=BONE_LOCOREGIONAL,
        says="Bone procedures were done under general anaesthesia in 71.4 %, with a stay of 2.0 days.",
        cite=CAZZATO_2018.at(
            "Ablation and consolidation",
            "Most interventions were carried out under the general anaesthesia",
        ),
    ),
    Rule(
        id="BONE-COMPLETE",
        when=Facts.bone_lesion_count >= 1,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=BONE_LOCOREGIONAL,
        says="Treatment of bone metastases was complete in 55.6 %.",
        cite=CAZZATO_2018.at("Ablation and consolidation", "complete treatment was noted in 55.6% treated metastases"),
    ),
    Rule(
        id="BONE-SOLITARY-PROG",
        when=Facts.bone_lesion_count.is_(1),
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="A solitary bone metastasis has a better prognosis than disease of visceral organs.",
        cite=CAZZATO_2018.at("Rationale", "it has a better overall prognosis when compared to a visceral involvement"),
    ),
)
