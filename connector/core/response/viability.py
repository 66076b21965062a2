"""Is a treated lesion still alive? An answer for each lesion beside RECIST, where a treated target is missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from connector.core.case import Enhancement
from connector.core.errors import BadCase
from connector.core.evidence import Citation
from connector.core.response.case import Response

JUDGED_AT_ONCE = frozenset({"RFA", "MWA", "laser", "cryoablation", "PEI", "TACE", "TAE", "ablation_plus_TACE"})
JUDGED_BY_CHANGE = frozenset({"TARE", "EBRT"})  # enhancement may persist for months after radiation
LI_RADS = Citation("Radiol Oncol 2018;52:353 (PMC6287184)", "Table 4, LI-RADS treatment response")
LOCAL_PROGRESSION = Citation("PMC5114314", "Table 3", "a new (after a period of non-enhancement) enhancing or growing")
EASL = Citation("J Hepatol 2011;54:695 (PMC3094725)", "Table 1, EASL")


class Viability(StrEnum):
    """The answer for one treated lesion at one scan; NON_PROGRESSING exists after radiation only."""

    NON_VIABLE = "non_viable"
    EQUIVOCAL = "equivocal"
    VIABLE = "viable"
    NON_PROGRESSING = "non_progressing"
    NOT_EVALUABLE = "not_evaluable"


@dataclass(frozen=True, slots=True)
class Scan:
    """A treated lesion at one scan; `enhancing_mm` is the longest diameter of the mass-like part, when measured."""

    on: date
    enhancement: Enhancement
    enhancing_mm: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """The answer at one scan, and why."""

    on: date
    viability: Viability
    reason: str


@dataclass(frozen=True, slots=True)
class TreatedLesion:
    """
    The answers for one lesion over time.

    `residual_on`: viable tumour that no scan since the treatment had shown to be gone. `local_progression_on`: viable
    tumour after a scan without, or growth after radiation, at the first scan that showed it.
    """

    scans: tuple[Judged, ...]
    residual_on: date | None
    local_progression_on: date | None


def judge_treated_lesion(
    modality: str, treated_on: date, scans: Sequence[Scan], *, enhancing_before_mm: Decimal | None = None
) -> TreatedLesion:
    """
    Judge every scan after the treatment of a lesion, in order of date.

    After ablation and embolisation a scan is judged at once. After radiation mass-like enhancement is viable only when
    it grows, and a growth counts once a second scan confirms it; until then it is equivocal. `enhancing_before_mm` is
    the enhancing diameter before treatment. The size of the ablation zone decides nothing: it is larger than the
    tumour was. Made for hepatocellular carcinoma; for metastases it is a description beside RECIST.
    Source: LI_RADS, LOCAL_PROGRESSION; judging radiation by change: LI-RADS treatment response 2024, radiation.
    Raises BadCase for a treatment that is not known, and for scans out of order or before it.
    """
    _check(modality, treated_on, scans)
    if modality in JUDGED_BY_CHANGE:
        return _after_radiation(scans, enhancing_before_mm)
    judged = tuple(_at_once(scan) for scan in scans)
    viable = _first(judged, Viability.VIABLE)
    clear = _first(judged, Viability.NON_VIABLE)
    was_clear = viable is not None and clear is not None and clear < viable
    return TreatedLesion(judged, None if was_clear else viable, viable if was_clear else None)


def _check(modality: str, treated_on: date, scans: Sequence[Scan]) -> None:
    if modality not in JUDGED_AT_ONCE | JUDGED_BY_CHANGE:
        known = ", ".join(sorted(JUDGED_AT_ONCE | JUDGED_BY_CHANGE))
        raise BadCase("modality", modality, f"says nothing about viability: write one of {known}")
    before = treated_on
    for number, scan in enumerate(scans):
        if scan.on <= before:
            raise BadCase(f"scans.{number}.on", scan.on, "is not after the one before it, or not after the treatment")
        if scan.enhancing_mm is not None and scan.enhancing_mm < 0:
            raise BadCase(f"scans.{number}.enhancing_mm", scan.enhancing_mm, "a diameter is not negative: correct it")
        before = scan.on


def _first(judged: Sequence[Judged], viability: Viability) -> date | None:
    return next((one.on for one in judged if one.viability is viability), None)


_AT_ONCE = {
    Enhancement.NONE: (Viability.NON_VIABLE, "no enhancement"),
    Enhancement.EXPECTED: (Viability.NON_VIABLE, "only what is expected after treatment enhances"),
    Enhancement.ATYPICAL: (Viability.EQUIVOCAL, "enhancement that is neither expected nor that of viable tumour"),
    Enhancement.MASSLIKE: (Viability.VIABLE, "nodular, mass-like or thick irregular enhancement"),
    Enhancement.NOT_EVALUABLE: (Viability.NOT_EVALUABLE, "not evaluable"),
}


def _at_once(scan: Scan) -> Judged:
    return Judged(scan.on, *_AT_ONCE[scan.enhancement])


def _after_radiation(scans: Sequence[Scan], enhancing_before_mm: Decimal | None) -> TreatedLesion:
    judged: list[Judged] = []
    smallest_mm = enhancing_before_mm
    growing_since: date | None = None
    progression_on: date | None = None
    for scan in scans:
        if scan.enhancement is not Enhancement.MASSLIKE:
            judged.append(_at_once(scan))
            if scan.enhancement in {Enhancement.NONE, Enhancement.EXPECTED}:
                smallest_mm, growing_since = Decimal(0), None
        elif scan.enhancing_mm is None or smallest_mm is None:
            judged.append(Judged(scan.on, Viability.EQUIVOCAL, "without two diameters a change cannot be told"))
            smallest_mm = scan.enhancing_mm if smallest_mm is None else smallest_mm
        elif scan.enhancing_mm <= smallest_mm:
            judged.append(Judged(scan.on, Viability.NON_PROGRESSING, "mass-like enhancement, stable or smaller"))
            smallest_mm, growing_since = scan.enhancing_mm, None
        elif growing_since is None:
            judged.append(Judged(scan.on, Viability.EQUIVOCAL, "mass-like enhancement has grown: confirm by a scan"))
            growing_since = scan.on
        else:
            judged.append(Judged(scan.on, Viability.VIABLE, f"mass-like enhancement has grown since {growing_since}"))
            progression_on = progression_on or growing_since
    return TreatedLesion(tuple(judged), None, progression_on)


def easl_response(
    *, baseline_mm2: Decimal, smallest_mm2: Decimal, current_mm2: Decimal, new_enhancement_in_treated_lesion: bool
) -> Response:
    """
    Compare summed products of two perpendicular diameters of the enhancing parts, in square millimetres.

    PD: new enhancement in a treated lesion, or more than 25 % above the smallest sum. CR: nothing enhances. PR: at
    least 50 % below the baseline. The table does not say whether 25 % counts from the baseline or from the best
    response; it is read as WHO's, from the best response. Source: EASL.
    """
    if new_enhancement_in_treated_lesion:
        return Response.PD
    if current_mm2 == 0:
        return Response.CR
    if 4 * current_mm2 > 5 * smallest_mm2:
        return Response.PD
    return Response.PR if 2 * current_mm2 <= baseline_mm2 else Response.SD
