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
        says="The board is ideally one dedicated to endocrine tumours.",
        cite=ZHANG_2025.at("Discussion", "ideally with the involvement of dedicated endocrine tumor boards"),
    ),
    Rule(
        id="GEN-CENTRE",
        when=ALWAYS,
        verdict=Verdict.REQUIRES,
        kind="process",
        says="The procedure belongs in a specialised centre with experience in it.",
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
        says="Up to 3 liver metastases, away from critical structures, in a patient of good performance status suit "
        "ablation.",
        cite=ZHANG_2025.at("Criteria for patient selection", "A limited number of LMs (usually ≤3)"),
    ),
    Rule(
        id="GEN-IRT-SELECT-PS",
        when=Facts.performance_status_class.is_("good"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=ABLATION,
        says="A good performance status is a feature of a candidate for ablation; no ECOG cut-off is given.",
        cite=ZHANG_2025.at("Criteria for patient selection", "A good performance status"),
    ),
    Rule(
        id="GEN-IRT-SELECT-EXTRA",
        when=Facts.extrahepatic_disease_status.among("none", "stable"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=ABLATION,
        says="Absent or stable extrahepatic disease is a feature of a candidate for ablation.",
        cite=ZHANG_2025.at("Criteria for patient selection", "Stable or indolent extrahepatic disease"),
    ),
    Rule(
        id="GEN-IRT-SELECT-CRIT",
        when=Facts.liver_lesion_near_critical_structure,
        verdict=Verdict.RELATIVE,
        kind="option",
        options=(*ABLATION, "ablation_plus_TACE"),
        says="A lesion near critical structures speaks against ablation.",
        cite=ZHANG_2025.at("Criteria for patient selection", "Absence of lesions near critical structures"),
        strength_read=True,
    ),
    Rule(
        id="GEN-IRT-SELECT-VASC",
        when=Facts.liver_lobes_involved.is_("bilobar") | (Facts.liver_lesion_count >= 4),
        verdict=Verdict.PREFERS,
        kind="option",
        options=("TACE", "TARE"),
        says="Multiple or bilobar liver metastases suit TACE or TARE.",
        cite=ZHANG_2025.at("Criteria for patient selection", "Multiple or bilobar liver metastases"),
    ),
    Rule(
        id="GEN-IRT-SELECT-VASC-MTC",
        when=Facts.histology.is_("MTC"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TACE", "TAE", "TARE"),
        says="Medullary histology makes a treatment through the artery more suitable.",
        cite=ZHANG_2025.at("Criteria for patient selection", "Predominantly MTC histotype"),
    ),
    Rule(
        id="GEN-IRT-SELECT-VASC-SYM",
        when=Facts.liver_symptoms.has("diarrhoea") | Facts.liver_symptoms.has("abdominal_pain"),
        verdict=Verdict.PREFERS,
        kind="option",
        options=("TACE", "TAE", "TARE"),
        says="Symptoms that need rapid control of the tumour suit a treatment through the artery.",
        cite=ZHANG_2025.at("Criteria for patient selection", "Symptomatic disease requiring rapid tumor control"),
    ),
    Rule(
        id="GEN-IRT-SELECT-VASC-NOSURG",
        when=~Facts.surgical_candidate | ~Facts.systemic_therapy_eligible,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TACE", "TAE", "TARE"),
        says="A patient who is no candidate for surgery or systemic therapy may suit a treatment through the artery.",
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
        says="Imaging before the procedure tells the number, the size and the growth of the lesions.",
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
        says="No definitive evidence shows longer overall survival: local treatment is palliative or adjunctive, not "
        "curative.",
        cite=ZHANG_2025.at("Long-term outcomes", "there is no definitive evidence that IRT improves overall survival"),
    ),
    Rule(
        id="GEN-NOHEADTOHEAD",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=LIVER_LOCOREGIONAL,
        says="No study compares the techniques head to head: every ranking rests on weak evidence.",
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
        says="Progression of a single lesion or within one organ is a reason for local control, and may postpone "
        "systemic therapy.",
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
        says="Anaplastic carcinoma is outside the evidence on liver metastases: the board decides.",
        cite=ZHANG_2025.at("Methods", "We excluded articles that focused exclusively on anaplastic thyroid carcinoma"),
    ),
    Rule(
        id="GEN-ATC-PALL",
        when=Facts.histology.is_("ATC"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="In anaplastic carcinoma palliative measures usually give only a temporary benefit.",
        cite=ZHANG_2025.at("Introduction", "In ATC, palliative measures usually offer only a temporary benefit"),
    ),
    # Figure 2 algorithm, node by node
    Rule(
        id="F2-N0",
        when=Facts.liver_lesion_count >= 1,
        verdict=Verdict.INFORMS,
        kind="pathway",
        says="Liver metastases are present: the algorithm of Figure 2 is entered.",
        cite=ZHANG_2025.at("Figure 2 text", "Liver Metastases Detected in Thyroid Cancer"),
    ),
    Rule(
        id="F2-N1-LIMITED",
        when=(Facts.liver_lesion_count < 3) & Facts.liver_lobes_involved.is_("unilobar"),
        verdict=Verdict.INFORMS,
        kind="pathway",
        says="Fewer than 3 lesions in one lobe are limited disease.",
        cite=ZHANG_2025.at("Figure 2 text", "(<3 lesions, localized/unilobar)"),
    ),
    Rule(
        id="F2-N1-THREE",
        when=Facts.liver_lesion_count.is_(3) & Facts.liver_lobes_involved.is_("unilobar"),
        verdict=Verdict.INFORMS,
        kind="pathway",
        says="Exactly 3 lesions in one lobe follow the limited branch with less confidence: the figure says fewer than "
        "3, the text up to 3 (CON-F2-THREE).",
        cite=ZHANG_2025.at("Criteria for patient selection", "A limited number of LMs (usually ≤3)"),
    ),
    Rule(
        id="F2-N1-FOUR",
        when=Facts.liver_lesion_count.is_(4) & Facts.liver_lobes_involved.is_("unilobar"),
        verdict=Verdict.INFORMS,
        kind="pathway",
        options=("RFA", "MWA", "TACE", "TARE"),
        says="Exactly 4 lesions in one lobe have no branch in Figure 2: both are shown and neither ablation nor an "
        "arterial treatment is preferred (CON-F2-FOUR).",
        cite=ZHANG_2025.at("Figure 2 text", "(>4 lesions or bilobar disease)"),
    ),
    Rule(
        id="F2-N1-DIFFUSE",
        when=(Facts.liver_lesion_count > 4) | Facts.liver_lobes_involved.is_("bilobar"),
        verdict=Verdict.INFORMS,
        kind="pathway",
        says="More than 4 lesions, or lesions in both lobes, are diffuse disease.",
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
        says="Limited disease that can be resected in a surgical candidate is resected.",
        cite=ZHANG_2025.at("Figure 2 text", "Surgical Candidate? Surgical Resection Feaseable?"),
    ),
    Rule(
        id="F2-N2-NOSURG",
        when=(Facts.liver_lesion_count <= 3)
        & Facts.liver_lobes_involved.is_("unilobar")
        & (~Facts.surgical_candidate | ~Facts.resection_feasible),
        verdict=Verdict.INFORMS,
        kind="pathway",
        says="Without a surgical option, limited disease goes on to the question of the bile ducts.",
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
        says="Limited disease that is not operated, away from bile ducts and hilum, is ablated by RFA or MWA.",
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
        says="Limited disease that is not operated, near bile ducts or the hilum, is treated by TACE or TARE.",
        cite=ZHANG_2025.at("Guidelines", "metastases are adjacent to the bile ducts or near the hepatic hilum"),
    ),
    Rule(
        id="F2-N4-EVAL",
        when=(Facts.liver_lesion_count > 4) | Facts.liver_lobes_involved.is_("bilobar"),
        verdict=Verdict.REQUIRES,
        kind="pathway",
        options=("TACE", "TARE"),
        says="In diffuse disease liver function and performance status must be known.",
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
        says="Diffuse disease in a patient of good status without severe liver insufficiency is treated by TACE.",
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
        says="Diffuse disease in a patient of poor status is treated by TARE, only inside the limits of TARE itself "
        "(CON-TARE-POOR).",
        cite=ZHANG_2025.at("Figure 2 caption text", "Transarterial Radioembolization (TARE) for poor status"),
        strength_read=True,
    ),
    Rule(
        id="F2-N6-COMBINE",
        when=ALWAYS,
        verdict=Verdict.ADVISES,
        kind="pathway",
        options=("ablation_plus_TACE", "systemic_therapy"),
        says="After every branch a combined approach or the addition of systemic therapy is considered.",
        cite=ZHANG_2025.at("Figure 2 text", "Combined Approach or Systemic Therapy Integration"),
    ),
)
