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
        says="The patient is seen 1 to 3 months after TARE for side effects.",
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
        says="Imaging is done 3 months after TARE, and then every 3 months.",
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
        says="Early after TARE an enhancing rim is no progression: no call of progression before 3 months.",
        cite=ANBARI_2023.at("Follow-up imaging", "is not to be mistaken with a viable tumor or progression"),
    ),
    Rule(
        id="FU-FDG46W",
        when=Facts.last_lrt_modality.is_("TARE") & Facts.fdg_avid & (Facts.days_since_lrt >= 28),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TARE",),
        says="FDG PET 4 to 6 weeks after TARE may tell earlier than other imaging (colorectal metastases only).",
        cite=ANBARI_2023.at("Follow-up imaging", "earlier than other imaging modalities"),
    ),
    Rule(
        id="RESP-CR",
        when=Facts.recist_sum_current_mm.is_(0) & ~Facts.new_lesions,
        verdict=Verdict.INFORMS,
        kind="response",
        says="Complete response (CR): every lesion has disappeared.",
        cite=ANBARI_2023.at("Tumor response", "complete response (complete disappearance of lesions)"),
    ),
    Rule(
        id="RESP-PR",
        when=Sums.recist_shrunk_by_30_percent & (Facts.recist_sum_current_mm > 0) & ~Facts.new_lesions,
        verdict=Verdict.INFORMS,
        kind="response",
        says="Partial response (PR): the sum of diameters fell by at least 30 %.",
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
        says="Progression (PD): growth of 20 % and 5 mm from the smallest sum, or new lesions, by RECIST 1.1, which "
        "the other sources do not quote.",
        cite=ANBARI_2023.at("Tumor response", "progressive disease (PD)"),
        derived=True,
    ),
    Rule(
        id="RESP-VIABLE",
        when=Facts.viable_sum_baseline_mm > 0,
        verdict=Verdict.ADVISES,
        kind="response",
        says="The viable, enhancing part of the tumour is reported as well.",
        cite=ANBARI_2023.at("Tumor response", "remaining contrast-enhanced tumor tissue on CT or MRI"),
    ),
    # Adverse events, complications, REILD
    Rule(
        id="AE-TARE-MILD",
        when=Facts.tare_ae_weeks <= 6,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TARE",),
        says="Mild side effects generally occur in the first 4 to 6 weeks after TARE.",
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
        says="Events of CTCAE grade 3 or more occur in less than 10 % after TARE.",
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
        says="Liver decompensation or injury outside the liver may appear 2 to 4 months after TARE, in less than 1 %.",
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
        says="Jaundice with massive ascites 2 to 4 months after TARE, without obstruction or progression, may be "
        "radioembolisation-induced liver disease, which can be fatal: review urgently.",
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
        says="Radioembolisation-induced liver disease occurs in 1 to 3 %.",
        cite=ANBARI_2023.at("Complications", "The incidence of REILD is around 1–3%"),
    ),
    Rule(
        id="AE-REILD-RISK-CHEMO",
        when=Facts.prior_chemotherapy,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TARE",),
        says="Earlier chemotherapy raises the risk of radioembolisation-induced liver disease.",
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
        says="Cirrhosis raises the risk of radioembolisation-induced liver disease.",
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
        says="A high bilirubin before TARE raises the risk of radioembolisation-induced liver disease; no cut-off is "
        "given.",
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
        says="A low tumour burden raises the risk of radioembolisation-induced liver disease (CON-LOWBURDEN).",
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
        says="Survival after TARE was similar to that after TACE (hepatocellular carcinoma only).",
        cite=ANBARI_2023.at("Hepatocellular carcinoma", "shows similar survival outcomes"),
    ),
    Rule(
        id="TARE-LOBECTOMY",
        when=Facts.treatment_intent.is_("bridge"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TARE",),
        says="Radiation lobectomy enlarged the other side by 26 % on average and 45 % at most at 9 months, before "
        "resection (hepatocellular carcinoma).",
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
        says="In neuroendocrine tumours about 50 % responded to TARE and about 40 % stayed stable: indirect evidence.",
        cite=ANBARI_2023.at("Neuroendocrine", "the ORR of radioembolization was around 50%"),
    ),
    Rule(
        id="TARE-GI",
        when=Facts.extrahepatic_deposition_on_maa,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TARE",),
        says="Activity in the gut causes ulceration and inflammation.",
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
        says="A high lung dose can cause radiation pneumonitis.",
        cite=ANBARI_2023.at("Pre-treatment work-up", "can lead to radiation pneumonitis"),
    ),
    Rule(
        id="AE-TARE-LATELIST",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TARE",),
        says="Late complications of TARE are pneumonitis, pancreatitis and gastric ulcer.",
        cite=ANBARI_2023.at("Complications", "(e.g., radiation pneumonitis, pancreatitis, gastric ulceration)"),
    ),
    Rule(
        id="AE-REILD-LABS",
        when=(Facts.tare_ae_weeks >= 8) & ~Facts.biliary_obstruction & ~Facts.radiological_progression,
        verdict=Verdict.ADVISES,
        kind="alert",
        options=("TARE",),
        says="Low albumin and high bilirubin after TARE may point to radioembolisation-induced liver disease.",
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
        says="The follow-up CT has a late arterial and a portal venous phase.",
        cite=ANBARI_2023.at(
            "Follow-up imaging",
            "a late-arterial and a portal venous phase abdominal CT is generally considered to be standard procedures",
        ),
    ),
)
