"""What the images alone say about the liver, under the names of the fact catalogue."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from connector.core.case import FactValue, LesionMeasurement, LesionState, TimePoint
from connector.core.evidence import Observed

_PRESENT = {LesionState.MEASURED, LesionState.TOO_SMALL, LesionState.PRESENT, LesionState.UNEQUIVOCAL_PROGRESSION}


def imaging_facts(time_point: TimePoint, *, today: date) -> dict[str, Observed[FactValue]]:
    """
    Derive liver facts from one time point; a fact the images do not settle is left out, never guessed.

    A segmentation counts every lesion. A measurement report lists at most two targets of an organ (RECIST 1.1, section
    4.1.2), so from a report alone only a single lesion is a count. Lobes are named only when every lesion's lobe is
    known, or when both lobes are seen; the burden only when the whole liver was segmented. Nothing is counted while two
    lesions share a tracking UID.
    """
    origin = time_point.study_instance_uid
    on = time_point.studied_on
    facts: dict[str, Observed[FactValue]] = {}

    def add(name: str, value: FactValue) -> None:
        facts[name] = Observed(value, origin, on)

    liver = [lesion for lesion in time_point.lesions if lesion.site == "liver" and lesion.state in _PRESENT]
    counted = not any(lesion.conflicts for lesion in time_point.lesions)
    if today >= on:
        add("liver_imaging_age_days", (today - on).days)
    if liver and counted:
        if len(liver) == 1 or any(lesion.segment_number is not None for lesion in liver):
            add("liver_lesion_count", len(liver))
        diameters = tuple(sorted((lesion.long_axis_mm for lesion in liver if lesion.long_axis_mm), reverse=True))
        if len(diameters) == len(liver):
            if "liver_lesion_count" in facts:
                add("liver_lesion_diameters_mm", diameters)
            add("liver_lesion_largest_diameter_mm", diameters[0])
        lobes = _lobes(liver)
        if lobes:
            add("liver_lobes_involved", lobes)
    elif counted and time_point.liver_volume_ml is not None:
        add("liver_lesion_count", 0)
    if time_point.liver_volume_ml and time_point.liver_tumour_volume_ml is not None:
        percent = time_point.liver_tumour_volume_ml * 100 / time_point.liver_volume_ml
        add("liver_tumour_burden_percent", percent.quantize(Decimal("0.01")))
    return facts


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
