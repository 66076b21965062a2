"""Where the sources disagree on dose, radioiodine and systemic treatment, and what was decided."""

from connector.core.catalogue import Facts, Sums
from connector.core.selection.conflict import Conflict

CONFLICTS: tuple[Conflict, ...] = (
    # TARE dosimetry
    Conflict(
        "CON-BSA",
        "Anbari 2023 Table 2: tumour/(tumour/liver), which is just the liver volume, hundreds of GBq",
        "A = (BSA - 0.2) + tumour / total liver volume incl. tumour; the printed form is refused",
        rules=("TARED-BSA",),
    ),
    Conflict(
        "CON-PARTITION-D",
        '"D" and "liver mass" not defined',
        "D = normal-liver dose, mass = normal liver excl. tumour; tumour dose = T/N x D",
        rules=("TARED-PARTITION",),
    ),
    Conflict(
        "CON-MIRD50",
        "50 in MIRD, 49.67 in partition and in Table 1",
        "50 as printed for single-compartment prescription, 49.67 for every dose report",
        rules=("TARED-MIRD",),
    ),
    Conflict(
        "CON-LUNG061",
        "0.61 GBq limit gives 30.3 Gy in 1.0 kg lung; text limit 30 Gy",
        "both tested, stricter applies; lung mass from CT, no default",
        when=(Sums.lung_activity_gbq >= 0) & (Facts.predicted_lung_dose_gy >= 0),
    ),
    Conflict(
        "CON-LUNGOVER",
        "MAA overestimates lung shunt",
        "no correction subtracted",
        rules=("TARE-LUNG-OVEREST",),
    ),
    Conflict(
        "CON-EMPIRIC",
        '">=50", "25-50", "<=25": 25 and 50 belong to two rows',
        "boundary to the lower activity; >= 50 % is also the burden flag: board only; method marked legacy",
        rules=("TARED-EMPIRIC-HIGH",),
        when=Facts.activity_method.is_("empiric") & Facts.liver_tumour_burden_percent.is_(25),
    ),
    Conflict(
        "CON-EMPIRIC-BURDEN",
        "higher burden, higher activity, yet > 50 % is a relative contraindication",
        "never auto-proposed",
        rules=("TARED-EMPIRIC-HIGH",),
    ),
    Conflict(
        "CON-PENETR",
        '"maximum 2.5-1 mm" (table) and mean 2.5, max 11 (text)',
        "text value",
    ),
    Conflict(
        "CON-SPECACT",
        "glass 250-2500 Bq (table), <400 to >4000 (text); resin 50-200 and 50",
        "no calculation uses Bq per sphere; manufacturer's vial certificate",
        to_confirm=True,
    ),
    Conflict(
        "CON-DOSE80",
        "80-150 Gy is a mean of the treated volume, glass, single-compartment only",
        "not used as tumour or normal-liver limit; no resin target encoded",
        when=Facts.activity_method.is_("mird_single") & Facts.microsphere_type.is_("glass"),
        to_confirm=True,
    ),
    Conflict(
        "CON-LOWBURDEN",
        "low burden is a REILD risk; high burden a contraindication",
        "both flagged; they act on normal-liver dose and on reserve",
        rules=("AE-REILD-RISK-LOWBURDEN",),
    ),
    Conflict(
        "CON-SPHERES",
        "resin 20-40 million, glass 1.2-8 million",
        "informative only",
    ),
    Conflict(
        "CON-POSTIMG",
        "PET preferred; SPECT accepted",
        "PET/CT preferred, one of the two required",
        rules=(
            "TARED-POSTIMG",
            "TARED-POSTPET",
        ),
    ),
    # Systemic, RAI, radiotherapy
    Conflict(
        "CON-TKI-HOLD",
        "ETA: continue or pause a few days; Nervo 2021 interrupts anti-VEGF, 11-15 days in total",
        "anti-VEGF: interruption required, length by the board; never a machine-set number of days",
        rules=(
            "SYS-VEGF-HOLD",
            "SYS-ETA-HOLD",
        ),
        to_confirm=True,
    ),
    Conflict(
        "CON-TKI-EFFECT",
        "local treatment may impair or help TKIs",
        "neither direction used for ranking",
        rules=("SYS-INTERFERE",),
    ),
    Conflict(
        "CON-TKI-DATED",
        "Cazzato 2018 (2018): TKIs mainly in trials; Zhang 2025 (2025): often used",
        "Zhang 2025 wins, date printed",
        rules=("SYS-TKI-RAIR",),
    ),
    Conflict(
        "CON-RAI600",
        "Cazzato 2018 maximum 600 mCi; Alvarez supports higher 131I as salvage",
        (
            "total > 600 blocks; salvage text informs only, never ranks first; override needs board, dosimetry "
            "and marrow plan"
        ),
        rules=(
            "RAI-CEILING",
            "RAI-SALVAGE",
        ),
        to_confirm=True,
    ),
    Conflict(
        "CON-RAI-REFR",
        '"little or no benefit"/"ineffective" (Zhang 2025, Cazzato 2018) against salvage (Alvarez)',
        "refractory: relative contraindication",
        rules=("RAI-REFRACT",),
    ),
    Conflict(
        "CON-004-QUALITY",
        "Alvarez has no data, and its references could not be verified from the text",
        "lowest evidence tier; never the only source of an indication",
        rules=(
            "RAI-SALVAGE",
            "EBRT-ADDTOX",
        ),
        to_confirm=True,
    ),
    Conflict(
        "CON-EBRT-ADD",
        'EBRT combined "better" (bone) against additive toxicity (Alvarez)',
        "both printed; prior target dose required",
        rules=(
            "EBRT-ADDTOX",
            "EBRT-EMBO",
        ),
    ),
    Conflict(
        "CON-MTC-RAI",
        "Cazzato 2018 states iodine symporter for PTC/FTC only",
        "MTC/ATC: RAI excluded (derived); HTC and PDTC need proven avidity",
        rules=("RAI-MTC-NO",),
        to_confirm=True,
    ),
    Conflict(
        "CON-FTC4",
        'ATA low "< 4 foci", high "> 4": exactly 4 in neither',
        "high for display",
        when=Facts.histology.is_("FTC") & Facts.vascular_invasion_foci_count.is_(4),
    ),
    Conflict(
        "CON-N1MID",
        "N1: <= 5 micro (<= 2 mm) low, > 5 and < 30 mm intermediate: <= 5 nodes of 2-30 mm in neither",
        "intermediate",
        when=(Facts.pathologic_n1_count <= 5) & (Facts.n1_largest_mm > 2) & (Facts.n1_largest_mm < 30),
    ),
    Conflict(
        "CON-STRATA-M1",
        "strata choose initial RIT; every patient here is M1, thus high in both",
        "print, do not use for choosing liver treatment",
        rules=(
            "STRAT-ATA-HIGH-M",
            "STRAT-TNM-HIGH",
        ),
    ),
    Conflict(
        "CON-TNM-LOW",
        'TNM low "RIT is indicated" against ATA low',
        "print both, no recommendation",
        rules=("STRAT-TNM-LOW",),
    ),
)
