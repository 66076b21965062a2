"""The ESMO 2019 guideline."""

from connector.core.catalogue import Facts
from connector.core.rules import Rule, Verdict
from connector.core.sources import ESMO_2019
from connector.core.vocabulary import ABLATION

RULES: tuple[Rule, ...] = (
    # Thermal ablation in general (liver)
    Rule(
        id="ABL-DOMINANT",
        when=Facts.histology.is_("MTC") & Facts.liver_lesion_dominant_growing,
        verdict=Verdict.INDICATES,
        kind="option",
        options=ABLATION,
        says="A dominant lesion that outgrows the rest of a medullary carcinoma is a reason to ablate it, for "
        "symptoms.",
        cite=ESMO_2019.at(
            "Table 3 of Nervo 2021",
            "a dominant lesion that is growing more rapidly than the background disease, local ablation",
        ),
    ),
    # Guideline recommendations
    Rule(
        id="GL-ESMO-SOLITARY",
        when=Facts.liver_lesion_count.is_(1),
        verdict=Verdict.INDICATES,
        kind="option",
        options=ABLATION,
        says="A true solitary lesion is a reason for local ablation.",
        cite=ESMO_2019.at(
            "Table 3 of Nervo 2021",
            "If true solitary lesions are detected, they may be candidates for local ablation",
        ),
    ),
    Rule(
        id="GL-ESMO-DOMINANT",
        when=Facts.histology.is_("MTC") & Facts.liver_lesion_dominant_growing,
        verdict=Verdict.INDICATES,
        kind="option",
        options=ABLATION,
        says="A dominant liver metastasis that outgrows the rest is a reason for local ablation, for symptoms.",
        cite=ESMO_2019.at(
            "Table 2 of Zhang 2025",
            "single dominant LM that are growing compared to the rest of the disease",
        ),
    ),
    Rule(
        id="GL-ESMO-TACELAST",
        when=~Facts.resection_feasible & (Facts.ablation_contraindicated | Facts.liver_lesion_at_hilum),
        verdict=Verdict.INDICATES,
        kind="option",
        options=("TACE",),
        says="When both surgery and ablation are contraindicated, TACE is an option.",
        cite=ESMO_2019.at(
            "Table 3 of Nervo 2021",
            "If both surgery and RFA are contraindicated, TACE might be an option",
        ),
    ),
)
