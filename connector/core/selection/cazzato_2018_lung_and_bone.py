"""Lung and bone metastases, by Cazzato 2018."""

from connector.core.catalogue import Facts
from connector.core.rules import Rule, Verdict
from connector.core.sources import CAZZATO_2018
from connector.core.vocabulary import BONE_LOCOREGIONAL

RULES: tuple[Rule, ...] = (
    # Lung metastases
    Rule(
        id="LUNG-RFA-CUR",
        when=(Facts.lung_lesion_largest_diameter_mm < 30)
        & Facts.lung_pattern.is_("macronodular")
        & Facts.disease_tempo.is_("slow"),
        verdict=Verdict.INDICATES,
        kind="option",
        options=("lung_RFA",),
        says="Slowly evolving, macronodular lung metastases below 30 mm are a reason for curative RFA.",
        cite=CAZZATO_2018.at(
            "Visceral metastases",
            "consider RFA with a curative intent in the patients with slow-evolving, macro-nodular disease, sized"
            " <3 cm",
        ),
    ),
    Rule(
        id="LUNG-MILIARY",
        when=Facts.lung_pattern.is_("miliary"),
        verdict=Verdict.EXCLUDES,
        kind="option",
        options=("lung_RFA",),
        says="Miliary disease of the lungs rules out ablation; the source does not grade it, so the strict reading "
        "holds.",
        cite=CAZZATO_2018.at(
            "Visceral metastases",
            "miliary disease should be considered as a contraindication to ablation",
        ),
        strength_read=True,
    ),
    Rule(
        id="LUNG-SIZE-2-3",
        when=Facts.lung_lesion_largest_diameter_mm <= 30,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("lung_RFA",),
        says="RFA is an option for lung metastases below 20 to 30 mm.",
        cite=CAZZATO_2018.at(
            "Visceral metastases",
            "treatment of small size lung metastases, namely the ones below 2–3 cm",
        ),
    ),
    Rule(
        id="LUNG-RISK-20",
        when=Facts.lung_lesion_largest_diameter_mm > 20,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("lung_RFA",),
        says="Lung metastases above 20 mm progress earlier.",
        cite=CAZZATO_2018.at(
            "Visceral metastases",
            "metastatic lesions >2 cm, high number of metastases and the extra-pulmonary involvement were "
            "associated with the lower progression-free survival",
        ),
    ),
    Rule(
        id="LUNG-RISK-N3",
        when=Facts.lung_lesion_count >= 3,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("lung_RFA",),
        says="With 3 or more lung metastases progression is earlier and survival shorter (colorectal subset).",
        cite=CAZZATO_2018.at("Visceral metastases", "number of metastases ≥3"),
    ),
    Rule(
        id="LUNG-GE30",
        when=Facts.lung_lesion_largest_diameter_mm >= 30,
        verdict=Verdict.RELATIVE,
        kind="option",
        options=("lung_RFA",),
        says="A lung metastasis of 30 mm or more speaks against curative RFA.",
        cite=CAZZATO_2018.at("Visceral metastases", "macro-nodular disease, sized <3 cm"),
        strength_read=True,
    ),
    Rule(
        id="LUNG-REPEAT4",
        when=Facts.lung_prior_ablation_count >= 4,
        verdict=Verdict.ADVISES,
        kind="evidence",
        options=("lung_RFA",),
        says="Lung metastases were treated again safely up to four times; more is not reported.",
        cite=CAZZATO_2018.at("Visceral metastases", "being re-treated safely for up to four times"),
    ),
    Rule(
        id="LUNG-LTP",
        when=Facts.last_lrt_modality.is_("RFA") & (Facts.lung_lesion_count >= 1),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("lung_RFA",),
        says="After lung RFA the tumour grew again at the site in 5.9, 8.5, 10.2 and 11.0 % at 1 to 4 years; at 4 "
        "years efficacy was 89 % and control 44.1 %.",
        cite=CAZZATO_2018.at("Visceral metastases", "5.9%, 8.5%, 10.2%, and 11.0% at 1, 2, 3 and 4 years"),
    ),
    Rule(
        id="LUNG-PHRENIC",
        when=Facts.lung_lesion_near_phrenic_or_mediastinum,
        verdict=Verdict.ADVISES,
        kind="measure",
        options=("lung_RFA",),
        says="Near the phrenic nerve or the mediastinum an expandable electrode pulls the nodule away before heating.",
        cite=CAZZATO_2018.at("Figure 1", "avoid temperature-mediated heating of the phrenic nerve during ablation"),
    ),
    Rule(
        id="LUNG-FU3M",
        when=(Facts.days_since_lrt >= 80) & (Facts.lung_lesion_count >= 1),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("lung_RFA",),
        says="A contrast-enhanced CT at 3 months shows the necrosis.",
        cite=CAZZATO_2018.at("Figure 1", "obtained at 3 months follow-up showing the complete necrosis of both tumors"),
    ),
    # Bone metastases
    Rule(
        id="BONE-ALLTECH",
        when=Facts.bone_lesion_count >= 1,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=BONE_LOCOREGIONAL,
        says="Bone metastases can be treated by vascular, ablative and consolidating techniques, alone or combined.",
        cite=CAZZATO_2018.at(
            "Bone metastases",
            "can be managed with all the available techniques (i.e., vascular, ablative and consolidative)",
        ),
    ),
    Rule(
        id="BONE-CONSOLIDATE",
        when=Facts.bone_lesion_mechanical_stress & Facts.last_lrt_modality.among("RFA", "MWA", "cryoablation"),
        verdict=Verdict.REQUIRES,
        kind="measure",
        options=("cementoplasty", "osteosynthesis", "bone_ablation"),
        says="A bone under mechanical stress must be consolidated after ablation.",
        cite=CAZZATO_2018.at(
            "Ablation and consolidation",
            "consolidation with surgical or percutaneous techniques is mandatory in bones subjected to mechanical"
            " stresses",
        ),
    ),
    Rule(
        id="BONE-CEMENT",
        when=Facts.bone_lesion_lytic
        & (Facts.bone_fracture_status.among("impending", "pathological") | Facts.bone_lesion_mechanical_stress),
        verdict=Verdict.INDICATES,
        kind="option",
        options=("cementoplasty",),
        says="A lytic bone metastasis under stress or with a fracture, impending or present, is a reason for "
        "cementoplasty.",
        cite=CAZZATO_2018.at(
            "Interventional techniques",
            "treatment of the lytic bone metastases in order to prevent or fix a pathologic fracture",
        ),
    ),
    Rule(
        id="BONE-OSTEOSYN",
        when=Facts.bone_lesion_mechanical_stress & Facts.bone_fracture_status.among("impending", "pathological"),
        verdict=Verdict.INDICATES,
        kind="option",
        options=("cementoplasty", "osteosynthesis"),
        says="A fracture, impending or present, of a bone under stress is a reason for nails or screws, with cement.",
        cite=CAZZATO_2018.at(
            "Interventional techniques",
            "may be combined with the cementoplasty to increase the bone reinforcement",
        ),
    ),
    Rule(
        id="BONE-EMBO",
        when=Facts.bone_lesion_hypervascular,
        verdict=Verdict.INDICATES,
        kind="option",
        options=("bone_embolisation",),
        says="A well perfused bone metastasis is a reason for embolisation, alone or combined.",
        cite=CAZZATO_2018.at(
            "Bone embolization",
            "Percutaneous TAE has been largely applied for the treatment of the bone metastases from TC either alone",
        ),
    ),
    Rule(
        id="BONE-EMBO-COMB",
        when=Facts.bone_lesion_hypervascular,
        verdict=Verdict.PREFERS,
        kind="option",
        options=("bone_embolisation",),
        says="Embolisation together with radiotherapy, surgery or radioiodine is preferred: symptoms and thyroglobulin "
        "improve more.",
        cite=CAZZATO_2018.at("Bone embolization", "Better results in terms of symptoms control and serum Tg decrease"),
    ),
    Rule(
        id="BONE-EMBO-OVER-ABL",
        when=Facts.bone_lesion_hypervascular & Facts.bone_ablation_hazardous_anatomy,
        verdict=Verdict.PREFERS,
        kind="option",
        options=("bone_embolisation",),
        says="In an old patient or in complex anatomy embolisation is preferred to ablation of bone.",
        cite=CAZZATO_2018.at(
            "Figure 2",
            "due to the advanced age of the patient and the complex anatomy, embolization was preferred to ablation",
        ),
    ),
    Rule(
        id="BONE-NERVE",
        when=Facts.bone_lesion_near_nerve,
        verdict=Verdict.ADVISES,
        kind="measure",
        options=("bone_ablation",),
        says="Near a nerve the tissue is separated with fluid before ablation.",
        cite=CAZZATO_2018.at(
            "Figure 3",
            "hydro-dissection was performed to protect the (D) brachial and the (E) radial nerve",
        ),
    ),
    Rule(
        id="BONE-SOLITARY",
        when=Facts.bone_lesion_count.is_(1) & Facts.bone_only_disease,
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="A solitary bone metastasis as the only disease goes with longer survival: a candidate for curative "
        "intent.",
        cite=CAZZATO_2018.at(
            "Ablation and consolidation",
            "had a better OS if they presented with a solitary metastasis compared to those showing multiple "
            "metastases",
        ),
    ),
    Rule(
        id="BONE-ONLY",
        when=Facts.bone_only_disease,
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="Disease of the bones only goes with longer survival than disease of several organs.",
        cite=CAZZATO_2018.at(
            "Ablation and consolidation",
            "only metastatic bone involvement at diagnosis showed a better OS",
        ),
    ),
    Rule(
        id="BONE-OS",
        when=Facts.bone_lesion_count >= 1,
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="Overall survival with bone metastases was 71.6, 66.8 and 60.1 % at 1 to 3 years.",
        cite=CAZZATO_2018.at("Ablation and consolidation", "71.6%, 66.8% and 60.1% at 1, 2 and 3 years, respectively"),
    ),
    Rule(
        id="BONE-OSTEO-RIT",
        when=(Facts.bone_lesion_count >= 1) & Facts.rai_avid & Facts.bone_lesion_lytic,
        verdict=Verdict.INDICATES,
        kind="option",
        options=("RAI", "cementoplasty"),
        says="An avid, lytic bone metastasis is a reason for cementoplasty with radioiodine: thyroglobulin fell by "
        "86.0 %, then by 67.4 %.",
        cite=CAZZATO_2018.at(
            "Ablation and consolidation",
            "the mean serum Tg decreased by 86.0%; and it further declined by 67.4% after repeated RIT",
        ),
    ),
    Rule(
        id="BONE-OSTEO-SCHED",
        when=Facts.rai_avid & Facts.bone_lesion_lytic,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("RAI", "cementoplasty"),
        says="Reported schedule: radioiodine 100 mCi, cementoplasty at 2-3 months, then 2-5 courses of radioiodine "
        "every 4-6 months.",
        cite=CAZZATO_2018.at(
            "Ablation and consolidation",
            "osteoplasty was performed at 2–3 months followed by 2–5 sessions of RIT every 4–6 months",
        ),
    ),
)
