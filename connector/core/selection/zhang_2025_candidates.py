"""Who is a candidate at all, and the review's Figure 2 node by node, by Zhang 2025."""

from connector.core.catalogue import Facts
from connector.core.rules import ALWAYS, Rule, Verdict
from connector.core.sources import ZHANG_2025
from connector.core.vocabulary import ABLATION, LIVER_LOCOREGIONAL

RULES: tuple[Rule, ...] = (
    # General eligibility and process
    Rule(
        id="GEN-MDT-ENDO",
        when=ALWAYS,
        verdict=Verdict.ADVISES,
        kind="process",
        says="dedicated endocrine tumour board",
        cite=ZHANG_2025.at("Discussion", "ideally with the involvement of dedicated endocrine tumor boards"),
    ),
    Rule(
        id="GEN-CENTRE",
        when=ALWAYS,
        verdict=Verdict.REQUIRES,
        kind="process",
        says="specialised centre",
        cite=ZHANG_2025.at(
            "Conclusions",
            "IRTs are carried out in specialized centers with extensive expertise and only after rigorous patient"
            " selection",
        ),
    ),
    Rule(
        id="GEN-IRT-SELECT-ABL",
        when=(Facts.liver_lesion_count <= 3)
        & Facts.performance_status_class.is_("good")
        & ~Facts.liver_lesion_near_critical_structure
        & Facts.extrahepatic_disease_status.among("none", "stable"),
        verdict=Verdict.PREFERS,
        kind="option",
        options=("RFA", "MWA"),
        says="ablative IRT, <= 3 lesions",
        cite=ZHANG_2025.at("Criteria for patient selection", "A limited number of LMs (usually ≤3)"),
    ),
    Rule(
        id="GEN-IRT-SELECT-PS",
        when=Facts.performance_status_class.is_("good"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=ABLATION,
        says="ablative candidate feature (no ECOG cut-off)",
        cite=ZHANG_2025.at("Criteria for patient selection", "A good performance status"),
    ),
    Rule(
        id="GEN-IRT-SELECT-EXTRA",
        when=Facts.extrahepatic_disease_status.among("none", "stable"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=ABLATION,
        says="ablative candidate feature",
        cite=ZHANG_2025.at("Criteria for patient selection", "Stable or indolent extrahepatic disease"),
    ),
    Rule(
        id="GEN-IRT-SELECT-CRIT",
        when=Facts.liver_lesion_near_critical_structure,
        verdict=Verdict.RELATIVE,
        kind="option",
        options=(*ABLATION, "ablation_plus_TACE"),
        says="ablation",
        cite=ZHANG_2025.at("Criteria for patient selection", "Absence of lesions near critical structures"),
        strength_read=True,
    ),
    Rule(
        id="GEN-IRT-SELECT-VASC",
        when=Facts.liver_lobes_involved.is_("bilobar") | (Facts.liver_lesion_count >= 4),
        verdict=Verdict.PREFERS,
        kind="option",
        options=("TACE", "TARE"),
        says="TACE/TARE",
        cite=ZHANG_2025.at("Criteria for patient selection", "Multiple or bilobar liver metastases"),
    ),
    Rule(
        id="GEN-IRT-SELECT-VASC-MTC",
        when=Facts.histology.is_("MTC"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TACE", "TAE", "TARE"),
        says="vascular IRT more suitable",
        cite=ZHANG_2025.at("Criteria for patient selection", "Predominantly MTC histotype"),
    ),
    Rule(
        id="GEN-IRT-SELECT-VASC-SYM",
        when=Facts.liver_symptoms.has("diarrhoea") | Facts.liver_symptoms.has("abdominal_pain"),
        verdict=Verdict.PREFERS,
        kind="option",
        options=("TACE", "TAE", "TARE"),
        says="vascular IRT for rapid control",
        cite=ZHANG_2025.at("Criteria for patient selection", "Symptomatic disease requiring rapid tumor control"),
    ),
    Rule(
        id="GEN-IRT-SELECT-VASC-NOSURG",
        when=~Facts.surgical_candidate | ~Facts.systemic_therapy_eligible,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TACE", "TAE", "TARE"),
        says="vascular IRT suitable",
        cite=ZHANG_2025.at(
            "Criteria for patient selection",
            "Patients who are not candidates for surgery or systemic therapies",
        ),
    ),
    Rule(
        id="GEN-PREIMG",
        when=Facts.liver_lesion_count >= 1,
        verdict=Verdict.REQUIRES,
        kind="measure",
        options=LIVER_LOCOREGIONAL,
        says="number, size, growth kinetics",
        cite=ZHANG_2025.at(
            "Ablative techniques",
            "Preprocedural radiological evaluation is critical for determining the number, size, and growth kinetics",
        ),
    ),
    Rule(
        id="GEN-NOOS",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=LIVER_LOCOREGIONAL,
        says="palliative or adjunctive, not curative",
        cite=ZHANG_2025.at("Long-term outcomes", "there is no definitive evidence that IRT improves overall survival"),
    ),
    Rule(
        id="GEN-NOHEADTOHEAD",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=LIVER_LOCOREGIONAL,
        says="weak evidence tier for every ranking",
        cite=ZHANG_2025.at(
            "Comparative effectiveness",
            "There is a lack of comparative data and no head-to-head studies have been conducted",
        ),
    ),
    Rule(
        id="GEN-OLIGO",
        when=Facts.progression_pattern.among("single_lesion", "oligo_single_organ"),
        verdict=Verdict.INDICATES,
        kind="option",
        options=LIVER_LOCOREGIONAL,
        says="locoregional control",
        cite=ZHANG_2025.at(
            "Introduction",
            "help to postpone systemic therapy or treat oligoprogressive disease during TKI treatment",
        ),
    ),
    Rule(
        id="GEN-ATC-OUT",
        when=Facts.histology.is_("ATC"),
        verdict=Verdict.INFORMS,
        kind="process",
        says="out of scope of the liver evidence; board only",
        cite=ZHANG_2025.at("Methods", "We excluded articles that focused exclusively on anaplastic thyroid carcinoma"),
    ),
    Rule(
        id="GEN-ATC-PALL",
        when=Facts.histology.is_("ATC"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="palliative only",
        cite=ZHANG_2025.at("Introduction", "In ATC, palliative measures usually offer only a temporary benefit"),
    ),
    # Figure 2 algorithm, node by node
    Rule(
        id="F2-N0",
        when=Facts.liver_lesion_count >= 1,
        verdict=Verdict.INFORMS,
        kind="pathway",
        says="entry node",
        cite=ZHANG_2025.at("Figure 2 text", "Liver Metastases Detected in Thyroid Cancer"),
    ),
    Rule(
        id="F2-N1-LIMITED",
        when=(Facts.liver_lesion_count < 3) & Facts.liver_lobes_involved.is_("unilobar"),
        verdict=Verdict.INFORMS,
        kind="pathway",
        says="limited disease branch",
        cite=ZHANG_2025.at("Figure 2 text", "(<3 lesions, localized/unilobar)"),
    ),
    Rule(
        id="F2-N1-THREE",
        when=Facts.liver_lesion_count.is_(3) & Facts.liver_lobes_involved.is_("unilobar"),
        verdict=Verdict.INFORMS,
        kind="pathway",
        says="limited branch, reduced confidence (CON-F2-THREE)",
        cite=ZHANG_2025.at("Criteria for patient selection", "A limited number of LMs (usually ≤3)"),
    ),
    Rule(
        id="F2-N1-FOUR",
        when=Facts.liver_lesion_count.is_(4) & Facts.liver_lobes_involved.is_("unilobar"),
        verdict=Verdict.INFORMS,
        kind="pathway",
        options=("RFA", "MWA", "TACE", "TARE"),
        says="undefined in Figure 2: present both branches, no ablation preference (CON-F2-FOUR)",
        cite=ZHANG_2025.at("Figure 2 text", "(>4 lesions or bilobar disease)"),
    ),
    Rule(
        id="F2-N1-DIFFUSE",
        when=(Facts.liver_lesion_count > 4) | Facts.liver_lobes_involved.is_("bilobar"),
        verdict=Verdict.INFORMS,
        kind="pathway",
        says="diffuse branch",
        cite=ZHANG_2025.at("Figure 2 text", "(>4 lesions or bilobar disease)"),
    ),
    Rule(
        id="F2-N2-SURG",
        when=(Facts.liver_lesion_count <= 3)
        & Facts.liver_lobes_involved.is_("unilobar")
        & Facts.surgical_candidate
        & Facts.resection_feasible,
        verdict=Verdict.PREFERS,
        kind="pathway",
        options=("surgery",),
        says="surgery",
        cite=ZHANG_2025.at("Figure 2 text", "Surgical Candidate? Surgical Resection Feaseable?"),
    ),
    Rule(
        id="F2-N2-NOSURG",
        when=(Facts.liver_lesion_count <= 3)
        & Facts.liver_lobes_involved.is_("unilobar")
        & (~Facts.surgical_candidate | ~Facts.resection_feasible),
        verdict=Verdict.INFORMS,
        kind="pathway",
        says="go to bile-duct node",
        cite=ZHANG_2025.at("Figure 2 text", "Non a surgical candidate"),
    ),
    Rule(
        id="F2-N3-ABL",
        when=(Facts.liver_lesion_count <= 3)
        & Facts.liver_lobes_involved.is_("unilobar")
        & (~Facts.surgical_candidate | ~Facts.resection_feasible)
        & ~Facts.liver_lesion_near_bile_duct
        & ~Facts.liver_lesion_at_hilum,
        verdict=Verdict.PREFERS,
        kind="pathway",
        options=("RFA", "MWA"),
        says="RFA/MWA",
        cite=ZHANG_2025.at("Figure 2 text", "Near bile ducts?"),
    ),
    Rule(
        id="F2-N3-VASC",
        when=(Facts.liver_lesion_count <= 3)
        & (~Facts.surgical_candidate | ~Facts.resection_feasible)
        & (Facts.liver_lesion_near_bile_duct | Facts.liver_lesion_at_hilum),
        verdict=Verdict.PREFERS,
        kind="pathway",
        options=("TACE", "TARE"),
        says="TACE/TARE",
        cite=ZHANG_2025.at("Guidelines", "metastases are adjacent to the bile ducts or near the hepatic hilum"),
    ),
    Rule(
        id="F2-N4-EVAL",
        when=(Facts.liver_lesion_count > 4) | Facts.liver_lobes_involved.is_("bilobar"),
        verdict=Verdict.REQUIRES,
        kind="pathway",
        options=("TACE", "TARE"),
        says="liver function and performance status known",
        cite=ZHANG_2025.at("Figure 2 text", "Evaluate liver function"),
    ),
    Rule(
        id="F2-N5-TACE",
        when=((Facts.liver_lesion_count > 4) | Facts.liver_lobes_involved.is_("bilobar"))
        & Facts.performance_status_class.is_("good")
        & ~Facts.liver_insufficiency_severe,
        verdict=Verdict.PREFERS,
        kind="pathway",
        options=("TACE",),
        says="TACE",
        cite=ZHANG_2025.at("Figure 2 caption text", "Transarterial Chemoembolization (TACE) for good status"),
        strength_read=True,
    ),
    Rule(
        id="F2-N5-TARE",
        when=((Facts.liver_lesion_count > 4) | Facts.liver_lobes_involved.is_("bilobar"))
        & Facts.performance_status_class.is_("poor")
        & ~Facts.clinical_liver_failure
        & (Facts.life_expectancy_months >= 3)
        & (Facts.child_pugh_score <= 7),
        verdict=Verdict.PREFERS,
        kind="pathway",
        options=("TARE",),
        says="TARE, only inside TARE's own limits (CON-TARE-POOR)",
        cite=ZHANG_2025.at("Figure 2 caption text", "Transarterial Radioembolization (TARE) for poor status"),
        strength_read=True,
    ),
    Rule(
        id="F2-N6-COMBINE",
        when=ALWAYS,
        verdict=Verdict.ADVISES,
        kind="pathway",
        options=("ablation_plus_TACE", "systemic_therapy"),
        says="combined or systemic integration after every branch",
        cite=ZHANG_2025.at("Figure 2 text", "Combined Approach or Systemic Therapy Integration"),
    ),
)
