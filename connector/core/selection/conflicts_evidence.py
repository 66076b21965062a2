"""Where the sources disagree on markers, follow-up and evidence, or say nothing."""

from connector.core.catalogue import Facts
from connector.core.selection.conflict import Conflict

CONFLICTS: tuple[Conflict, ...] = (
    # Markers, follow-up, response, evidence
    Conflict(
        "CON-CT6",
        'doubling time < 6 months "predictive"; 6 exactly silent',
        "strict < 6; fewer than 2 dated values: cannot compute",
        when=Facts.calcitonin_doubling_time_months <= 6,
    ),
    Conflict(
        "CON-CEA30",
        "CEA > 30 ng/mL is colorectal only",
        "informs; never applied to thyroid",
        rules=("BIO-CEA30-CRC",),
    ),
    Conflict(
        "CON-DISCORD",
        'markers flat with progression, "or vice versa", also expected after necrosis',
        "discordance advised only outside the post-procedure window set by the site; within: repeat",
        rules=(
            "BIO-DISCORD-UP",
            "BIO-DISCORD-DOWN",
        ),
    ),
    Conflict(
        "CON-FU-1M-3M",
        "CT about 1 month (Nervo 2021), 3 months for TARE (Anbari 2023), FDG 4-6 weeks mCRC",
        "by last modality; FDG informs only",
        rules=(
            "FU-CT1M",
            "FU-TARE-CLIN",
            "FU-TARE-IMG",
        ),
    ),
    Conflict(
        "CON-RECIST",
        "RECIST used, but underestimates; mRECIST/viable named without criteria",
        "report RECIST and viable sums side by side; no mRECIST category",
        rules=(
            "RESP-VIABLE",
            "RESP-UNDEREST",
        ),
        to_confirm=True,
    ),
    Conflict(
        "CON-RECIST-PD",
        "PD number absent",
        "RECIST 1.1 (+20 % and +5 mm from nadir, new lesion), tagged external",
        rules=("RESP-PD-DER",),
    ),
    Conflict(
        "CON-SYMPT",
        "symptom response > 25 % (Fromigue) only",
        "used only as a label",
        rules=("RESP-SYMPT25",),
    ),
    Conflict(
        "CON-REILD-RATE",
        "REILD 1-3 % but decompensation and extrahepatic < 1 %",
        "print both, with their wording; counsel with the higher",
        rules=("AE-REILD",),
    ),
    Conflict(
        "CON-REILD-DEF",
        "jaundice and massive ascites at 2-4 months; cut-offs absent",
        "suspicion only, after obstruction and progression are excluded",
        rules=(
            "AE-REILD",
            "AE-REILD-LABS",
        ),
        to_confirm=True,
    ),
    Conflict(
        "CON-NERVO",
        "Zhang 2025: n = 5 (3 MTC, 2 DTC); Nervo 2021: 4 patients, 6 procedures, with MWA",
        "Nervo 2021",
    ),
    Conflict(
        "CON-LORENZ",
        'Zhang 2025 omits the death and "no RECIST"',
        "Nervo 2021",
    ),
    Conflict(
        "CON-FROMIGUE",
        'TACE (Zhang 2025, Nervo 2021), "TAE" (Cazzato 2018), 12 patients',
        "TACE: doxorubicin given",
    ),
    Conflict(
        "CON-OVERLAP",
        "Berber 2002, Siperstein and Berber, Mazzaglia, Akyildiz",
        'count once; "75 patients" not an independent total',
    ),
    Conflict(
        "CON-EPI",
        "MTC liver 50 %, 49-62 %, 81.3 %; DTC distant 10 % against 17.3/38.7 %",
        "no prior probabilities used",
    ),
    Conflict(
        "CON-CITE-DRIFT",
        "Zhang 2025 references often do not match (17-21, 30-32; 25 = 31)",
        "cite source and section; primary study only where Nervo 2021/Cazzato 2018 confirms",
    ),
    Conflict(
        "CON-OWNSERIES",
        "Zhang 2025 prints an own 2024 series without methods",
        "lowest weight",
    ),
    Conflict(
        "CON-BONE-DENOM",
        "Cazzato 2018: technique percentages fit 49 sessions (inferred), not 54 lesions; sites sum to 98.15 %",
        "print as stated with the note",
    ),
    Conflict(
        "CON-BONE-INDEX",
        "Cazzato 2018 says ref 16; data are ref 12",
        "cite source section",
    ),
    Conflict(
        "CON-SCOPE",
        'Zhang 2025 title "distant metastases", methods exclude non-liver',
        "lung and bone from Cazzato 2018 only",
    ),
    Conflict(
        "CON-NOOS",
        (
            '"curative" ablation (Cazzato 2018, Nervo 2021) against "palliative or adjunctive ... rather than '
            'curative" (Zhang 2025)'
        ),
        '"curative" means local control intent; survival benefit never claimed',
    ),
    # Gaps
    Conflict(
        "CON-GAP-RAIPREG",
        "RAI in pregnancy/breastfeeding (excluded, derived)",
        "asked, or left to the board; never an invented number",
        rules=("RAI-DER-PREG",),
        to_confirm=True,
    ),
    Conflict(
        "CON-GAP-TGAB",
        "anti-thyroglobulin antibodies make Tg unreliable (ask)",
        "asked, or left to the board; never an invented number",
        when=Facts.tg_antibodies_positive,
        to_confirm=True,
    ),
    Conflict(
        "CON-GAP-LABS",
        "bilirubin, INR, platelets, eGFR cut-offs",
        "asked, or left to the board; never an invented number",
        to_confirm=True,
    ),
    Conflict(
        "CON-GAP-DIST",
        "mm distance to duct, vessel, hilum",
        "asked, or left to the board; never an invented number",
        to_confirm=True,
    ),
    Conflict(
        "CON-GAP-FLR",
        "future liver remnant",
        "asked, or left to the board; never an invented number",
        to_confirm=True,
    ),
    Conflict(
        "CON-GAP-RESIN",
        "resin dose targets, normal-liver limit",
        "asked, or left to the board; never an invented number",
        when=Facts.microsphere_type.is_("resin"),
        to_confirm=True,
    ),
    Conflict(
        "CON-GAP-MARROW",
        "marrow or lung-retention limit for RAI",
        "asked, or left to the board; never an invented number",
        rules=("RAI-MARROW",),
        to_confirm=True,
    ),
    Conflict(
        "CON-GAP-ANTIBIOTIC",
        "antibiotic, steroid and anticoagulant handling",
        "asked, or left to the board; never an invented number",
        to_confirm=True,
    ),
    Conflict(
        "CON-GAP-INTERVAL",
        "minimum interval between procedures and after TKI restart",
        "asked, or left to the board; never an invented number",
        when=Facts.prior_lrt_count >= 1,
        to_confirm=True,
    ),
    Conflict(
        "CON-GAP-PROPHYLAXIS",
        "carcinoid-like or hypertensive crisis plan",
        "asked, or left to the board; never an invented number",
        to_confirm=True,
    ),
    Conflict(
        "CON-GAP-PDTC",
        "poorly differentiated carcinoma: no rule set",
        "asked, or left to the board; never an invented number",
        when=Facts.histology.is_("PDTC"),
        to_confirm=True,
    ),
    Conflict(
        "CON-GAP-ATC",
        "anaplastic carcinoma: no rule set",
        "asked, or left to the board; never an invented number",
        when=Facts.histology.is_("ATC"),
        to_confirm=True,
    ),
    Conflict(
        "CON-GAP-LUNGMWA",
        "lung MWA/cryoablation",
        "asked, or left to the board; never an invented number",
        to_confirm=True,
    ),
    Conflict(
        "CON-GAP-BONESCORE",
        'no fracture-risk or instability score (sources: "mechanical stresses" only)',
        "asked, or left to the board; never an invented number",
        when=Facts.bone_lesion_mechanical_stress,
        to_confirm=True,
    ),
    Conflict(
        "CON-GAP-BRAIN",
        "brain metastases",
        "asked, or left to the board; never an invented number",
        when=Facts.extrahepatic_sites.has("brain"),
        to_confirm=True,
    ),
    Conflict(
        "CON-GAP-PAED",
        "children",
        "asked, or left to the board; never an invented number",
        when=Facts.age_years < 18,
        to_confirm=True,
    ),
    Conflict(
        "CON-GAP-SELECTIVE",
        "selective RET/BRAF/TRK drugs",
        "asked, or left to the board; never an invented number",
        when=Facts.systemic_therapy_current.is_("selective_ret"),
        to_confirm=True,
    ),
)
