"""Who may have radioembolisation, by Anbari 2023."""

from connector.core.catalogue import Facts, Sums
from connector.core.rules import Rule, Verdict
from connector.core.sources import ANBARI_2023
from connector.core.vocabulary import BONE_LOCOREGIONAL, LIVER_LOCOREGIONAL

RULES: tuple[Rule, ...] = (
    # General eligibility and process
    Rule(
        id="GEN-DER-PREG",
        when=Facts.pregnancy_status.is_("pregnant"),
        verdict=Verdict.RELATIVE,
        kind="option",
        options=(*LIVER_LOCOREGIONAL, *BONE_LOCOREGIONAL, "systemic_therapy", "EBRT", "lung_RFA"),
        says="In pregnancy every X-ray guided treatment and every TKI is for the board alone to decide.",
        cite=ANBARI_2023.at(
            "Patient selection",
            "life expectancy of less than three months, clinical liver failure, and pregnancy",
        ),
        derived=True,
    ),
    # TACE
    Rule(
        id="TACE-DER-ACCESS",
        when=Facts.hepatic_artery_access_contraindicated | Facts.contrast_media_allergy | Facts.renal_failure,
        verdict=Verdict.RELATIVE,
        kind="option",
        options=("TACE", "TAE", "ablation_plus_TACE"),
        says="No access to the hepatic artery, contrast allergy or renal failure speak against embolisation; the "
        "limits are borrowed from TARE.",
        cite=ANBARI_2023.at("Patient selection", "contraindications to hepatic artery catheterization"),
        derived=True,
    ),
    Rule(
        id="TACE-DER-PVT",
        when=Facts.portal_vein_thrombosis.is_("main"),
        verdict=Verdict.RELATIVE,
        kind="option",
        options=("TACE", "TAE", "ablation_plus_TACE"),
        says="Thrombosis of the main portal vein speaks against embolisation; the sources say so of TARE and are "
        "silent on TACE.",
        cite=ANBARI_2023.at("Patient selection", "main portal vein tumor thrombosis (PVT)"),
        derived=True,
    ),
    Rule(
        id="TACE-DER-CP",
        when=Facts.child_pugh_score > 7,
        verdict=Verdict.RELATIVE,
        kind="option",
        options=("TACE", "TAE", "ablation_plus_TACE"),
        says="A Child-Pugh score above 7 speaks against embolisation; the limit is borrowed from TARE.",
        cite=ANBARI_2023.at(
            "Patient selection",
            "Relative contraindications include a Child-Pugh score higher than B7",
        ),
        derived=True,
    ),
    # TARE selection
    Rule(
        id="TARE-IND-UNRES",
        when=(Facts.liver_lesion_count >= 1) & ~Facts.resection_feasible,
        verdict=Verdict.INDICATES,
        kind="option",
        options=("TARE",),
        says="Liver tumours that cannot be resected are the indication for radioembolisation.",
        cite=ANBARI_2023.at(
            "Patient selection",
            "radioembolization is indicated for unresectable liver tumors, both primary tumors and metastases",
        ),
    ),
    Rule(
        id="TARE-ABS-LIFE3",
        when=Facts.life_expectancy_months < 3,
        verdict=Verdict.EXCLUDES,
        kind="option",
        options=("TARE",),
        says="A life expectancy of less than 3 months rules out TARE.",
        cite=ANBARI_2023.at(
            "Patient selection",
            "Absolute contraindications include life expectancy of less than three months, clinical liver "
            "failure, and pregnancy",
        ),
    ),
    Rule(
        id="TARE-ABS-LIVERFAIL",
        when=Facts.clinical_liver_failure,
        verdict=Verdict.EXCLUDES,
        kind="option",
        options=("TARE",),
        says="Clinical liver failure rules out TARE.",
        cite=ANBARI_2023.at(
            "Patient selection",
            "Absolute contraindications include life expectancy of less than three months, clinical liver "
            "failure, and pregnancy",
        ),
    ),
    Rule(
        id="TARE-ABS-PREGNANCY",
        when=Facts.pregnancy_status.is_("pregnant"),
        verdict=Verdict.EXCLUDES,
        kind="option",
        options=("TARE",),
        says="Pregnancy rules out TARE.",
        cite=ANBARI_2023.at(
            "Patient selection",
            "Absolute contraindications include life expectancy of less than three months, clinical liver "
            "failure, and pregnancy",
        ),
    ),
    Rule(
        id="TARE-REL-CPB7",
        when=Facts.child_pugh_score > 7,
        verdict=Verdict.RELATIVE,
        kind="option",
        options=("TARE",),
        says="A Child-Pugh score above B7 (8 or more) speaks against TARE.",
        cite=ANBARI_2023.at(
            "Patient selection",
            "Relative contraindications include a Child-Pugh score higher than B7",
        ),
    ),
    Rule(
        id="TARE-REL-BURDEN50",
        when=Facts.liver_tumour_burden_percent > 50,
        verdict=Verdict.RELATIVE,
        kind="option",
        options=("TARE",),
        says="More than 50 % of the liver involved speaks against TARE: the lower end of the cut-off of 50 to 70 %.",
        cite=ANBARI_2023.at("Patient selection", "a cut-off of 50–70% is often reported"),
        strength_read=True,
    ),
    Rule(
        id="TARE-REL-BURDEN70",
        when=Facts.liver_tumour_burden_percent > 70,
        verdict=Verdict.RELATIVE,
        kind="option",
        options=("TARE",),
        says="More than 70 % of the liver involved: TARE is not offered without a recorded override by the board.",
        cite=ANBARI_2023.at(
            "Patient selection",
            "extensive intrahepatic tumor burden (depending on the tumor type, a cut-off of 50–70% is often reported)",
        ),
        strength_read=True,
    ),
    Rule(
        id="TARE-REL-EXTRAHEP",
        when=Facts.extrahepatic_disease_status.is_("progressive"),
        verdict=Verdict.RELATIVE,
        kind="option",
        options=("TARE",),
        says="Progressive disease outside the liver speaks against TARE; an indolent tumour makes it more acceptable.",
        cite=ANBARI_2023.at("Patient selection", "extrahepatic tumor burden (depending on tumor type"),
    ),
    Rule(
        id="TARE-REL-PVT",
        when=Facts.portal_vein_thrombosis.is_("main"),
        verdict=Verdict.RELATIVE,
        kind="option",
        options=("TARE",),
        says="Thrombosis of the main portal vein speaks against TARE.",
        cite=ANBARI_2023.at("Patient selection", "main portal vein tumor thrombosis (PVT)"),
    ),
    Rule(
        id="TARE-REL-PVTTARGET",
        when=Facts.main_pvt_targeting_poor,
        verdict=Verdict.RELATIVE,
        kind="option",
        options=("TARE",),
        says="A thrombus of the main trunk that cannot be targeted well speaks against TARE.",
        cite=ANBARI_2023.at("Patient selection", "poor targeting of portal vein tumor thrombosis in the main trunk"),
    ),
    Rule(
        id="TARE-REL-COAG",
        when=Facts.coagulopathy_status.is_("uncorrected"),
        verdict=Verdict.RELATIVE,
        kind="option",
        options=("TARE",),
        says="A coagulation disturbance that cannot be managed speaks against TARE; the absolute rule overrides this "
        "one (CON-COAG).",
        cite=ANBARI_2023.at("Patient selection", "unmanageable coagulation disturbance"),
    ),
    Rule(
        id="TARE-REL-RENAL",
        when=Facts.renal_failure,
        verdict=Verdict.RELATIVE,
        kind="option",
        options=("TARE",),
        says="Renal failure speaks against TARE.",
        cite=ANBARI_2023.at("Patient selection", "renal failure, allergy to contrast media and vascular abnormalities"),
    ),
    Rule(
        id="TARE-REL-CONTRAST",
        when=Facts.contrast_media_allergy,
        verdict=Verdict.RELATIVE,
        kind="option",
        options=("TARE",),
        says="Allergy to contrast media speaks against TARE.",
        cite=ANBARI_2023.at("Patient selection", "allergy to contrast media"),
    ),
    Rule(
        id="TARE-REL-VASC",
        when=Facts.hepatic_artery_access_contraindicated,
        verdict=Verdict.RELATIVE,
        kind="option",
        options=("TARE",),
        says="Abnormal vessels or no access to the hepatic artery speak against TARE.",
        cite=ANBARI_2023.at("Patient selection", "contraindications to hepatic artery catheterization"),
    ),
    Rule(
        id="TARE-REL-LUNG30",
        when=Facts.predicted_lung_dose_gy > 30,
        verdict=Verdict.RELATIVE,
        kind="option",
        options=("TARE",),
        says="A predicted lung dose above 30 Gy in one treatment speaks against TARE.",
        cite=ANBARI_2023.at(
            "Patient selection",
            "lung shunting that leads to a lung dose >30 Gy or 50 Gy cumulatively after repeated treatment",
        ),
    ),
    Rule(
        id="TARE-REL-LUNG50",
        when=Sums.cumulative_lung_dose_gy > 50,
        verdict=Verdict.RELATIVE,
        kind="option",
        options=("TARE",),
        says="A lung dose above 50 Gy, earlier treatments included, speaks against TARE.",
        cite=ANBARI_2023.at(
            "Patient selection",
            "lung shunting that leads to a lung dose >30 Gy or 50 Gy cumulatively after repeated treatment",
        ),
    ),
    Rule(
        id="TARE-LUNG-OVEREST",
        when=Facts.lung_shunt_fraction >= 0,
        verdict=Verdict.INFORMS,
        kind="dose",
        options=("TARE",),
        says="99mTc-MAA overestimates the lung shunt; no correction is applied.",
        cite=ANBARI_2023.at("Patient selection", "lung shunting generally leads to some overestimation"),
    ),
    Rule(
        id="TARE-EXTRADEP",
        when=Facts.extrahepatic_deposition_on_maa,
        verdict=Verdict.EXCLUDES,
        kind="option",
        options=("TARE",),
        says="Activity deposited outside the liver rules out TARE until it is corrected and tested again "
        "(CON-EXTRADEP).",
        cite=ANBARI_2023.at(
            "Pre-treatment work-up",
            "Excessive lung shunting or extrahepatic deposition of activity are contraindications that are ruled "
            "out during this test procedure",
        ),
        strength_read=True,
    ),
    Rule(
        id="TARE-BDANAST",
        when=Facts.bilioenteric_anastomosis,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TARE",),
        says="A bilioenteric anastomosis is no strict contraindication to TARE (said of hepatocellular carcinoma).",
        cite=ANBARI_2023.at(
            "Hepatocellular carcinoma",
            "PVT and bile duct anastomoses are no strict contraindications for radioembolization",
        ),
    ),
    # RAI / RIT and risk strata
    Rule(
        id="RAI-DER-PREG",
        when=Facts.pregnancy_status.is_("pregnant") | Facts.breastfeeding,
        verdict=Verdict.EXCLUDES,
        kind="option",
        options=("RAI",),
        says="Pregnancy and breastfeeding rule out radioiodine.",
        cite=ANBARI_2023.at(
            "Patient selection",
            "life expectancy of less than three months, clinical liver failure, and pregnancy",
        ),
        derived=True,
    ),
)
