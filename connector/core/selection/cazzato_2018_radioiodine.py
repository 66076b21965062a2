"""Radioiodine, its ceiling and the ATA and TNM risk strata, by Cazzato 2018."""

from connector.core.catalogue import Facts, Sums
from connector.core.rules import Rule, Verdict
from connector.core.sources import CAZZATO_2018
from connector.core.vocabulary import DIFFERENTIATED

RULES: tuple[Rule, ...] = (
    # RAI / RIT and risk strata
    Rule(
        id="RAI-CEILING",
        when=Sums.rai_total_activity_mci > 600,
        verdict=Verdict.EXCLUDES,
        kind="option",
        options=("RAI",),
        says="Radioiodine beyond 600 mCi (22.2 GBq) in all is ruled out; salvage is for the board alone (CON-RAI600).",
        cite=CAZZATO_2018.at("Rationale", "RIT has been applied to the maximum permissible dose (i.e., 600 mCi)"),
        strength_read=True,
    ),
    Rule(
        id="RAI-REFRACT",
        when=Facts.rai_refractory,
        verdict=Verdict.RELATIVE,
        kind="option",
        options=("RAI",),
        says="In refractory disease radioiodine is of little or no benefit.",
        cite=CAZZATO_2018.at("Rationale", "There is little or no benefit when RIT is applied in RIT-refractory DTCs"),
        strength_read=True,
    ),
    Rule(
        id="RAI-AVID",
        when=Facts.rai_avid & ~Facts.rai_refractory & Facts.histology.among(*DIFFERENTIATED),
        verdict=Verdict.INDICATES,
        kind="option",
        options=("RAI",),
        says="Metastases of differentiated carcinoma that take up iodine and are not refractory are a reason for "
        "radioiodine, within its ceiling.",
        cite=CAZZATO_2018.at(
            "Introduction",
            "These metastatic lesions are treated by RIT, tyrosine kinase inhibitors (TKIs) for RIT-refractory disease",
        ),
    ),
    Rule(
        id="RAI-MTC-NO",
        when=Facts.histology.among("MTC", "ATC"),
        verdict=Verdict.EXCLUDES,
        kind="option",
        options=("RAI",),
        says="Radioiodine is ruled out in medullary and anaplastic carcinoma: the iodine transporter is described in "
        "papillary and follicular carcinoma only.",
        cite=CAZZATO_2018.at("Introduction", "express sodium iodine symporters on their cellular"),
        derived=True,
    ),
    Rule(
        id="STRAT-ATA-LOW",
        when=Facts.extrathyroidal_extension.is_("none")
        & Facts.m_stage.is_("cM0")
        & Facts.resection_macroscopic_complete
        & ~Facts.aggressive_histology_variant
        & (Facts.pathologic_n1_count <= 5)
        & (Facts.n1_largest_mm <= 2)
        & Facts.rai_foci_outside_bed.is_("none"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="ATA low risk: confined, completely resected, at most 5 node metastases of no more than 2 mm, no distant "
        "uptake.",
        cite=CAZZATO_2018.at("Table 2", "≤5 pathologic N1 micro-metastases (0.2 cm in largest dimension)"),
    ),
    Rule(
        id="STRAT-ATA-LOW-FTC",
        when=Facts.histology.is_("FTC") & (Facts.vascular_invasion_foci_count < 4),
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="ATA low risk: follicular carcinoma with fewer than 4 foci of vascular invasion.",
        cite=CAZZATO_2018.at("Table 2", "no or minimal (<4 foci) vascular invasion"),
    ),
    Rule(
        id="STRAT-ATA-INT-ETE",
        when=Facts.extrathyroidal_extension.is_("microscopic"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="ATA intermediate risk: microscopic extension beyond the thyroid.",
        cite=CAZZATO_2018.at("Table 2", "Microscopic invasion of tumor into the peri-thyroidal soft tissues"),
    ),
    Rule(
        id="STRAT-ATA-INT-RAI",
        when=Facts.rai_foci_outside_bed.is_("neck"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="ATA intermediate risk: radioiodine uptake in the neck outside the thyroid bed.",
        cite=CAZZATO_2018.at(
            "Table 2",
            "Radioiodine-avid metastatic foci in the neck on the first post-treatment whole-body radioiodine scan",
        ),
    ),
    Rule(
        id="STRAT-ATA-INT-HIST",
        when=Facts.aggressive_histology_variant,
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="ATA intermediate risk: an aggressive variant such as tall cell, hobnail or columnar cell.",
        cite=CAZZATO_2018.at(
            "Table 2",
            "Aggressive histology (e.g., tall cell, hobnail variant, columnar cell carcinoma)",
        ),
    ),
    Rule(
        id="STRAT-ATA-INT-VI",
        when=Facts.histology.is_("PTC") & (Facts.vascular_invasion_foci_count >= 1),
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="ATA intermediate risk: papillary carcinoma with vascular invasion.",
        cite=CAZZATO_2018.at("Table 2", "PTC with vascular invasion"),
    ),
    Rule(
        id="STRAT-ATA-INT-N1",
        when=(Facts.pathologic_n1_count > 5) & (Facts.n1_largest_mm < 30),
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="ATA intermediate risk: more than 5 node metastases, all below 30 mm.",
        cite=CAZZATO_2018.at(
            "Table 2",
            "Clinical N1 or >5 pathologic N1 with all involved lymph nodes <3 cm in largest dimension",
        ),
    ),
    Rule(
        id="STRAT-ATA-INT-MICRO",
        when=Facts.tumour_multifocal & Facts.braf_v600e & ~Facts.extrathyroidal_extension.is_("none"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="ATA intermediate risk: multifocal microcarcinoma with extension beyond the capsule and BRAF V600E.",
        cite=CAZZATO_2018.at("Table 2", "Multifocal papillary microcarcinoma with extra-capsular extension and BRAF"),
    ),
    Rule(
        id="STRAT-ATA-HIGH-ETE",
        when=Facts.extrathyroidal_extension.is_("macroscopic"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="ATA high risk: macroscopic extension beyond the thyroid.",
        cite=CAZZATO_2018.at("Table 2", "Macroscopic invasion of tumor into the peri-thyroidal soft tissues"),
    ),
    Rule(
        id="STRAT-ATA-HIGH-R",
        when=~Facts.resection_macroscopic_complete,
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="ATA high risk: the tumour was not completely resected.",
        cite=CAZZATO_2018.at("Table 2", "Incomplete tumor resection"),
    ),
    Rule(
        id="STRAT-ATA-HIGH-M",
        when=Facts.m_stage.is_("M1") | Facts.rai_foci_outside_bed.is_("distant"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="ATA high risk: distant metastases, as in every patient of this service.",
        cite=CAZZATO_2018.at("Table 2", "Distant metastases"),
    ),
    Rule(
        id="STRAT-ATA-HIGH-TG",
        when=Facts.postop_tg_suggests_distant,
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="ATA high risk: thyroglobulin after surgery that suggests distant metastases.",
        cite=CAZZATO_2018.at("Table 2", "Postoperative serum Tg suggestive of distant metastases"),
    ),
    Rule(
        id="STRAT-ATA-HIGH-N",
        when=Facts.n1_largest_mm >= 30,
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="ATA high risk: a node metastasis of 30 mm or more.",
        cite=CAZZATO_2018.at("Table 2", "Pathologic N1 with any metastatic lymph node ≥3 cm in largest dimension"),
    ),
    Rule(
        id="STRAT-ATA-HIGH-FTC",
        when=Facts.histology.is_("FTC") & (Facts.vascular_invasion_foci_count > 4),
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="ATA high risk: follicular carcinoma with more than 4 foci of vascular invasion (exactly 4: CON-FTC4).",
        cite=CAZZATO_2018.at("Table 2", "FTC with extensive vascular invasion (>4 foci of vascular invasion)"),
    ),
    Rule(
        id="STRAT-TNM-VLOW",
        when=Facts.pt_stage.is_("pT1a") & Facts.n_stage.among("cN0", "pN0") & Facts.m_stage.is_("cM0"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("RAI",),
        says="TNM very low risk: radioiodine only with several foci, infiltration, a variant, low differentiation or 6 "
        "to 10 mm.",
        cite=CAZZATO_2018.at(
            "Table 2",
            "radioiodine is indicated in cases of multifocality, infiltration of the thyroid gland, PTC variant",
        ),
    ),
    Rule(
        id="STRAT-TNM-LOW",
        when=Facts.pt_stage.among("pT1b", "pT2") & Facts.n_stage.among("cN0", "pN0") & Facts.m_stage.is_("cM0"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("RAI",),
        says="TNM low risk: radioiodine after surgery is indicated.",
        cite=CAZZATO_2018.at("Table 2", "pT1b, pT2, cN0/pN0, cM0"),
    ),
    Rule(
        id="STRAT-TNM-HIGH",
        when=Facts.pt_stage.among("pT3", "pT4") | Facts.n_stage.is_("N1") | Facts.m_stage.is_("M1"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("RAI",),
        says="TNM high risk: radioiodine is indicated, subject to uptake, refractoriness and the ceiling.",
        cite=CAZZATO_2018.at("Table 2", "pT3, pT4, each N1, all M1"),
    ),
    Rule(
        id="RIT-REMNANT",
        when=Facts.histology.among("PTC", "FTC", "DTC_NOS"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("RAI",),
        says="Thyroidectomy is followed by radioiodine by risk stratum.",
        cite=CAZZATO_2018.at(
            "Introduction",
            "complete or partial thyroidectomy which is generally followed by the remnant ablation using "
            "radioiodine therapy",
        ),
    ),
    # EBRT
    Rule(
        id="EBRT-EMBO",
        when=Facts.bone_lesion_count >= 1,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("surgery", "RAI", "EBRT", "bone_embolisation"),
        says="Embolisation of bone metastases did better together with radiotherapy, surgery or radioiodine.",
        cite=CAZZATO_2018.at(
            "Bone embolization",
            "TAE was combined with the other treatment modalities such as EBRT, surgery and RIT",
        ),
    ),
)
