"""Systemic therapy, radioiodine, adverse events and background, by Zhang 2025."""

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
        says="Disease that is refractory to radioiodine is often treated with a TKI.",
        cite=ZHANG_2025.at("Introduction", "systemic therapy with tyrosine kinase inhibitors (TKIs) is often used"),
    ),
    Rule(
        id="SYS-TKI-LMPOOR",
        when=Facts.rai_refractory & (Facts.liver_lesion_count >= 1),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("systemic_therapy",),
        says="Liver metastases respond less to TKIs, and for a shorter time, than lung metastases.",
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
        says="The ETA lets a TKI go on or pause for a few days around a local treatment (CON-TKI-HOLD).",
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
        says="Whether local treatment weakens or helps a TKI is unproven.",
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
        says="Liver metastases mostly come with refractory disease, in which radioiodine is ineffective.",
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
        says="No guideline gives strict criteria for these techniques.",
        cite=ZHANG_2025.at("Guidelines", "although none provide strict recommendations for their application"),
    ),
    # Adverse events, complications, REILD
    Rule(
        id="AE-ABL-LIST",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=ABLATION,
        says="Ablation may injure a bile duct, bleed, cause an abscess or injure pleura and lung.",
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
        says="Rare complications of TACE are a hypertensive crisis and dissection of the hepatic artery.",
        cite=ZHANG_2025.at("Evidence from clinical practice", "hypertensive crises or hepatic artery dissection"),
    ),
    Rule(
        id="AE-VASC-LIST",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TACE", "TAE", "TARE"),
        says="Arterial treatment raises liver enzymes and leukocytes and causes a post-embolisation syndrome; "
        "bleeding, dissection and liver failure occur.",
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
        says="About 50 % of patients with advanced medullary carcinoma have liver metastases.",
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
        says="Liver metastases are rare in differentiated carcinoma: 0.5 to 3.5 % of metastatic cases.",
        cite=ZHANG_2025.at("Introduction", "LM are rare in DTC and occur in only 0.5–3.5% of metastatic cases"),
    ),
    Rule(
        id="BG-LM-HYPER",
        when=Facts.histology.among(*DIFFERENTIATED) & Facts.liver_symptoms.has("hyperthyroidism"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="Metastases that make thyroid hormone can cause hyperthyroidism.",
        cite=ZHANG_2025.at("Introduction", "hyperfunctional metastases can lead to clinical hyperthyroidism"),
    ),
    Rule(
        id="BG-LM-DIARR",
        when=Facts.histology.is_("MTC") & Facts.liver_symptoms.has("diarrhoea"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="Liver metastases of medullary carcinoma can cause diarrhoea.",
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
        says="In a registry 38.7 % of FTC, 17.3 % of PTC, 75.4 % of ATC and 47.8 % of MTC were metastatic.",
        cite=ZHANG_2025.at("Metastatic patterns", "Overall, 35.1% of patients developed metastases"),
    ),
    Rule(
        id="BG-REG-MTC",
        when=Facts.histology.is_("MTC"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="Metastatic medullary carcinoma involves the liver in 81.3 %, the lung in 56.3 %, bone in 40.6 % and "
        "several sites in 81.2 %.",
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
        says="The lung is the most frequent site: 79.7 % in papillary, 72.9 % in follicular and 92.1 % in anaplastic "
        "carcinoma.",
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
        says="Ablation is done through the skin or by laparoscopy.",
        cite=ZHANG_2025.at("Ablative techniques", "performed percutaneously or laparoscopically"),
    ),
    Rule(
        id="ABL-STAY",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=ABLATION,
        says="Ablation needs a short stay and is well tolerated.",
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
        says="MWA heats faster and makes larger zones.",
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
        says="RECIST, symptom scales and quality of life are recorded.",
        cite=ZHANG_2025.at(
            "Knowledge gaps",
            "The use of RECIST criteria, symptom relief scales and quality of life metrics should be encouraged",
        ),
    ),
)
