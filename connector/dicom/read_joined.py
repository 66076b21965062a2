"""Several descriptions of one lesion become one; two lesions under one tracking UID are told, and given no size."""

from dataclasses import replace

from connector.core.case import LesionMeasurement, LesionState


def joined(known: LesionMeasurement, more: LesionMeasurement, *, compare: bool = True) -> LesionMeasurement:
    """
    Complete one description of a lesion by another of the same study; where both speak, the first one stands.

    With `compare` a difference is flagged: two reports must agree, a caliper and a segmentation never quite do.
    """
    differ = [
        name
        for name in ("long_axis_mm", "short_axis_mm", "role")
        if compare and getattr(known, name) is not None and getattr(more, name) not in {None, getattr(known, name)}
    ]
    flags = [f"{name} differs between two descriptions of this lesion in one study: check" for name in differ]
    return replace(
        known,
        site=known.site if known.site != "other" else more.site,
        site_code=known.site_code or more.site_code,
        lymph_node=known.lymph_node or more.lymph_node,
        role=known.role or more.role,
        state=more.state if known.state is LesionState.PRESENT and known.long_axis_mm is None else known.state,
        long_axis_mm=known.long_axis_mm if known.long_axis_mm is not None else more.long_axis_mm,
        short_axis_mm=known.short_axis_mm if known.short_axis_mm is not None else more.short_axis_mm,
        volume_ml=known.volume_ml if known.volume_ml is not None else more.volume_ml,
        liver_lobe=known.liver_lobe or more.liver_lobe,
        segment_number=known.segment_number if known.segment_number is not None else more.segment_number,
        slice_thickness_mm=known.slice_thickness_mm or more.slice_thickness_mm,
        flags=tuple(dict.fromkeys((*known.flags, *more.flags, *flags))),
        centroid_mm=known.centroid_mm or more.centroid_mm,
        viable_mm=known.viable_mm if known.viable_mm is not None else more.viable_mm,
        viable_across_mm=known.viable_across_mm if known.viable_mm is not None else more.viable_across_mm,
        enhancement=known.enhancement or more.enhancement,
        uptake=known.uptake or more.uptake,
        conflicts=known.conflicts or (() if _has_diameter(known) else more.conflicts),
    )


def _has_diameter(lesion: LesionMeasurement) -> bool:
    return lesion.long_axis_mm is not None or lesion.short_axis_mm is not None


def joined_in_one_report(known: LesionMeasurement, more: LesionMeasurement) -> LesionMeasurement:
    """
    Complete one description of a lesion by another of the same report, unless they are of two lesions.

    A reader measures a lesion once at a visit: two diameters or two organs are two lesions under one tracking UID, and
    so is one that is both gone and there.
    """
    conflicts = [
        f"{words} {one} and {other}"
        for name, words in (("long_axis_mm", "long axis in mm"), ("short_axis_mm", "short axis in mm"))
        if None not in (one := getattr(known, name), other := getattr(more, name)) and one != other
    ]
    if known.site != more.site and "other" not in {known.site, more.site}:
        conflicts.append(f"in {known.site} and in {more.site}")
    states = {known.state, more.state} - {LesionState.PRESENT}
    if LesionState.ABSENT in states and len(states) > 1:
        conflicts.append("both absent and there")
    both = joined(known, more, compare=False)
    return in_conflict(both, *conflicts) if conflicts or both.conflicts else both


def in_conflict(lesion: LesionMeasurement, *conflicts: str) -> LesionMeasurement:
    """Keep a lesion whose tracking UID two lesions carry, without a size: no number is taken for the right one."""
    flags = (f"its tracking UID is there twice: {conflict}" for conflict in conflicts)
    return replace(
        lesion,
        state=LesionState.PRESENT,
        long_axis_mm=None,
        short_axis_mm=None,
        volume_ml=None,
        flags=tuple(dict.fromkeys((*lesion.flags, *flags))),
        conflicts=tuple(dict.fromkeys((*lesion.conflicts, *conflicts))),
    )


def as_viable(part: LesionMeasurement) -> LesionMeasurement:
    """What was measured of the enhancing part says nothing of the size of the lesion that it is part of."""
    return replace(
        part,
        state=LesionState.PRESENT,
        long_axis_mm=None,
        short_axis_mm=None,
        volume_ml=None,
        viable_mm=part.long_axis_mm,
        viable_across_mm=part.short_axis_mm,
    )
