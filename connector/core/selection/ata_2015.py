"""The American Thyroid Association 2015 guidelines for differentiated and medullary carcinoma."""

from decimal import Decimal

from connector.core.catalogue import Facts
from connector.core.rules import Rule, Verdict
from connector.core.sources import ATA_2015_DTC, ATA_2015_MTC
from connector.core.vocabulary import DIFFERENTIATED, LIVER_LOCOREGIONAL

RULES: tuple[Rule, ...] = (
    # Laser, PEI, cryoablation
    Rule(
        id="CRYO-ATA",
        when=Facts.histology.among(*DIFFERENTIATED),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("cryoablation",),
        says="The ATA names cryoablation as an alternative to surgery; the sources have no data on it in the liver.",
        cite=ATA_2015_DTC.at(
            "Table 3 of Nervo 2021",
            "Thermal ablation (RFA and cryoablation) may be considered as valid alternatives to surgery",
        ),
    ),
    # Guideline recommendations
    Rule(
        id="GL-ATADTC-ALT",
        when=Facts.histology.among(*DIFFERENTIATED),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("RFA", "cryoablation"),
        says="RFA and cryoablation are valid alternatives to surgery in differentiated carcinoma.",
        cite=ATA_2015_DTC.at("Table 3 of Nervo 2021", "may be considered as valid alternatives to surgery"),
    ),
    Rule(
        id="GL-ATADTC-BEFORESYS",
        when=Facts.histology.among(*DIFFERENTIATED)
        & (Facts.high_risk_local_complication | Facts.liver_symptoms.has("abdominal_pain")),
        verdict=Verdict.PREFERS,
        kind="option",
        options=LIVER_LOCOREGIONAL,
        says="In differentiated carcinoma symptoms or a high risk of local complications are treated locally before "
        "systemic therapy begins.",
        cite=ATA_2015_DTC.at(
            "Table 2 of Zhang 2025",
            "should be taken into consideration before starting systemic therapy in case of symptomatic "
            "metastases/at high risk of local complications",
        ),
    ),
    Rule(
        id="GL-ATAMTC-TREAT",
        when=Facts.histology.is_("MTC")
        & (
            Facts.liver_disease_status.is_("progressive")
            | Facts.liver_symptoms.has("diarrhoea")
            | Facts.liver_symptoms.has("abdominal_pain")
        ),
        verdict=Verdict.INDICATES,
        kind="option",
        options=LIVER_LOCOREGIONAL,
        says="Liver metastases of medullary carcinoma that are large, grow or cause symptoms are treated.",
        cite=ATA_2015_MTC.at(
            "Table 3 of Nervo 2021",
            "Treatment is indicated in patients with LMs that are large, increasing in size, or associated with "
            "symptoms",
        ),
    ),
    Rule(
        id="GL-ATAMTC-TACE",
        when=Facts.histology.is_("MTC")
        & (Facts.liver_lesion_largest_diameter_mm < 30)
        & (Facts.liver_tumour_burden_percent < Decimal("33.3")),
        verdict=Verdict.INDICATES,
        kind="option",
        options=("TACE",),
        says="TACE is named for medullary metastases below 30 mm that involve less than a third of the liver.",
        cite=ATA_2015_MTC.at(
            "Table 3 of Nervo 2021",
            "disseminated tumors < 30 mm in size involving less than a third of the liver",
        ),
    ),
)
