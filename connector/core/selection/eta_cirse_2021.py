"""The ETA and CIRSE 2021 guideline on minimally invasive treatments."""

from connector.core.catalogue import Facts
from connector.core.rules import Rule, Verdict
from connector.core.sources import ETA_CIRSE_2021
from connector.core.vocabulary import DIFFERENTIATED, LIVER_LOCOREGIONAL

RULES: tuple[Rule, ...] = (
    # Guideline recommendations
    Rule(
        id="GL-ETACIRSE",
        when=Facts.histology.among(*DIFFERENTIATED) & Facts.increased_surgical_risk,
        verdict=Verdict.INDICATES,
        kind="option",
        options=LIVER_LOCOREGIONAL,
        says="At increased surgical risk local treatment is part of a multimodal approach, when others are "
        "ineffective.",
        cite=ETA_CIRSE_2021.at(
            "Table 2 of Zhang 2025",
            "Should be considered as part of a multimodal approach in patients at increased surgical risk",
        ),
    ),
)
