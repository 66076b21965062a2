"""Dosimetry-guided radioiodine for refractory disease, an opinion of the lowest tier, by Alvarez."""

from connector.core.catalogue import Facts
from connector.core.rules import Rule, Verdict
from connector.core.sources import ALVAREZ

RULES: tuple[Rule, ...] = (
    # RAI / RIT and risk strata
    Rule(
        id="RAI-SALVAGE",
        when=Facts.rai_refractory & Facts.rai_avid,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("RAI",),
        says="A higher activity of 131I is described as salvage for selected patients only.",
        cite=ALVAREZ.at("Introduction", "judicious use of higher"),
    ),
    Rule(
        id="RAI-MARROW",
        when=Facts.rai_planned_activity_mci > 0,
        verdict=Verdict.REQUIRES,
        kind="measure",
        options=("RAI",),
        says="Blood counts are monitored for myelosuppression.",
        cite=ALVAREZ.at("Introduction", "potential side effects, particularly myelosuppression"),
    ),
    Rule(
        id="RAI-DOSIM",
        when=Facts.rai_planned_activity_mci > 0,
        verdict=Verdict.REQUIRES,
        kind="measure",
        options=("RAI",),
        says="Tumour volume, uptake over time and the limits of organs are measured; the source gives no numbers.",
        cite=ALVAREZ.at(
            "Introduction",
            "considering factors such as tumor volume, uptake kinetics, and normal organ constraints",
        ),
    ),
    Rule(
        id="RAI-SPECT",
        when=Facts.rai_planned_activity_mci > 0,
        verdict=Verdict.ADVISES,
        kind="measure",
        options=("RAI",),
        says="SPECT/CT or PET/CT dosimetry is advised.",
        cite=ALVAREZ.at("Introduction", "such as SPECT/CT and PET/CT"),
    ),
    Rule(
        id="LU177-EXP",
        when=Facts.ssa_receptor_imaging_positive,
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="177Lu-labelled analogues are a potential treatment only.",
        cite=ALVAREZ.at("Introduction", "dose escalation might be feasible with careful monitoring"),
    ),
    # EBRT
    Rule(
        id="EBRT-ROLE",
        when=Facts.rai_refractory,
        verdict=Verdict.INFORMS,
        kind="evidence",
        options=("EBRT",),
        says="External beam radiotherapy may go with systemic therapy or stand in its place.",
        cite=ALVAREZ.at(
            "Introduction",
            "in combination with or as an alternative to systemic therapies, including radiopharmaceuticals",
        ),
    ),
    Rule(
        id="EBRT-ADDTOX",
        when=Facts.prior_ebrt_target,
        verdict=Verdict.RELATIVE,
        kind="option",
        options=("EBRT",),
        says="Earlier radiotherapy of the target speaks against more: the toxicity adds up.",
        cite=ALVAREZ.at(
            "Introduction",
            "considering the potential for additive toxicity when used alongside other treatments",
        ),
        strength_read=True,
    ),
)
