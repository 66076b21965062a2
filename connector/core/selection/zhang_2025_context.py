"""Systemic therapy, markers, adverse events and background, by Zhang 2025."""

from connector.core.catalogue import Facts
from connector.core.rules import ALWAYS, Rule, Verdict
from connector.core.sources import ZHANG_2025
from connector.core.vocabulary import ABLATION, DIFFERENTIATED, LIVER_LOCOREGIONAL

RULES: tuple[Rule, ...] = (
    # Systemic therapy / TKI
    Rule(
        id="SYS-TKI-RAIR",
        when=Facts.rai_refractory,
        verdict=Verdict.INDICATES,
        kind="option",
        options=("systemic_therapy",),
        says="TKI often used",
        cite=ZHANG_2025.at("Introduction", "systemic therapy with tyrosine kinase inhibitors (TKIs) is often used"),
    ),
    Rule(
        id="SYS-TKI-LMPOOR",
        when=Facts.rai_refractory & (Facts.liver_lesion_count >= 1),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("systemic_therapy",),
        says="LM respond less and shorter than lung",
        cite=ZHANG_2025.at(
            "Introduction",
            "LM may respond less well and for a shorter time compared to other metastatic sites, such as lung lesions",
        ),
    ),
    Rule(
        id="SYS-ETA-HOLD",
        when=~Facts.systemic_therapy_current.is_("none"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("systemic_therapy",),
        says="ETA: continue or pause a few days (CON-TKI-HOLD)",
        cite=ZHANG_2025.at(
            "Guidelines",
            "tyrosine kinase inhibitor (TKI) therapy can be continued or temporarily paused for a few days",
        ),
    ),
    Rule(
        id="SYS-INTERFERE",
        when=Facts.systemic_therapy_anti_vegf,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("systemic_therapy",),
        says="interaction unproven either way",
        cite=ZHANG_2025.at(
            "Introduction",
            "It is controversial whether IRT could impair the efficacy of TKIs by altering tumor vascularization",
        ),
    ),
    # RAI / RIT and risk strata
    Rule(
        id="RAI-REFRACT-LM",
        when=Facts.rai_refractory & (Facts.liver_lesion_count >= 1),
        verdict=Verdict.RELATIVE,
        kind="option",
        options=("RAI",),
        says="ineffective",
        cite=ZHANG_2025.at(
            "Introduction",
            "LM often occurs in conjunction with radioiodine-refractory disease, making RAI therapy ineffective",
        ),
        strength_read=True,
    ),
    # Guideline recommendations
    Rule(
        id="GL-NOSTRICT",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=LIVER_LOCOREGIONAL,
        says="no guideline gives strict criteria",
        cite=ZHANG_2025.at("Guidelines", "although none provide strict recommendations for their application"),
    ),
    # Biomarkers
    Rule(
        id="BIO-CTDT6",
        when=Facts.histology.is_("MTC") & (Facts.calcitonin_doubling_time_months < 6),
        verdict=Verdict.INFORMS,
        kind="process",
        says="doubling time < 6 months: metastatic signal, prioritise early IRT review",
        cite=ZHANG_2025.at(
            "Biomarkers",
            "especially with a doubling time of less than 6 months, is a highly predictive indicator of "
            "metastatic disease",
        ),
    ),
    Rule(
        id="BIO-CT1000",
        when=Facts.histology.is_("MTC") & (Facts.calcitonin_pg_ml > 1000),
        verdict=Verdict.ADVISES,
        kind="measure",
        says="> 1000 pg/ml: more intensive liver imaging",
        cite=ZHANG_2025.at(
            "Biomarkers",
            "often above 1,000 pg/ml, have been associated with systemic spread and should prompt more intensive "
            "radiological monitoring",
        ),
    ),
    Rule(
        id="BIO-CEA",
        when=Facts.histology.is_("MTC") & Facts.cea_trend.is_("rising"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="prognostic complement",
        cite=ZHANG_2025.at(
            "Biomarkers",
            "CEA can complement calcitonin by providing additional prognostic information",
        ),
    ),
    Rule(
        id="BIO-CT-POSTIRT",
        when=Facts.histology.is_("MTC") & (Facts.calcitonin_change_percent < 0),
        verdict=Verdict.INFORMS,
        kind="response",
        says="may indicate response, esp. if imaging equivocal",
        cite=ZHANG_2025.at(
            "Biomarkers",
            "A decrease in calcitonin levels or stabilization of its doubling time after IRT may indicate a response",
        ),
    ),
    Rule(
        id="BIO-TG-RISE",
        when=Facts.rai_refractory & Facts.tg_trend.is_("rising"),
        verdict=Verdict.ADVISES,
        kind="follow_up",
        says="intensify imaging, re-evaluate",
        cite=ZHANG_2025.at("Biomarkers", "an increase in unstimulated Tg may precede radiological evidence of LM"),
    ),
    Rule(
        id="BIO-TG-CAUTION",
        when=Facts.last_lrt_modality.among("RFA", "MWA", "TACE", "TAE", "TARE") & ~Facts.tg_trend.is_("stable"),
        verdict=Verdict.ADVISES,
        kind="response",
        says="necrosis/inflammation fluctuation; do not call response or failure",
        cite=ZHANG_2025.at(
            "Biomarkers",
            "fluctuations due to tumor necrosis or inflammation should be interpreted with caution",
        ),
    ),
    Rule(
        id="BIO-DISCORD-UP",
        when=Facts.radiological_progression & ~Facts.marker_trend.is_("rising"),
        verdict=Verdict.ADVISES,
        kind="follow_up",
        says="dedifferentiation? biopsy, molecular profiling, strategy change",
        cite=ZHANG_2025.at(
            "Biomarkers",
            "the absence of a corresponding increase in tumor markers despite radiological progression, or vice versa",
        ),
    ),
    Rule(
        id="BIO-DISCORD-DOWN",
        when=~Facts.radiological_progression & Facts.marker_trend.is_("rising"),
        verdict=Verdict.ADVISES,
        kind="follow_up",
        says="same, vice versa",
        cite=ZHANG_2025.at(
            "Biomarkers",
            "may indicate tumor dedifferentiation requiring biopsy, molecular profiling or a change in "
            "therapeutic strategy",
        ),
    ),
    Rule(
        id="BIO-HIGHRISK",
        when=(Facts.calcitonin_doubling_time_months < 6) | Facts.tg_trend.is_("rising"),
        verdict=Verdict.ADVISES,
        kind="process",
        says="prioritise for early IRT",
        cite=ZHANG_2025.at(
            "Multimodal integration",
            "High-risk biomarker profiles (e.g. rapidly rising calcitonin or Tg) can prioritize patients for early IRT",
        ),
    ),
    Rule(
        id="BIO-TREND-NEXT",
        when=Facts.days_since_lrt > 0,
        verdict=Verdict.INFORMS,
        kind="follow_up",
        says="trend guides systemic timing or repeat",
        cite=ZHANG_2025.at(
            "Multimodal integration",
            "help decide on the timing of systemic therapy or repeated local interventions",
        ),
    ),
    Rule(
        id="BIO-LIQUID",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="ctDNA/miRNA not routine; never drives selection",
        cite=ZHANG_2025.at("Emerging biomarkers", "Although not yet routinely used in thyroid cancer"),
    ),
    # Adverse events, complications, REILD
    Rule(
        id="AE-ABL-LIST",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=ABLATION,
        says="bile duct injury, bleeding, abscess, pleura/lung",
        cite=ZHANG_2025.at(
            "Ablative techniques",
            "bile duct injury, hemorrhagic events (e.g. hematoma, intra-abdominal bleeding), liver abscesses",
        ),
    ),
    Rule(
        id="AE-TACE-RARE",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TACE",),
        says="hypertensive crisis, hepatic artery dissection",
        cite=ZHANG_2025.at("Evidence from clinical practice", "hypertensive crises or hepatic artery dissection"),
    ),
    Rule(
        id="AE-VASC-LIST",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TACE", "TAE", "TARE"),
        says="enzymes, leukocytosis, PES; bleeding, dissection, hepatic failure",
        cite=ZHANG_2025.at(
            "Vascular techniques",
            "transient elevations in liver enzymes, leukocytosis, and post-embolization syndrome (PES)",
        ),
    ),
    # Background and remaining statements
    Rule(
        id="BG-LM-MTC",
        when=Facts.histology.is_("MTC"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="LM in about 50 % of advanced MTC",
        cite=ZHANG_2025.at(
            "Introduction",
            "Liver metastases (LM) are seen in approximately 50% of patients with advanced MTC",
        ),
    ),
    Rule(
        id="BG-LM-DTC",
        when=Facts.histology.among(*DIFFERENTIATED),
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="LM in 0.5-3.5 % of metastatic cases",
        cite=ZHANG_2025.at("Introduction", "LM are rare in DTC and occur in only 0.5–3.5% of metastatic cases"),
    ),
    Rule(
        id="BG-LM-HYPER",
        when=Facts.histology.among(*DIFFERENTIATED) & Facts.liver_symptoms.has("hyperthyroidism"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="hyperfunctional metastasis",
        cite=ZHANG_2025.at("Introduction", "hyperfunctional metastases can lead to clinical hyperthyroidism"),
    ),
    Rule(
        id="BG-LM-DIARR",
        when=Facts.histology.is_("MTC") & Facts.liver_symptoms.has("diarrhoea"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="MTC gastrointestinal symptoms",
        cite=ZHANG_2025.at(
            "Introduction",
            "LM can cause gastrointestinal symptoms, including diarrhoea, especially in advanced disease",
        ),
    ),
    Rule(
        id="BG-REG",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="metastatic: FTC 38.7, PTC 17.3, ATC 75.4, MTC 47.8 %",
        cite=ZHANG_2025.at("Metastatic patterns", "Overall, 35.1% of patients developed metastases"),
    ),
    Rule(
        id="BG-REG-MTC",
        when=Facts.histology.is_("MTC"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="liver 81.3 %, lung 56.3 %, bone 40.6 %, multisite 81.2 %",
        cite=ZHANG_2025.at(
            "Metastatic patterns",
            "liver metastases were most prevalent (81.3%), while lung involvement was observed in only 56.3%",
        ),
    ),
    Rule(
        id="BG-REG-LUNG",
        when=Facts.histology.among("PTC", "FTC", "ATC"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="lung 79.7 / 72.9 / 92.1 %",
        cite=ZHANG_2025.at(
            "Metastatic patterns",
            "For papillary (79.7%), follicular (72.9%), and anaplastic (92.1%) subtypes, the most frequent "
            "metastatic site was the lung",
        ),
    ),
    Rule(
        id="ABL-ROUTE",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("RFA", "MWA"),
        says="percutaneous or laparoscopic",
        cite=ZHANG_2025.at("Ablative techniques", "performed percutaneously or laparoscopically"),
    ),
    Rule(
        id="ABL-STAY",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=ABLATION,
        says="short hospitalisation",
        cite=ZHANG_2025.at(
            "Ablative techniques",
            "These techniques typically involve short hospitalization and are well tolerated",
        ),
    ),
    Rule(
        id="MWA-ZONE",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("MWA",),
        says="faster, larger zones",
        cite=ZHANG_2025.at(
            "Table 3",
            "Faster heating; better penetration; less affected by heat-sink effect; larger ablation zones",
        ),
    ),
    Rule(
        id="FU-QOL",
        when=ALWAYS,
        verdict=Verdict.ADVISES,
        kind="follow_up",
        options=LIVER_LOCOREGIONAL,
        says="RECIST, symptom scales, quality of life",
        cite=ZHANG_2025.at(
            "Knowledge gaps",
            "The use of RECIST criteria, symptom relief scales and quality of life metrics should be encouraged",
        ),
    ),
)
