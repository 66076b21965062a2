"""Ablation and embolisation of liver metastases, by Nervo 2021."""

from connector.core.catalogue import Facts
from connector.core.rules import ALWAYS, Rule, Verdict
from connector.core.sources import NERVO_2021
from connector.core.vocabulary import ABLATION

RULES: tuple[Rule, ...] = (
    # Thermal ablation in general (liver)
    Rule(
        id="ABL-FEW",
        when=(Facts.liver_lesion_count <= 3) & (~Facts.surgical_candidate | ~Facts.resection_feasible),
        verdict=Verdict.INDICATES,
        kind="option",
        options=ABLATION,
        says="A single or few liver metastases are a reason for ablation when surgery is not indicated.",
        cite=NERVO_2021.at(
            "Discussion",
            "Ablation techniques should be considered in case of single or few LMs, if surgery is not indicated",
        ),
    ),
    Rule(
        id="ABL-HILUM",
        when=Facts.liver_lesion_at_hilum,
        verdict=Verdict.EXCLUDES,
        kind="option",
        options=("RFA", "MWA", "laser", "cryoablation", "ablation_plus_TACE"),
        says="A lesion at the hepatic hilum rules out ablation by heat or cold (the stricter of two sources, "
        "CON-HILUM).",
        cite=NERVO_2021.at(
            "Patients and Methods",
            "LMs located at the hepatic hilum were not considered suitable for RFA/MWA",
        ),
        strength_read=True,
    ),
    Rule(
        id="ABL-RISK-20",
        when=Facts.liver_lesion_largest_diameter_mm >= 20,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=ABLATION,
        says="From 2 cm on the tumour recurs earlier at the site: 62 % free of it at 3 years (colorectal metastases).",
        cite=NERVO_2021.at("Discussion", "minimal ablation margins ≤ 10 mm and LM size ≥ 2 cm"),
    ),
    Rule(
        id="ABL-MARGIN-10",
        when=Facts.planned_ablation_margin_mm <= 10,
        verdict=Verdict.ADVISES,
        kind="measure",
        options=(*ABLATION, "ablation_plus_TACE"),
        says="Aim for a margin of more than 10 mm around the lesion.",
        cite=NERVO_2021.at("Discussion", "minimal ablation margins ≤ 10 mm"),
    ),
    Rule(
        id="ABL-VESSEL",
        when=Facts.liver_lesion_near_large_vessel,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=ABLATION,
        says="A vessel close to the lesion is the strongest predictor of recurrence at the site of ablation.",
        cite=NERVO_2021.at("Discussion", "the most significant is the proximity of the lesion to the blood vessel"),
    ),
    Rule(
        id="ABL-CEUS-END",
        when=Facts.last_lrt_modality.among("RFA", "MWA"),
        verdict=Verdict.REQUIRES,
        kind="measure",
        options=("RFA", "MWA"),
        says="Contrast-enhanced ultrasound shows the ablated area at the end of the procedure.",
        cite=NERVO_2021.at(
            "Patients and Methods",
            "the ablation area was evaluated with contrast-enhanced ultrasound at the end of the procedure",
        ),
    ),
    Rule(
        id="ABL-BOARD-CI",
        when=Facts.ablation_contraindicated,
        verdict=Verdict.RELATIVE,
        kind="option",
        options=(*ABLATION, "ablation_plus_TACE"),
        says="The board entered a contraindication to ablation: it is never ranked first.",
        cite=NERVO_2021.at("Discussion", "an ablation procedure is contraindicated due to the LM position"),
        strength_read=True,
    ),
    # RFA
    Rule(
        id="RFA-LARGE-70",
        when=Facts.liver_lesion_largest_diameter_mm <= 70,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("RFA",),
        says="Good results of RFA are reported in medullary carcinoma up to 70 mm (2 lesions, laparoscopic or open "
        "surgery, 5 years).",
        cite=NERVO_2021.at(
            "Literature Review",
            "good responses with RFA of two large lesions (70 mm), with no sign of progression after 5 years",
        ),
    ),
    # MWA
    Rule(
        id="MWA-UNCLEAR",
        when=Facts.liver_lesion_near_large_vessel,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("MWA",),
        says="It is unclear whether cooling by a vessel affects MWA as it does RFA.",
        cite=NERVO_2021.at("Discussion", "it is unclear whether MWA is similarly affected"),
    ),
    # Laser, PEI, cryoablation
    Rule(
        id="LASER-170",
        when=Facts.liver_symptoms.has("hyperthyroidism"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("laser",),
        says="One metastasis of 170 mm with hyperthyroidism from follicular carcinoma responded partially to laser.",
        cite=NERVO_2021.at("Literature Review", "two PR were achieved in 45-mm and 170-mm lesions with TARE and ILP"),
    ),
    Rule(
        id="PEI-RARE",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("PEI",),
        says="Ethanol injection is reported once, with TAE, in a medullary carcinoma.",
        cite=NERVO_2021.at("Table 2", "TAE + PEI"),
    ),
    # TACE
    Rule(
        id="TACE-IND-DIFFUSE",
        when=(Facts.liver_lobes_involved.is_("bilobar") | (Facts.liver_lesion_count > 4))
        & Facts.liver_lesion_hypervascular,
        verdict=Verdict.INDICATES,
        kind="option",
        options=("TACE",),
        says="Multiple or bilobar metastases with adequate arterial supply are a reason for TACE.",
        cite=NERVO_2021.at(
            "Patients and Methods",
            "TACE was preferred in case of multiple LMs with bilobar liver involvement and adequate arterial "
            "vascularization of the lesions",
        ),
    ),
    Rule(
        id="TACE-VASC-NO",
        when=~Facts.liver_lesion_hypervascular,
        verdict=Verdict.RELATIVE,
        kind="option",
        options=("TACE", "TAE", "ablation_plus_TACE"),
        says="Without adequate arterial supply of the lesions embolisation has little to act through.",
        cite=NERVO_2021.at("Patients and Methods", "adequate arterial vascularization of the lesions"),
        strength_read=True,
    ),
    Rule(
        id="TACE-IND-LOCATION",
        when=Facts.liver_lesion_at_hilum | Facts.liver_lesion_near_bile_duct | Facts.ablation_contraindicated,
        verdict=Verdict.INDICATES,
        kind="option",
        options=("TACE",),
        says="TACE may be used where the position of the lesion forbids ablation.",
        cite=NERVO_2021.at(
            "Discussion",
            "TACE might be employed also when an ablation procedure is contraindicated due to the LM position",
        ),
    ),
    Rule(
        id="TACE-BURDEN-GREY",
        when=(Facts.liver_tumour_burden_percent >= 30) & (Facts.liver_tumour_burden_percent <= 50),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TACE",),
        says="From 30 to 50 % of the liver involved TACE remains possible, with less benefit to be expected.",
        cite=NERVO_2021.at(
            "Literature Review",
            "beneficial effect of TACE even in case of a greater liver involvement up to 50%",
        ),
    ),
    Rule(
        id="TACE-SIZE-GE30",
        when=Facts.liver_lesion_largest_diameter_mm >= 30,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TACE",),
        says="Lesions of 30 mm or more do not exclude TACE: benefit is reported, outside the zone of the guidelines.",
        cite=NERVO_2021.at("Literature Review", "with larger metastatic lesions (> 30 mm)"),
    ),
    Rule(
        id="TACE-SIZE-NOASSOC",
        when=Facts.histology.is_("MTC"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TACE",),
        says="In medullary carcinoma the burden of the liver, not the size of the largest lesion, went with the "
        "response to TACE.",
        cite=NERVO_2021.at(
            "Discussion",
            "a limited liver tumour involvement, but not the size of the largest LM, was associated with a better"
            " structural response",
        ),
    ),
    Rule(
        id="TACE-LIVERDOM",
        when=Facts.liver_disease_status.is_("progressive") & Facts.extrahepatic_disease_status.among("none", "stable"),
        verdict=Verdict.PREFERS,
        kind="option",
        options=("TACE",),
        says="Disease that grows mainly in the liver makes the best candidate for TACE.",
        cite=NERVO_2021.at(
            "Discussion",
            "The best candidates for TACE should be the patients in whom the disease progression occurs mainly in"
            " the liver",
        ),
    ),
    Rule(
        id="TACE-DUR",
        when=Facts.last_lrt_modality.is_("TACE"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TACE",),
        says="Responses to TACE lasted 14 to 38 months.",
        cite=NERVO_2021.at("Literature Review", "more than 12 months of ongoing response (range 14–38 months)"),
    ),
    Rule(
        id="TACE-TECH-DEB",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TACE",),
        says="One centre used beads of 70 to 150 µm loaded with 50 mg of epirubicin: a report, not a prescription.",
        cite=NERVO_2021.at(
            "Patients and Methods",
            "Drug-eluting beads (70–150-μm diameter particles) loaded with 50 mg of epirubicin",
        ),
    ),
    Rule(
        id="TACE-TECH-ACCESS",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TACE",),
        says="Access is through the femoral artery, selective and then superselective.",
        cite=NERVO_2021.at(
            "Patients and Methods",
            "selective catheterization of the hepatic artery with subsequent superselective catheterization of "
            "the feeding vessels",
        ),
    ),
    Rule(
        id="TACE-NOAGENT",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TACE",),
        says="No chemotherapeutic agent is established for TACE of thyroid cancer.",
        cite=NERVO_2021.at(
            "Discussion",
            "no specific chemotherapeutic agent can be bound to an embolic particle for metastatic TC",
        ),
    ),
    Rule(
        id="TACE-CV",
        when=Facts.cardiovascular_disease,
        verdict=Verdict.RELATIVE,
        kind="option",
        options=("TACE", "ablation_plus_TACE"),
        says="Cardiovascular disease raises the risk of complications of TACE.",
        cite=NERVO_2021.at(
            "Discussion",
            "Concomitant cardiovascular disease is a risk factor for development of complications",
        ),
        strength_read=True,
    ),
    Rule(
        id="TACE-PROGNOSIS",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TACE",),
        says="Liver function is monitored, since its loss determines the prognosis after TACE.",
        cite=NERVO_2021.at("Discussion", "Deterioration in liver function is the major factor determining prognosis"),
    ),
    # TAE
    Rule(
        id="TAE-ALT",
        when=Facts.liver_lesion_hypervascular
        & ((Facts.liver_lesion_count > 4) | Facts.liver_lobes_involved.is_("bilobar")),
        verdict=Verdict.INDICATES,
        kind="option",
        options=("TAE",),
        says="Embolisation without a drug is an alternative to TACE in diffuse, well perfused disease.",
        cite=NERVO_2021.at(
            "Discussion",
            "embolization without a chemotherapeutic agent could be a good choice for disease control",
        ),
    ),
    Rule(
        id="TAE-N2",
        when=Facts.histology.is_("MTC"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TAE",),
        says="TAE is reported in 2 patients with medullary carcinoma, with partial response in 2 of 2.",
        cite=NERVO_2021.at(
            "Literature Review",
            "TAE has been reported only twice in MTC, albeit with good results (PR in both patients)",
        ),
    ),
    # Combined locoregional
    Rule(
        id="COMB-ABLTACE",
        when=(Facts.liver_lesion_count <= 3)
        & (Facts.liver_lesion_largest_diameter_mm >= 30)
        & Facts.liver_lesion_hypervascular,
        verdict=Verdict.INDICATES,
        kind="option",
        options=("ablation_plus_TACE",),
        says="A large, well perfused lesion, with no more than 3 in all, is a reason to combine ablation with TACE.",
        cite=NERVO_2021.at(
            "Patients and Methods",
            "RFA/MWA in conjunction with TACE in case of a large and highly vascularised LM",
        ),
    ),
    Rule(
        id="COMB-AFTER-INCOMPLETE",
        when=Facts.residual_viable_tumour & Facts.liver_lesion_hypervascular,
        verdict=Verdict.INDICATES,
        kind="option",
        options=("TACE", "TAE", "ablation_plus_TACE"),
        says="After incomplete ablation a cycle of TACE or TAE may prepare a second ablation.",
        cite=NERVO_2021.at(
            "Discussion",
            "a selective cycle of TACE/TAE could be applied in order to enhance the response to a second RFA procedure",
        ),
    ),
    Rule(
        id="COMB-RAI-UPTAKE",
        when=Facts.rai_avid & Facts.treatment_intent.is_("debulking"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=(*ABLATION, "RAI"),
        says="Ablation may raise the effect of radioiodine.",
        cite=NERVO_2021.at(
            "Discussion",
            "ablation techniques have been shown to increase the effectiveness of radioiodine treatment",
        ),
    ),
)
