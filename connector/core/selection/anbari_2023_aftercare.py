"""Follow-up and adverse events of radioembolisation, by Anbari 2023."""

from connector.core.catalogue import Facts, Sums
from connector.core.rules import ALWAYS, Rule, Verdict
from connector.core.sources import ANBARI_2023
from connector.core.vocabulary import LIVER_LOCOREGIONAL

RULES: tuple[Rule, ...] = (
    # Follow-up and response
    Rule(
        id="FU-TARE-CLIN",
        when=Facts.last_lrt_modality.is_("TARE") & (Facts.days_since_lrt >= 30),
        verdict=Verdict.REQUIRES,
        kind="follow_up",
        options=("TARE",),
        says="clinical review 1-3 months",
        cite=ANBARI_2023.at(
            "Follow-up imaging",
            "a clinical evaluation is usually performed one to three months after treatment to assess side effects",
        ),
    ),
    Rule(
        id="FU-TARE-IMG",
        when=Facts.last_lrt_modality.is_("TARE") & (Facts.days_since_lrt >= 90),
        verdict=Verdict.REQUIRES,
        kind="follow_up",
        options=("TARE",),
        says="imaging 3 months, then 3-monthly",
        cite=ANBARI_2023.at(
            "Follow-up imaging",
            "Imaging is usually performed three months post-radioembolization, followed by three-monthly follow-"
            "up imaging thereafter",
        ),
    ),
    Rule(
        id="FU-TARE-EARLY",
        when=Facts.last_lrt_modality.is_("TARE") & (Facts.days_since_lrt < 90),
        verdict=Verdict.ADVISES,
        kind="response",
        options=("TARE",),
        says="early rim enhancement is not progression: no PD call",
        cite=ANBARI_2023.at("Follow-up imaging", "is not to be mistaken with a viable tumor or progression"),
    ),
    Rule(
        id="FU-FDG46W",
        when=Facts.last_lrt_modality.is_("TARE") & Facts.fdg_avid & (Facts.days_since_lrt >= 28),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TARE",),
        says="FDG PET after 4-6 weeks (mCRC only)",
        cite=ANBARI_2023.at("Follow-up imaging", "earlier than other imaging modalities"),
    ),
    Rule(
        id="RESP-CR",
        when=Facts.recist_sum_current_mm.is_(0) & ~Facts.new_lesions,
        verdict=Verdict.INFORMS,
        kind="response",
        says="CR",
        cite=ANBARI_2023.at("Tumor response", "complete response (complete disappearance of lesions)"),
    ),
    Rule(
        id="RESP-PR",
        when=Sums.recist_shrunk_by_30_percent & (Facts.recist_sum_current_mm > 0) & ~Facts.new_lesions,
        verdict=Verdict.INFORMS,
        kind="response",
        says="PR >= 30 % decrease",
        cite=ANBARI_2023.at(
            "Tumor response",
            "at least a 30% decrease in the sum of the longest diameters of target lesions",
        ),
    ),
    Rule(
        id="RESP-PD-DER",
        when=Facts.new_lesions | Sums.recist_grown_by_20_percent_and_5_mm,
        verdict=Verdict.INFORMS,
        kind="response",
        says="PD +20 % and +5 mm from nadir, or new lesions (RECIST 1.1; number NOT in the sources)",
        cite=ANBARI_2023.at("Tumor response", "progressive disease (PD)"),
        derived=True,
    ),
    Rule(
        id="RESP-VIABLE",
        when=Facts.viable_sum_baseline_mm > 0,
        verdict=Verdict.ADVISES,
        kind="response",
        says="also report viable (enhancing) tumour",
        cite=ANBARI_2023.at("Tumor response", "remaining contrast-enhanced tumor tissue on CT or MRI"),
    ),
    # Adverse events, complications, REILD
    Rule(
        id="AE-TARE-MILD",
        when=Facts.tare_ae_weeks <= 6,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TARE",),
        says="mild effects first 4-6 weeks",
        cite=ANBARI_2023.at(
            "Complications",
            "mild side effects generally occur the first 4–6 weeks after radioembolization",
        ),
    ),
    Rule(
        id="AE-TARE-G3",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TARE",),
        says="CTCAE >= 3 in < 10 %",
        cite=ANBARI_2023.at(
            "Complications",
            "grade 3 or higher according to the CTCAE criteria, occur in <10% of patients",
        ),
    ),
    Rule(
        id="AE-TARE-LATE",
        when=(Facts.tare_ae_weeks >= 8) & (Facts.tare_ae_weeks <= 18),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TARE",),
        says="decompensation/extrahepatic 2-4 months, < 1 %",
        cite=ANBARI_2023.at("Complications", "that may develop 2–4 months after treatment, with an incidence of <1%"),
    ),
    Rule(
        id="AE-REILD",
        when=Facts.jaundice
        & Facts.ascites_grade.is_("massive")
        & (Facts.tare_ae_weeks >= 8)
        & (Facts.tare_ae_weeks <= 18)
        & ~Facts.biliary_obstruction
        & ~Facts.radiological_progression,
        verdict=Verdict.ADVISES,
        kind="alert",
        options=("TARE",),
        says="suspect REILD (can be fatal), urgent review",
        cite=ANBARI_2023.at(
            "Complications",
            "It is characterized by jaundice and massive ascites 2–4 months after treatment",
        ),
        strength_read=True,
    ),
    Rule(
        id="AE-REILD-RATE",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TARE",),
        says="1-3 %",
        cite=ANBARI_2023.at("Complications", "The incidence of REILD is around 1–3%"),
    ),
    Rule(
        id="AE-REILD-RISK-CHEMO",
        when=Facts.prior_chemotherapy,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TARE",),
        says="REILD risk factor",
        cite=ANBARI_2023.at(
            "Complications",
            "prior chemotherapy, low tumor burden, cirrhotic liver disease, and high baseline bilirubin level",
        ),
    ),
    Rule(
        id="AE-REILD-RISK-CIRRH",
        when=Facts.cirrhosis,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TARE",),
        says="REILD risk factor",
        cite=ANBARI_2023.at(
            "Complications",
            "prior chemotherapy, low tumor burden, cirrhotic liver disease, and high baseline bilirubin level",
        ),
    ),
    Rule(
        id="AE-REILD-RISK-BILI",
        when=Facts.bilirubin_total_umol_l > 0,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TARE",),
        says="REILD risk: high baseline bilirubin (no cut-off)",
        cite=ANBARI_2023.at(
            "Complications",
            "prior chemotherapy, low tumor burden, cirrhotic liver disease, and high baseline bilirubin level",
        ),
    ),
    Rule(
        id="AE-REILD-RISK-LOWBURDEN",
        when=Facts.liver_tumour_burden_percent < 25,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TARE",),
        says="REILD risk: low burden (cut-off DERIVED; CON-LOWBURDEN)",
        cite=ANBARI_2023.at(
            "Complications",
            "prior chemotherapy, low tumor burden, cirrhotic liver disease, and high baseline bilirubin level",
        ),
        derived=True,
    ),
    # Background and remaining statements
    Rule(
        id="TARE-TACE-HCC",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TACE", "TARE"),
        says="survival similar to TACE (HCC only)",
        cite=ANBARI_2023.at("Hepatocellular carcinoma", "shows similar survival outcomes"),
    ),
    Rule(
        id="TARE-LOBECTOMY",
        when=Facts.treatment_intent.is_("bridge"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TARE",),
        says="contralateral volume +26 % mean, 45 % max at 9 months (HCC)",
        cite=ANBARI_2023.at(
            "Hepatocellular carcinoma",
            "radiation lobectomy can be used as a conversion therapy before surgical resection",
        ),
    ),
    Rule(
        id="TARE-NET-ORR",
        when=Facts.histology.is_("MTC"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TARE",),
        says="NET ORR about 50 %, SD about 40 % (indirect)",
        cite=ANBARI_2023.at("Neuroendocrine", "the ORR of radioembolization was around 50%"),
    ),
    Rule(
        id="TARE-GI",
        when=Facts.extrahepatic_deposition_on_maa,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TARE",),
        says="ulceration and inflammation of the gut",
        cite=ANBARI_2023.at(
            "Pre-treatment work-up",
            "radiation-induced tissue damage, including ulceration and inflammation",
        ),
    ),
    Rule(
        id="TARE-PNEUMONITIS",
        when=Facts.predicted_lung_dose_gy > 30,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TARE",),
        says="radiation pneumonitis",
        cite=ANBARI_2023.at("Pre-treatment work-up", "can lead to radiation pneumonitis"),
    ),
    Rule(
        id="AE-TARE-LATELIST",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TARE",),
        says="pneumonitis, pancreatitis, gastric ulcer",
        cite=ANBARI_2023.at("Complications", "(e.g., radiation pneumonitis, pancreatitis, gastric ulceration)"),
    ),
    Rule(
        id="AE-REILD-LABS",
        when=(Facts.tare_ae_weeks >= 8) & ~Facts.biliary_obstruction & ~Facts.radiological_progression,
        verdict=Verdict.ADVISES,
        kind="alert",
        options=("TARE",),
        says="low albumin, high bilirubin may point to REILD",
        cite=ANBARI_2023.at(
            "Complications",
            "hypoalbuminemia and hyperbilirubinemia are signs of liver failure and may direct to REILD",
        ),
    ),
    Rule(
        id="FU-CT-PHASES",
        when=ALWAYS,
        verdict=Verdict.ADVISES,
        kind="follow_up",
        options=LIVER_LOCOREGIONAL,
        says="late-arterial and portal venous CT",
        cite=ANBARI_2023.at(
            "Follow-up imaging",
            "a late-arterial and a portal venous phase abdominal CT is generally considered to be standard procedures",
        ),
    ),
)
