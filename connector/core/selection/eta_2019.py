"""The European Thyroid Association 2019 guideline for radioiodine-refractory disease."""

from connector.core.catalogue import Facts
from connector.core.rules import Rule, Verdict
from connector.core.sources import ETA_2019
from connector.core.vocabulary import LIVER_LOCOREGIONAL

RULES: tuple[Rule, ...] = (
    # TACE
    Rule(
        id="TACE-SIZE-30",
        when=Facts.liver_lesion_largest_diameter_mm < 30,
        verdict=Verdict.PREFERS,
        kind="option",
        options=("TACE",),
        says="Lesions below 30 mm are in the zone that the guidelines name for TACE.",
        cite=ETA_2019.at("Table 2 of Zhang 2025", "TACE can be used especially for LM<30 mm"),
    ),
    # Guideline recommendations
    Rule(
        id="GL-ETA-TACE",
        when=Facts.rai_refractory
        & (Facts.liver_lesion_largest_diameter_mm < 30)
        & (Facts.liver_tumour_burden_percent < 30),
        verdict=Verdict.INDICATES,
        kind="option",
        options=("TACE",),
        says="In refractory disease TACE is named for lesions below 30 mm that involve less than 30 % of the liver.",
        cite=ETA_2019.at("Table 2 of Zhang 2025", "and in case of liver involvement <30%"),
    ),
    Rule(
        id="GL-ETA-TACE-UNPROVEN",
        when=Facts.rai_refractory,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("TACE",),
        says="It is unproven that TACE prolongs survival or delays progression.",
        cite=ETA_2019.at(
            "Table 3 of Nervo 2021",
            "benefits in prolonging survival or delaying progression are yet unproven",
        ),
    ),
    Rule(
        id="GL-ETA-RFA",
        when=Facts.rai_refractory & Facts.liver_lesion_count.is_(1) & ~Facts.resection_feasible,
        verdict=Verdict.INDICATES,
        kind="option",
        options=("RFA",),
        says="RFA is named for a single lesion that cannot be resected, or to reduce the tumour.",
        cite=ETA_2019.at("Table 3 of Nervo 2021", "RFA can be applied to single, unresectable lesions"),
    ),
    Rule(
        id="GL-ETA-OLIGO",
        when=Facts.rai_refractory & Facts.progression_pattern.among("single_lesion", "oligo_single_organ"),
        verdict=Verdict.INDICATES,
        kind="option",
        options=LIVER_LOCOREGIONAL,
        says="Progression of one lesion or within one organ is a reason for local treatment, with or without systemic "
        "therapy.",
        cite=ETA_2019.at(
            "Table 3 of Nervo 2021",
            "progression of a single lesion or multiple lesions in a single organ",
        ),
    ),
)
