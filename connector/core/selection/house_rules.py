"""What people entered and what no source covers: readings of our own, flagged as such in every answer."""

from connector.core.catalogue import Facts
from connector.core.rules import Condition, Rule, Verdict
from connector.core.sources import HOUSE
from connector.core.vocabulary import LIVER_LOCOREGIONAL, LOCOREGIONAL, MODALITIES, Modality


def _house(rule_id: str, when: Condition, verdict: Verdict, options: tuple[Modality, ...], says: str) -> Rule:
    return Rule(
        id=rule_id, when=when, verdict=verdict, kind="option", options=options, says=says,
        cite=HOUSE.at("entered by people"), derived=True,
    )  # fmt: skip


NO_RULE_SET = Facts.histology.among("PDTC", "ATC")

RULES: tuple[Rule, ...] = (
    *(
        _house(
            f"HOUSE-DECLINED-{modality}",
            Facts.patient_declined_modalities.has(modality),
            Verdict.EXCLUDES,
            (modality,),
            "The patient declined it.",
        )
        for modality in MODALITIES
        if modality != "board_only"
    ),
    # A bilobar liver that cannot be resected is left to SURG-BILOBAR-NO, which words it as "usually not possible".
    _house(
        "HOUSE-SURGERY-NO",
        (~Facts.surgical_candidate | ~Facts.resection_feasible)
        & ~(Facts.liver_lobes_involved.is_("bilobar") & ~Facts.resection_feasible),
        Verdict.EXCLUDES,
        ("surgery",),
        "The surgeon entered that the patient or the disease cannot be operated.",
    ),
    _house(
        "HOUSE-SYSTEMIC-NO",
        ~Facts.systemic_therapy_eligible,
        Verdict.EXCLUDES,
        ("systemic_therapy",),
        "The oncologist entered that the patient is not eligible.",
    ),
    _house(
        "HOUSE-RAI-NOT-AVID",
        ~Facts.rai_avid,
        Verdict.RELATIVE,
        ("RAI",),
        "No uptake of radioiodine was seen, so radioiodine has nothing to act on.",
    ),
    Rule(
        id="HOUSE-STABLE",
        when=Facts.liver_disease_status.is_("stable"),
        verdict=Verdict.ADVISES,
        kind="measure",
        options=LIVER_LOCOREGIONAL,
        says="Stable liver metastases are not among the reasons to treat that the sources name (first detection, "
        "growth, symptoms): weigh watching them instead.",
        cite=HOUSE.at("what no source covers"),
        derived=True,
    ),
    *(
        Rule(
            id=f"HOUSE-NOT-HERE-{modality}",
            when=~Facts.centre_modalities_available.has(modality),
            verdict=Verdict.INFORMS,
            kind="evidence",
            options=(modality,),
            says="It is not among the treatments this centre offers: it needs a referral.",
            cite=HOUSE.at("entered by people"),
            derived=True,
        )
        for modality in MODALITIES
        if modality not in {"board_only", "systemic_therapy"}
    ),
    _house(
        "HOUSE-NO-RULE-SET",
        NO_RULE_SET,
        Verdict.RELATIVE,
        (*LOCOREGIONAL, "surgery"),
        "No source has criteria for poorly differentiated or anaplastic carcinoma: the board alone decides.",
    ),
    _house(
        "HOUSE-BOARD-NO-RULE-SET",
        NO_RULE_SET,
        Verdict.PREFERS,
        ("board_only",),
        "No source has criteria for this histology: the board decides.",
    ),
)
