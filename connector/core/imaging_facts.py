"""What the images alone say about liver, lung and bone, under the names of the fact catalogue."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from connector.core.assessment import Finding
from connector.core.case import FactValue, LesionMeasurement, LesionState, StructureGap, TimePoint
from connector.core.evidence import Observed

_NEAR = {
    "bile duct": "liver_lesion_near_bile_duct",
    "hilum": "liver_lesion_at_hilum",
    "large vessel": "liver_lesion_near_large_vessel",
}
_PRESENT = {LesionState.MEASURED, LesionState.TOO_SMALL, LesionState.PRESENT, LesionState.UNEQUIVOCAL_PROGRESSION}


def imaging_facts(time_point: TimePoint, *, today: date) -> dict[str, Observed[FactValue]]:
    """
    Derive facts of an organ from one time point; a fact the images do not settle is left out, never guessed.

    A segmentation counts every lesion. A measurement report lists at most two targets of an organ (RECIST 1.1, section
    4.1.2), so from a report alone only a single lesion is a count. Lobes are named only when every lesion's lobe is
    known, or when both lobes are seen; the burden only when the whole liver was segmented. Nothing is counted while two
    lesions share a tracking UID. That lungs or bones are free no image settles here.
    """
    origin = time_point.study_instance_uid
    on = time_point.studied_on
    facts: dict[str, Observed[FactValue]] = {}

    def add(name: str, value: FactValue) -> None:
        facts[name] = Observed(value, origin, on)

    if today >= on:
        add("liver_imaging_age_days", (today - on).days)
    if not any(lesion.conflicts for lesion in time_point.lesions):
        for name, value in {**_of_liver(time_point), **_of_lung_and_bone(time_point)}.items():
            add(name, value)
    if time_point.liver_volume_ml and time_point.liver_tumour_volume_ml is not None:
        percent = time_point.liver_tumour_volume_ml * 100 / time_point.liver_volume_ml
        add("liver_tumour_burden_percent", percent.quantize(Decimal("0.01")))
    return facts


def _of_liver(time_point: TimePoint) -> dict[str, FactValue]:
    lesions = _present(time_point, "liver")
    if not lesions:
        return {"liver_lesion_count": 0} if time_point.liver_volume_ml is not None else {}
    found: dict[str, FactValue] = {}
    if _are_all(lesions):
        found["liver_lesion_count"] = len(lesions)
    if diameters := _diameters(lesions):
        if "liver_lesion_count" in found:
            found["liver_lesion_diameters_mm"] = diameters
        found["liver_lesion_largest_diameter_mm"] = diameters[0]
    if lobes := _lobes(lesions):
        found["liver_lobes_involved"] = lobes
    return found


def _of_lung_and_bone(time_point: TimePoint) -> dict[str, FactValue]:
    found: dict[str, FactValue] = {}
    for site in ("lung", "bone"):
        lesions = _present(time_point, site)
        if _are_all(lesions):
            found[f"{site}_lesion_count"] = len(lesions)
        if site == "lung" and (diameters := _diameters(lesions)):
            found["lung_lesion_largest_diameter_mm"] = diameters[0]
    return found


def _present(time_point: TimePoint, site: str) -> list[LesionMeasurement]:
    return [lesion for lesion in time_point.lesions if lesion.site == site and lesion.state in _PRESENT]


def _are_all(lesions: Sequence[LesionMeasurement]) -> bool:
    """Whether these are all lesions of their organ: a segmentation shows each, a report one when it lists only one."""
    return len(lesions) == 1 or any(lesion.segment_number is not None for lesion in lesions)


def _diameters(lesions: Sequence[LesionMeasurement]) -> tuple[Decimal, ...]:
    """The longest diameters, largest first; nothing while one is not known."""
    known = sorted((lesion.long_axis_mm for lesion in lesions if lesion.long_axis_mm), reverse=True)
    return tuple(known) if len(known) == len(lesions) else ()


def nearness_facts(gaps: Sequence[StructureGap], on: date) -> dict[str, Observed[FactValue]]:
    """
    Tell which structures a liver lesion touches, under the names of the fact catalogue; a way between settles nothing.

    The papers give no distance: what counts is whether the structure lies inside the planned ablation zone. That zone
    holds the whole lesion, so it reaches what the lesion touches; any other distance is told, and a person judges it.

    Source: nervo_2021, ablative techniques ("when the bile duct wall lies within").
    """
    return {_NEAR[gap.structure]: Observed(True, gap.origin, on) for gap in gaps if gap.gap_mm == 0}


def gap_findings(gaps: Sequence[StructureGap]) -> tuple[Finding, ...]:
    """Put each measured distance into words; which of them is too near is for the radiologist."""
    return tuple(
        Finding(
            "anatomy",
            f"{gap.lesion} touches the segmented {gap.structure}"
            if gap.gap_mm == 0
            else f"{gap.lesion} is of the liver lesions that are segmented on its grid the nearest to the "
            f"{gap.structure}: {gap.gap_mm} mm apart, border to border; whether that is inside the planned ablation "
            "zone is for the radiologist to say",
            origins=(gap.origin,),
        )
        for gap in gaps
    )


def _lobes(liver: list[LesionMeasurement]) -> str | None:
    known = {lesion.liver_lobe for lesion in liver}
    if {"left", "right"} <= known:
        return "bilobar"
    return "unilobar" if None not in known else None


def joined(
    record: Mapping[str, Observed[FactValue]], imaging: Mapping[str, Observed[FactValue]]
) -> tuple[dict[str, Observed[FactValue]], tuple[str, ...]]:
    """
    Join what the record and the images say.

    Where both speak of one fact and differ, the fact is left out and named: a person decides which side is right.
    """
    facts = {**imaging, **record}
    disputed = tuple(
        sorted(name for name in record.keys() & imaging.keys() if record[name].value != imaging[name].value)
    )
    for name in disputed:
        del facts[name]
    return facts, disputed
