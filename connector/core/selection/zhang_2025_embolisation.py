"""Embolisation of liver metastases, alone or combined, by Zhang 2025."""

from connector.core.catalogue import Facts
from connector.core.rules import ALWAYS, Rule, Verdict
from connector.core.sources import ZHANG_2025

RULES: tuple[Rule, ...] = (
    # TACE
    Rule(
        id="TACE-IND-MTC",
        when=Facts.histology.is_("MTC") & ((Facts.liver_lesion_count > 4) | Facts.liver_lobes_involved.is_("bilobar")),
        verdict=Verdict.INDICATES,
        kind="option",
        options=("TACE",),
        says="Diffuse liver metastases of medullary carcinoma are a reason for TACE, also to control symptoms.",
        cite=ZHANG_2025.at(
            "Table 3",
            "Diffuse liver metastases, especially in medullary thyroid carcinoma (MTC); symptom control",
        ),
    ),
    Rule(
        id="TACE-BURDEN-30",
        when=Facts.liver_tumour_burden_percent < 30,
        verdict=Verdict.PREFERS,
        kind="option",
        options=("TACE",),
        says="Responses to TACE are best when less than 30 % of the liver is involved.",
        cite=ZHANG_2025.at(
            "Evidence from clinical practice",
            "Better outcomes appear associated with lower hepatic tumor burden (<30%)",
        ),
    ),
    Rule(
        id="TACE-BURDEN-MAX",
        when=Facts.liver_tumour_burden_percent > 50,
        verdict=Verdict.RELATIVE,
        kind="option",
        options=("TACE", "TAE", "ablation_plus_TACE"),
        says="More than 50 % of the liver involved is beyond the reported evidence for embolisation.",
        cite=ZHANG_2025.at(
            "Guidelines",
            "provided that the liver burden is not massive and the lesions are relatively small and accessible",
        ),
        derived=True,
    ),
    Rule(
        id="TACE-PR-RATE",
        when=Facts.last_lrt_modality.is_("TACE"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TACE",),
        says="Partial responses to TACE are reported in 50 to 100 %, with control beyond 12 months.",
        cite=ZHANG_2025.at(
            "Evidence from clinical practice",
            "partial response (PR) rates between 50–100% and long-term disease control (>12 months)",
        ),
    ),
    Rule(
        id="TACE-SYM",
        when=Facts.liver_symptoms.has("diarrhoea") | Facts.liver_symptoms.has("abdominal_pain"),
        verdict=Verdict.PREFERS,
        kind="option",
        options=("TACE",),
        says="TACE relieves symptoms such as diarrhoea and abdominal pain.",
        cite=ZHANG_2025.at(
            "Evidence from clinical practice",
            "effective in alleviating symptoms such as diarrhea and abdominal pain",
        ),
    ),
    Rule(
        id="TACE-REPEAT-N",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TACE",),
        says="TACE often needs several sessions.",
        cite=ZHANG_2025.at("Table 3", "multiple sessions often required"),
    ),
    Rule(
        id="VASC-3PHASE",
        when=~Facts.liver_imaging_modality.is_("CT_three_phase"),
        verdict=Verdict.REQUIRES,
        kind="measure",
        options=("TACE", "TAE", "TARE", "ablation_plus_TACE"),
        says="A three-phase contrast-enhanced CT of the liver is needed to plan a treatment through the artery.",
        cite=ZHANG_2025.at(
            "Vascular techniques",
            "Procedure planning typically requires contrast-enhanced CT with a three-phase liver protocol to "
            "assess lesion vascularity",
        ),
    ),
    Rule(
        id="TACE-BOARD-CI",
        when=Facts.tace_contraindicated,
        verdict=Verdict.RELATIVE,
        kind="option",
        options=("TACE", "ablation_plus_TACE"),
        says="The board entered a contraindication to TACE: it is never ranked first.",
        cite=ZHANG_2025.at("Table 3", "especially when TACE is contraindicated"),
        strength_read=True,
    ),
    # TAE
    Rule(
        id="TAE-SAFER",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TAE",),
        says="TAE may be safer than TACE; this is not settled.",
        cite=ZHANG_2025.at(
            "Vascular techniques",
            "A potentially better safety profile of TAE compared to TACE remains under investigation",
        ),
    ),
    # TARE selection
    Rule(
        id="TARE-IND-DIFFUSE",
        when=((Facts.liver_lesion_count > 4) | Facts.liver_lobes_involved.is_("bilobar")) & Facts.tace_contraindicated,
        verdict=Verdict.PREFERS,
        kind="option",
        options=("TARE",),
        says="Diffuse liver disease is treated by TARE when TACE is contraindicated.",
        cite=ZHANG_2025.at(
            "Table 3",
            "Diffuse liver involvement, especially when TACE is contraindicated; radioiodine-refractory disease",
        ),
    ),
    Rule(
        id="TARE-IND-RAIR",
        when=Facts.rai_refractory & ((Facts.liver_lesion_count > 4) | Facts.liver_lobes_involved.is_("bilobar")),
        verdict=Verdict.INDICATES,
        kind="option",
        options=("TARE",),
        says="Diffuse liver disease that is refractory to radioiodine is a reason for TARE.",
        cite=ZHANG_2025.at("Table 3", "radioiodine-refractory disease"),
    ),
    Rule(
        id="TARE-ALT-LARGE",
        when=(Facts.liver_lesion_largest_diameter_mm >= 30) | Facts.tace_contraindicated,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TARE",),
        says="TARE is an alternative for larger tumours and for patients in whom TACE does not fit.",
        cite=ZHANG_2025.at(
            "Comparative effectiveness",
            "an alternative for patients who are not suitable for TACE or have larger tumors",
        ),
    ),
    Rule(
        id="TARE-RADPROT",
        when=~Facts.radioprotection_available,
        verdict=Verdict.REQUIRES,
        kind="measure",
        options=("TARE",),
        says="TARE needs a radioprotection protocol at the centre.",
        cite=ZHANG_2025.at(
            "Table 3",
            "Requires radioprotection protocols; limited availability; delayed therapeutic effect",
        ),
    ),
    Rule(
        id="TARE-DELAYED",
        when=Facts.liver_symptoms.has("diarrhoea"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TARE",),
        says="TARE acts late: TACE is preferred where symptoms need rapid relief.",
        cite=ZHANG_2025.at("Table 3", "delayed therapeutic effect"),
        strength_read=True,
    ),
    # Combined locoregional
    Rule(
        id="COMB-PRERESECT",
        when=Facts.treatment_intent.is_("bridge"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TACE", "TAE"),
        says="Embolisation may take the blood supply from a lesion before it is resected.",
        cite=ZHANG_2025.at(
            "Vascular techniques",
            "devascularising a lesion prior to resection or enhancing local control in large metastases",
        ),
    ),
)
