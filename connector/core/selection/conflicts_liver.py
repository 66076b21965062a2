"""Where the sources disagree on the liver branch, sizes and contraindications, and what was decided."""

from connector.core.catalogue import Facts
from connector.core.selection.conflict import Conflict

CONFLICTS: tuple[Conflict, ...] = (
    # Choosing the branch (liver)
    Conflict(
        "CON-F2-THREE",
        'Zhang 2025 Figure 2 "<3 lesions"; Zhang 2025 selection text "usually <=3"',
        "exactly 3 unilobar = limited branch, confidence reduced, both sources shown (F2-N1-THREE)",
        rules=("F2-N1-THREE",),
        to_confirm=True,
    ),
    Conflict(
        "CON-F2-FOUR",
        'Figure 2 "<3" and ">4": 4 lesions (and 3) in no branch',
        "exactly 4 unilobar: both branches shown, none preferred (F2-N1-FOUR)",
        rules=("F2-N1-FOUR",),
        to_confirm=True,
    ),
    Conflict(
        "CON-F2-BILOBAR",
        '"<3, unilobar" against ">4 or bilobar": 1-2 bilobar lesions',
        'diffuse branch (the "or"); ablation stays eligible as count <= 3',
        when=(Facts.liver_lesion_count <= 3) & Facts.liver_lobes_involved.is_("bilobar"),
    ),
    Conflict(
        "CON-F2-5UNI",
        "> 4 unilobar: figure diffuse; Nervo 2021 asks multiple AND bilobar for TACE",
        "diffuse; rank TACE with the note; resection question kept open to the surgeon",
        when=(Facts.liver_lesion_count > 4) & Facts.liver_lobes_involved.is_("unilobar"),
        to_confirm=True,
    ),
    Conflict(
        "CON-F2-TEXT",
        'caption says "more than four", "fewer than three"; text also "few", "limited", "single/few"',
        "numbers only from figure and <= 3; words are never turned into other numbers",
    ),
    Conflict(
        "CON-F2-DUCTARROW",
        "the figure text has lost its arrows",
        '"near ducts: vascular; else ablative", from Zhang 2025 Guidelines and Nervo 2021 Discussion',
        rules=(
            "F2-N3-ABL",
            "F2-N3-VASC",
        ),
    ),
    Conflict(
        "CON-F2-STATUS",
        'TACE "good status", TARE "poor status": of liver, patient or both?',
        "see CON-TARE-POOR; performance_status_class must be known; liver limits always apply to both",
        rules=("F2-N4-EVAL",),
    ),
    Conflict(
        "CON-F2-SURGDIFFUSE",
        "figure never asks about surgery in diffuse disease",
        "surgery not preferred there; shown only if the surgeon enters resection_feasible true",
        when=Facts.resection_feasible & (Facts.liver_lobes_involved.is_("bilobar") | (Facts.liver_lesion_count > 4)),
    ),
    Conflict(
        "CON-PS",
        "no ECOG cut-off anywhere",
        "clinician asserts good/poor; ECOG only for contradiction checks",
        when=Facts.ecog_ps >= 0,
        to_confirm=True,
    ),
    Conflict(
        "CON-EXTRAHEP",
        (
            'Zhang 2025 "stable or indolent"; Nervo 2021 Methods "stable"; Nervo 2021 Discussion "irrespective of'
            ' the presence"'
        ),
        (
            "presence does not exclude; progressive extrahepatic disease prefers systemic; palliative local kept "
            "as option for symptoms"
        ),
        when=Facts.extrahepatic_disease_status.is_("progressive"),
    ),
    Conflict(
        "CON-HILUM",
        'Zhang 2025 relative contraindication near ducts; Nervo 2021 hilum "not considered suitable"',
        "hilum: excluded for thermal ablation; near a duct elsewhere: relative",
        rules=(
            "ABL-HILUM",
            "ABL-REL-DUCT",
        ),
        to_confirm=True,
    ),
    Conflict(
        "CON-CRITICAL",
        "Zhang 2025 lists no lesion near critical structures as a candidate feature",
        "relative contraindication, not absolute",
        rules=("GEN-IRT-SELECT-CRIT",),
    ),
    Conflict(
        "CON-RANK-TACE-TARE",
        "ESMO: TACE when surgery and RFA contraindicated; Zhang 2025/Nervo 2021: TACE preferred for diffuse",
        "limited disease: ESMO order (surgery, ablation, TACE); diffuse: TACE first",
        rules=("GL-ESMO-TACELAST",),
    ),
    Conflict(
        "CON-ETA-ESMO",
        "ETA: LRT with or without systemic for single lesion or single organ; ESMO: solitary or dominant lesion only",
        'show both, tag by body and histology; never merge into one "guidelines say"',
        rules=(
            "GL-ETA-OLIGO",
            "GL-ESMO-SOLITARY",
        ),
    ),
    # Size and burden
    Conflict(
        "CON-TACE-SIZE",
        'guidelines < 30 mm; Zhang 2025/Nervo 2021 benefit > 30 mm; Nervo 2021 "not the size ... associated"',
        "< 30 mm preferred zone; >= 30 mm stays eligible, marked outside the guideline zone",
        rules=("TACE-SIZE-GE30",),
    ),
    Conflict(
        "CON-TACE-30-33-50",
        "< 30 % (ETA, outcomes), < one third (ATA MTC), up to 50 % (Grozinsky)",
        (
            "< 30 preferred; 30 to < 33.3 guideline-supported in MTC only; to 50 eligible, reduced benefit; > 50 "
            "relative contraindication"
        ),
        rules=(
            "TACE-BURDEN-GREY",
            "TACE-BURDEN-MAX",
        ),
        to_confirm=True,
    ),
    Conflict(
        "CON-CITE-30",
        (
            "Zhang 2025 credits <30 % and >30 mm to one reference (10, Grozinsky); Nervo 2021 credits <30 % to "
            "Fromigue, >30 mm/50 % to Grozinsky"
        ),
        "Nervo 2021 attribution used",
        rules=("TACE-BURDEN-30",),
    ),
    Conflict(
        "CON-TARE-BURDEN",
        '"50-70 % often reported"',
        "> 50 relative; > 70 relative, not offered without a recorded board override",
        rules=(
            "TARE-REL-BURDEN50",
            "TARE-REL-BURDEN70",
        ),
        to_confirm=True,
    ),
    Conflict(
        "CON-RFA-SIZE",
        "RFA < 5 cm (Zhang 2025 T3); good to 70 mm; curative < 3 cm (Cazzato 2018); worse >= 2 cm (Nervo 2021)",
        "curative label < 30 mm; < 50 indicated (debulking/palliative 30-50); >= 50 relative; > 70 beyond evidence",
        rules=(
            "RFA-SIZE-50",
            "RFA-PUB-DER70",
            "ABL-RISK-20",
        ),
    ),
    Conflict(
        "CON-SIZE-EXACT30",
        '"<3 cm" curative, ">3 cm" worse; exactly 30 mm in neither',
        "not curative, not penalised",
        when=Facts.liver_lesion_largest_diameter_mm.is_(30),
    ),
    Conflict(
        "CON-MARGIN",
        "<= 5 mm (Cazzato 2018, colorectal) against <= 10 mm (Nervo 2021, colorectal)",
        "<= 5 blocks the curative label; 5 to 10 advises more; > 10 target",
        rules=(
            "ABL-MARGIN-5",
            "ABL-MARGIN-10",
        ),
        to_confirm=True,
    ),
    Conflict(
        "CON-MWA-HEAT",
        '"less affected", "still heat-sink sensitive" (Zhang 2025), "unclear" (Nervo 2021)',
        "MWA preferred near vessels, with the caveat printed",
        rules=("MWA-HEATSINK",),
    ),
    Conflict(
        "CON-MWA-MAX",
        "no MWA upper size",
        "none encoded; > 55 mm (largest MWA-treated lesion in Nervo 2021) flagged as unreported",
        when=Facts.liver_lesion_largest_diameter_mm > 55,
    ),
    Conflict(
        "CON-LASER",
        "marginal/experimental, yet a 170 mm PR case",
        "never ranked first; shown as case evidence",
        rules=("LASER-170",),
    ),
    Conflict(
        "CON-CRYO",
        "Zhang 2025 Figure 1 cryoablation captioned bone/pleura, cited for liver ultrasound guidance",
        "no liver cryoablation rule beyond ATA mention; 4 minutes is no protocol",
        rules=("CRYO-ATA",),
    ),
    # Contraindications
    Conflict(
        "CON-TARE-POOR",
        (
            "Figure 2 and Table 3: TARE for poor status/poor surgical candidates; Anbari 2023: liver failure, "
            "life < 3 months, pregnancy absolute; CP > B7 relative"
        ),
        (
            'TARE for "poor" only if life expectancy >= 3 months, no liver failure, CP <= 7, not pregnant; else '
            "not preferred and systemic/supportive shown"
        ),
        when=Facts.performance_status_class.is_("poor"),
    ),
    Conflict(
        "CON-COAG",
        "uncorrected coagulopathy absolute (Nervo 2021); unmanageable coagulation relative for TARE (Anbari 2023)",
        "uncorrected: absolute for every invasive option; corrected: allowed, flagged",
        rules=(
            "GEN-ABS-COAG",
            "TARE-REL-COAG",
            "HOUSE-COAG-CORRECTED",
        ),
        to_confirm=True,
    ),
    Conflict(
        "CON-LIVERINSUFF",
        '"severe liver insufficiency" (Nervo 2021), "clinical liver failure" (Anbari 2023): undefined',
        "two facts, asserted by a clinician; CP >= 10 counts as severe",
        rules=(
            "GEN-ABS-LIVERINSUFF",
            "TARE-ABS-LIVERFAIL",
            "GEN-DER-CPC",
        ),
        to_confirm=True,
    ),
    Conflict(
        "CON-CPB7",
        '"higher than B7" is for TARE; nothing for TACE/TAE',
        "B7 allowed, >= 8 relative; the same carried to TACE (derived)",
        rules=(
            "TARE-REL-CPB7",
            "TACE-DER-CP",
        ),
        to_confirm=True,
    ),
    Conflict(
        "CON-PVT",
        (
            'main PVT relative contraindication (Anbari 2023 section 2) and "no strict contraindication" (Anbari '
            "2023 HCC); TACE silent"
        ),
        "relative for both; never absolute",
        rules=(
            "TARE-REL-PVT",
            "TACE-DER-PVT",
        ),
        to_confirm=True,
    ),
    Conflict(
        "CON-PVTTARGET",
        'the sentence lists main PVT and "poor targeting" separately',
        "two flags",
        rules=("TARE-REL-PVTTARGET",),
    ),
    Conflict(
        "CON-EXTRADEP",
        'extrahepatic deposition "contraindication", degree not graded',
        "no prescription until corrected by coils/repositioning and re-tested",
        rules=("TARE-EXTRADEP",),
    ),
    Conflict(
        "CON-PHEO",
        (
            "procedure-related death with unrecognised phaeochromocytoma LM; no source states a screening rule; "
            "Zhang 2025 omits the death"
        ),
        "MTC/MEN2: blocked until pheochromocytoma_status is excluded",
        rules=("GEN-DER-PHEO", "HOUSE-PHEO"),
        to_confirm=True,
    ),
    Conflict(
        "CON-TARE-PREG",
        "pregnancy given only for TARE",
        "also RAI absolute (CON-GAP-RAIPREG); other X-ray-guided options and TKI board only",
        rules=(
            "TARE-ABS-PREGNANCY",
            "GEN-DER-PREG",
        ),
        to_confirm=True,
    ),
    Conflict(
        "CON-CARDIO",
        "cardiovascular disease a risk factor for TACE complications",
        "relative contraindication flag, no exclusion",
        rules=("TACE-CV",),
    ),
    Conflict(
        "CON-RENAL",
        "renal failure both a TARE limit and a TACE complication; no eGFR",
        "clinician-asserted; relative for all arterial options",
        rules=("TARE-REL-RENAL",),
        to_confirm=True,
    ),
    Conflict(
        "CON-BILIARY-ANAST",
        "Anbari 2023: no strict contraindication; ablation/TACE silent",
        "informs TARE; ask for TACE and ablation",
        rules=("TARE-BDANAST",),
        to_confirm=True,
    ),
)
