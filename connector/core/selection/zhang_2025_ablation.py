"""Surgery and ablation of liver metastases, by Zhang 2025."""

from connector.core.catalogue import Facts
from connector.core.rules import ALWAYS, Rule, Verdict
from connector.core.sources import ZHANG_2025
from connector.core.vocabulary import ABLATION, LIVER_LOCOREGIONAL

RULES: tuple[Rule, ...] = (
    # Surgery
    Rule(
        id="SURG-ISOLATED",
        when=(Facts.liver_lesion_count >= 1)
        & Facts.resection_feasible
        & Facts.surgical_candidate
        & Facts.extrahepatic_disease_status.among("none", "stable"),
        verdict=Verdict.INDICATES,
        kind="option",
        options=("surgery",),
        says="Isolated liver metastases that can be resected are a reason for surgery when disease elsewhere is "
        "limited.",
        cite=ZHANG_2025.at(
            "Introduction",
            "Surgical resection may be appropriate for isolated, resectable LM, particularly in patients with "
            "limited extrahepatic spread",
        ),
    ),
    Rule(
        id="SURG-OS",
        when=Facts.surgical_candidate & Facts.resection_feasible,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("surgery",),
        says="Resection is associated with longer survival.",
        cite=ZHANG_2025.at("Introduction", "is associated with improved survival"),
    ),
    Rule(
        id="SURG-BILOBAR-NO",
        when=Facts.liver_lobes_involved.is_("bilobar") & ~Facts.resection_feasible,
        verdict=Verdict.RELATIVE,
        kind="option",
        options=("surgery",),
        says="In diffuse disease of both lobes resection is usually not possible.",
        cite=ZHANG_2025.at(
            "Introduction",
            "in diffuse bilobar involvement of the liver, which is common in MTC, surgical resection is usually "
            "not possible",
        ),
        strength_read=True,
    ),
    Rule(
        id="SURG-BRIDGE",
        when=Facts.treatment_intent.among("bridge", "debulking"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=LIVER_LOCOREGIONAL,
        says="Local treatment can prepare the removal of metastases.",
        cite=ZHANG_2025.at("Evidence from clinical practice", "neoadjuvant therapy prior to metastasectomy"),
    ),
    # Thermal ablation in general (liver)
    Rule(
        id="ABL-LARGE-OK",
        when=Facts.treatment_intent.among("debulking", "bridge", "curative"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=ABLATION,
        says="A limited number of lesions, even large ones, may be ablated to cure or to reduce the tumour.",
        cite=ZHANG_2025.at(
            "Ablative techniques",
            "primarily indicated for a limited number of lesions, even when large, for curative intent or tumor "
            "debulking",
        ),
    ),
    Rule(
        id="ABL-REL-DUCT",
        when=Facts.liver_lesion_near_bile_duct,
        verdict=Verdict.RELATIVE,
        kind="option",
        options=(*ABLATION, "ablation_plus_TACE"),
        says="A bile duct inside the planned ablation zone speaks against ablation, since the duct may stenose.",
        cite=ZHANG_2025.at(
            "Ablative techniques",
            "constitutes a relative contraindication due to the risk of ductal stenosis when the bile duct wall "
            "lies within",
        ),
    ),
    Rule(
        id="ABL-GUIDE-US",
        when=Facts.last_lrt_modality.among("RFA", "MWA", "laser"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("RFA", "MWA", "laser"),
        says="Ultrasound guides the ablation throughout, from placement to the check afterwards.",
        cite=ZHANG_2025.at(
            "Ablative techniques",
            "continuously guided by ultrasound, from electrode (or antenna) placement to energy delivery and "
            "post-procedure assessment",
        ),
    ),
    # RFA
    Rule(
        id="RFA-IND",
        when=(Facts.liver_lesion_count <= 3)
        & (Facts.liver_lesion_largest_diameter_mm < 50)
        & (~Facts.surgical_candidate | ~Facts.resection_feasible),
        verdict=Verdict.INDICATES,
        kind="option",
        options=("RFA",),
        says="Few, well localised lesions below 50 mm are a reason for RFA when surgery is not feasible.",
        cite=ZHANG_2025.at(
            "Table 3",
            "Few, well localised liver metastases; lesions <5 cm; if surgery is not feasible",
        ),
    ),
    Rule(
        id="RFA-SIZE-50",
        when=Facts.liver_lesion_largest_diameter_mm >= 50,
        verdict=Verdict.RELATIVE,
        kind="option",
        options=("RFA",),
        says="A lesion of 50 mm or more is beyond the size for RFA; MWA or a combination is used instead.",
        cite=ZHANG_2025.at("Table 3", "lesions <5 cm"),
        strength_read=True,
    ),
    Rule(
        id="RFA-PERIPH",
        when=Facts.liver_lesion_peripheral,
        verdict=Verdict.PREFERS,
        kind="option",
        options=("RFA",),
        says="RFA remains effective for smaller, peripheral lesions.",
        cite=ZHANG_2025.at("Comparative effectiveness", "RFA remains effective for smaller, peripheral lesions"),
    ),
    Rule(
        id="RFA-HEATSINK",
        when=Facts.liver_lesion_near_large_vessel,
        verdict=Verdict.RELATIVE,
        kind="option",
        options=("RFA",),
        says="Near a large vessel RFA is less effective because the blood cools it; MWA is preferred there.",
        cite=ZHANG_2025.at("Table 3", "less effective near large vessels (heat sink effect)"),
        strength_read=True,
    ),
    Rule(
        id="RFA-OUT-80",
        when=Facts.last_lrt_modality.is_("RFA"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("RFA",),
        says="RFA controls up to 80 % of the lesions.",
        cite=ZHANG_2025.at("Table 3", "control rates up to 80%"),
    ),
    Rule(
        id="RFA-PUB-DER70",
        when=Facts.liver_lesion_largest_diameter_mm > 70,
        verdict=Verdict.RELATIVE,
        kind="option",
        options=("RFA",),
        says="A lesion above 70 mm is larger than any that was reported as treated by RFA.",
        cite=ZHANG_2025.at("Evidence from clinical practice", "even for large lesions (up to 70 mm)"),
        derived=True,
    ),
    # MWA
    Rule(
        id="MWA-IND",
        when=(Facts.liver_lesion_count <= 3)
        & ((Facts.liver_lesion_largest_diameter_mm >= 30) | Facts.liver_lesion_near_large_vessel),
        verdict=Verdict.PREFERS,
        kind="option",
        options=("MWA",),
        says="MWA is preferred to RFA for larger lesions or near a vessel that would cool the electrode.",
        cite=ZHANG_2025.at("Table 3", "often preferred for larger lesions or when heat-sink effect is a concern"),
    ),
    Rule(
        id="MWA-LARGE",
        when=Facts.liver_lesion_largest_diameter_mm >= 50,
        verdict=Verdict.INDICATES,
        kind="option",
        options=("MWA",),
        says="From 50 mm on MWA may have advantages; the sources give no upper size, and 55 mm was treated.",
        cite=ZHANG_2025.at(
            "Comparative effectiveness",
            "MWA may offer advantages for larger tumors or those close to vascular structures",
        ),
    ),
    Rule(
        id="MWA-HEATSINK",
        when=Facts.liver_lesion_near_large_vessel,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("MWA",),
        says="MWA too is still sensitive to cooling by vessels.",
        cite=ZHANG_2025.at("Table 3", "still heat-sink sensitive"),
    ),
    Rule(
        id="MWA-VITAL",
        when=Facts.liver_lesion_near_critical_structure,
        verdict=Verdict.RELATIVE,
        kind="option",
        options=("MWA",),
        says="Vital structures close to the lesion are a risk of MWA.",
        cite=ZHANG_2025.at("Table 3", "proximity to vital structures is a risk"),
        strength_read=True,
    ),
    # Laser, PEI, cryoablation
    Rule(
        id="LASER-MARGINAL",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="option",
        options=("laser",),
        says="Laser ablation is marginal and experimental in the liver: it is never ranked first.",
        cite=ZHANG_2025.at("Comparative effectiveness", "its role in LM of TC remains marginal and experimental"),
    ),
    Rule(
        id="CRYO-FIG1",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("cryoablation",),
        says="A figure shows one cryoablation of 4 minutes: an illustration, never a protocol.",
        cite=ZHANG_2025.at("Figure 1", "were placed in the lesion for 4 minutes under US and CBCT guidance"),
    ),
)
