"""What the board report says of absorbed dose: statistics of each region, method and warnings."""

from typing import Any

from connector.core.assessment import Assessment, DoseReport, RegionDose
from connector.report import words
from connector.report.room import AMPLE, Room

Content = dict[str, Any]

MOST_REGIONS_IN_SHORT = 5
AXIAL, CORONAL = 0, 1  # along which axis of a dose map a picture cuts


def dose(assessment: Assessment, room: Room = AMPLE) -> Content:
    """A row for each region, and how the map was made."""
    report = assessment.dose
    if report is None:
        return {"absent": f"{_undecided(assessment)}."}
    hidden = len(report.regions) - room.regions
    return {
        "absent": "",
        "rows": [_region(region) for region in (*report.regions[: room.regions], *_normal(report))],
        "findings": [f"{finding.text} [{finding.source}]" for finding in report.findings],
        "note": words.left_out(hidden, "region") if hidden > 0 else "",
        "method": _method(report),
        "warnings": list(report.warnings),
        "picture": _in_words(report),
        "picture_percent": room.picture_percent,
    }


def _normal(report: DoseReport) -> tuple[RegionDose, ...]:
    return (report.normal_liver,) if report.normal_liver else ()


def _region(region: RegionDose) -> list[str]:
    doses = (
        region.min_gy, region.max_gy, region.d98_gy, region.d95_gy, region.d70_gy, region.d50_gy,
        region.d2_gy, region.bed_gy, region.geud_gy,
    )  # fmt: skip
    return [region.name, words.tenths(region.volume_ml), _mean(region), *map(words.tenths, doses)]


def _mean(region: RegionDose) -> str:
    """The mean dose with two standard uncertainties."""
    if region.mean_interval_gy is None:
        return words.tenths(region.mean_gy)
    return f"{words.tenths(region.mean_gy)} ± {words.tenths(region.mean_interval_gy[1] - region.mean_gy)}"


def _method(dose: DoseReport) -> str:
    scale = "as measured" if dose.scale == 1 else f"scaled by {dose.scale:.4g}"
    method = dose.method.replace("_", " ")
    sure = " ± is two standard uncertainties (edge of the region, calibration, constants, density of tissue)."
    return (
        f"{dose.nuclide}, {method}; activity {scale}, {words.tenths(dose.decay_hours)} h from administration to the "
        f"reference time ({dose.decay_reference})."
        + (sure if any(region.mean_interval_gy for region in dose.regions) else "")
    )


def _in_words(dose: DoseReport) -> str:
    means = ", ".join(f"{region.name} {words.tenths(region.mean_gy)} Gy" for region in dose.regions)
    return f"Axial and coronal cut with isodose lines, and dose-volume curves. Mean doses: {means or 'no region'}."


def in_short(assessment: Assessment, *, rest: str = "page 2") -> str:
    """The mean doses in a line; `rest` is where those stand that find no room."""
    if assessment.dose is None:
        return _undecided(assessment)
    regions = [f"{region.name} mean {words.tenths(region.mean_gy)} Gy" for region in assessment.dose.regions]
    shown = words.listed(regions, MOST_REGIONS_IN_SHORT, rest) or "no region was drawn"
    return f"{assessment.dose.nuclide}: {shown}"


def _undecided(assessment: Assessment) -> str:
    why = words.undecided(assessment, "absorbed dose")
    return f"Cannot decide: {why or 'needs a quantitative activity map (PET or SPECT) in the assessed study'}"
