"""Who is a candidate for liver-directed treatment, by Nervo 2021."""

from connector.core.catalogue import Facts
from connector.core.rules import ALWAYS, Rule, Verdict
from connector.core.sources import NERVO_2021
from connector.core.vocabulary import ABLATION, INVASIVE, LIVER_LOCOREGIONAL, LOCOREGIONAL

RULES: tuple[Rule, ...] = (
    # General eligibility and process
    Rule(
        id="GEN-MDT",
        when=~Facts.mdt_review_done,
        verdict=Verdict.REQUIRES,
        kind="process",
        says="A multidisciplinary tumour board reviews the case before any local treatment.",
        cite=NERVO_2021.at(
            "Patients and Methods",
            "LRTs were performed by expert interventional radiologists after multidisciplinary tumour board discussion",
        ),
    ),
    Rule(
        id="GEN-CONSENT",
        when=~Facts.informed_consent,
        verdict=Verdict.REQUIRES,
        kind="process",
        says="The patient gives written informed consent before the procedure.",
        cite=NERVO_2021.at("Patients and Methods", "All patients signed a written informed consent prior to LRT"),
    ),
    Rule(
        id="GEN-HISTORY-IMAGES",
        when=~Facts.prior_history_and_images_reviewed,
        verdict=Verdict.REQUIRES,
        kind="measure",
        options=LIVER_LOCOREGIONAL,
        says="History and earlier images are reviewed before the procedure.",
        cite=NERVO_2021.at(
            "Patients and Methods",
            "A careful pre-evaluation of the history and the previous images of the candidates for LRTs",
        ),
    ),
    Rule(
        id="GEN-ABS-LIVERINSUFF",
        when=Facts.liver_insufficiency_severe,
        verdict=Verdict.EXCLUDES,
        kind="option",
        options=LIVER_LOCOREGIONAL,
        says="Severe liver insufficiency rules out every local treatment of the liver.",
        cite=NERVO_2021.at(
            "Patients and Methods",
            "Both severe liver insufficiency and uncorrected coagulopathy represented absolute contraindications "
            "for LRTs",
        ),
    ),
    Rule(
        id="GEN-ABS-COAG",
        when=Facts.coagulopathy_status.is_("uncorrected"),
        verdict=Verdict.EXCLUDES,
        kind="option",
        options=INVASIVE,
        says="Coagulopathy that is not corrected rules out every invasive treatment.",
        cite=NERVO_2021.at(
            "Patients and Methods",
            "Both severe liver insufficiency and uncorrected coagulopathy represented absolute contraindications "
            "for LRTs",
        ),
    ),
    Rule(
        id="GEN-DER-CPC",
        when=Facts.child_pugh_score >= 10,
        verdict=Verdict.EXCLUDES,
        kind="option",
        options=LIVER_LOCOREGIONAL,
        says="Child-Pugh class C (10 points or more) counts as severe liver insufficiency and rules out local "
        "treatment of the liver.",
        cite=NERVO_2021.at("Patients and Methods", "severe liver insufficiency"),
        derived=True,
    ),
    Rule(
        id="GEN-DER-PHEO",
        when=(Facts.histology.is_("MTC") | Facts.men2_status.among("men2a", "men2b"))
        & ~Facts.pheochromocytoma_status.is_("excluded"),
        verdict=Verdict.EXCLUDES,
        kind="option",
        options=LOCOREGIONAL,
        requirement_for=("surgery",),
        says="In medullary carcinoma or MEN2 no procedure is done until a pheochromocytoma has been excluded: one that "
        "was not recognised has killed.",
        cite=NERVO_2021.at(
            "Literature Review",
            "A procedure-related death was reported in a MEN2A patient with concomitant unrecognized "
            "pheochromocytoma LMs",
        ),
        derived=True,
    ),
    Rule(
        id="GEN-ELIG-FIRST",
        when=Facts.liver_disease_status.is_("first_detection") & ~Facts.resection_feasible,
        verdict=Verdict.INDICATES,
        kind="option",
        options=LIVER_LOCOREGIONAL,
        says="Liver metastases seen for the first time that cannot be resected are a reason for local treatment.",
        cite=NERVO_2021.at(
            "Patients and Methods",
            "Patients were considered eligible in case of first radiological detection of unresectable LM",
        ),
    ),
    Rule(
        id="GEN-ELIG-PROG",
        when=Facts.liver_disease_status.is_("progressive") & Facts.extrahepatic_disease_status.among("none", "stable"),
        verdict=Verdict.INDICATES,
        kind="option",
        options=LIVER_LOCOREGIONAL,
        says="Liver metastases that grow while disease elsewhere is absent or stable are a reason for local treatment.",
        cite=NERVO_2021.at(
            "Patients and Methods",
            "hepatic progression in absence of other metastases or with stable extrahepatic disease",
        ),
    ),
    Rule(
        id="GEN-ELIG-ONSYS",
        when=~Facts.systemic_therapy_current.is_("none")
        & Facts.liver_disease_status.is_("progressive")
        & Facts.extrahepatic_disease_status.is_("stable"),
        verdict=Verdict.INDICATES,
        kind="option",
        options=LIVER_LOCOREGIONAL,
        says="When the liver alone grows under systemic therapy, local treatment is added and the systemic therapy "
        "goes on.",
        cite=NERVO_2021.at(
            "Patients and Methods",
            "LRTs were performed in case of progressive LMs when extrahepatic disease was stable",
        ),
    ),
    Rule(
        id="GEN-SYS-BOTHPROG",
        when=Facts.liver_disease_status.is_("progressive") & Facts.extrahepatic_disease_status.is_("progressive"),
        verdict=Verdict.PREFERS,
        kind="option",
        options=("systemic_therapy",),
        says="When liver and extrahepatic disease both grow, systemic therapy is preferred to local treatment of the "
        "liver (12 of 17 patients).",
        cite=NERVO_2021.at(
            "Results",
            "showed progression of both LMs and extrahepatic disease; therefore, systemic therapy was preferred",
        ),
        strength_read=True,
    ),
    Rule(
        id="GEN-BEST",
        when=Facts.liver_disease_status.is_("progressive")
        & ~Facts.resection_feasible
        & Facts.extrahepatic_disease_status.among("none", "stable"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=LIVER_LOCOREGIONAL,
        says="Growing liver metastases that cannot be resected, with limited and stable disease elsewhere, are the "
        "best candidates for local treatment.",
        cite=NERVO_2021.at(
            "Conclusion",
            "The best candidates for LRTs are patients with unresectable progressive LMs with limited and stable "
            "extrahepatic disease",
        ),
    ),
    Rule(
        id="GEN-ABL-DIFFUSE-NO",
        when=Facts.liver_lesion_count >= 5,
        verdict=Verdict.RELATIVE,
        kind="option",
        options=ABLATION,
        says="Ablation as the only treatment is not advised for 5 or more lesions, since an arterial approach is "
        "preferred there.",
        cite=NERVO_2021.at(
            "Discussion",
            "a trans-arterial embolization approach should be preferred in case of diffuse liver metastatic deposits",
        ),
        derived=True,
    ),
    Rule(
        id="GEN-CASEBYCASE",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=LIVER_LOCOREGIONAL,
        says="Number and size of the lesions are judged case by case.",
        cite=NERVO_2021.at(
            "Patients and Methods",
            "Regarding the number and the size of LMs, the evaluation was performed on a case-by-case basis",
        ),
    ),
    Rule(
        id="GEN-BURDEN",
        when=Facts.liver_tumour_burden_percent < 30,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=LIVER_LOCOREGIONAL,
        says="Disease control is best when the tumour burden of the liver is limited.",
        cite=NERVO_2021.at(
            "Conclusion",
            "The best disease control is obtained especially when hepatic metastatic burden is limited",
        ),
    ),
    Rule(
        id="GEN-SIZE20",
        when=Facts.liver_lesion_largest_diameter_mm < 20,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=LIVER_LOCOREGIONAL,
        says="Lesions below 20 mm showed partial responses, larger ones mostly stayed stable.",
        cite=NERVO_2021.at(
            "Discussion",
            "patients with lesions < 20 mm showed PR, while larger LMs remained mostly stable after LRTs",
        ),
    ),
    Rule(
        id="GEN-REPEAT",
        when=Facts.residual_viable_tumour
        | ((Facts.prior_lrt_count >= 1) & Facts.liver_disease_status.is_("progressive")),
        verdict=Verdict.INDICATES,
        kind="option",
        options=LIVER_LOCOREGIONAL,
        says="Vital tumour that is left, or growth after local treatment, is a reason to consider a second one.",
        cite=NERVO_2021.at(
            "Patients and Methods",
            "In case of persistence of vital tissue or hepatic progression of disease, a second LRT was considered",
        ),
    ),
    Rule(
        id="GEN-REPEAT-AE",
        when=Facts.prior_lrt_count >= 1,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=LIVER_LOCOREGIONAL,
        says="Side effects are more frequent after several local treatments.",
        cite=NERVO_2021.at(
            "Discussion",
            "Side effects are generally more frequent in patients submitted to several LRTs",
        ),
    ),
    # Surgery
    Rule(
        id="SURG-EXTRA",
        when=Facts.extrahepatic_site_count >= 1,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("surgery",),
        says="With disease outside the liver surgery is curative in few cases.",
        cite=NERVO_2021.at("Introduction", "they are not amenable to surgery with a curative intent in most cases"),
    ),
    Rule(
        id="SURG-SINGLE-LARGE",
        when=Facts.liver_lesion_count.is_(1) & Facts.extrahepatic_disease_status.is_("none") & Facts.resection_feasible,
        verdict=Verdict.PREFERS,
        kind="option",
        options=("surgery",),
        says="A single large liver metastasis without extrahepatic disease was referred for resection (1 patient with "
        "DTC).",
        cite=NERVO_2021.at(
            "Results",
            "a single large LM in the absence of extrahepatic disease and the patient was referred for surgical "
            "resection",
        ),
    ),
    Rule(
        id="SURG-DECLINED",
        when=Facts.patient_declined_modalities.has("surgery"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=ABLATION,
        says="A patient who declines surgery may be ablated instead.",
        cite=NERVO_2021.at(
            "Discussion",
            "surgery is not indicated due to extrahepatic metastatic burden, clinical condition, or patient",
        ),
    ),
)
