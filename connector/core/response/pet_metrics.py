"""What FDG-PET says of a tumour before and after treatment: SUVmax, SUVpeak, functional tumour volume, glycolysis."""

from dataclasses import dataclass
from decimal import Decimal
from math import isfinite, pi

import numpy as np
from numpy.typing import NDArray

from connector.core.case import Uptake
from connector.core.errors import ImpossibleInput
from connector.core.evidence import Citation
from connector.core.response.recist_1_1 import change_percent
from connector.core.sources import ANBARI_2023

PET_AFTER_RADIOEMBOLISATION = ANBARI_2023.at(
    "section 9.2",
    "calculation of SUVmax (Standardized Uptake Value), FTV (Functional Tumor Volume), and TLG (Total Lesion "
    "Glycolysis) and comparing them with the result of pre-treatment functional imaging",
)
ISOCONTOUR = Citation("EANM FDG-PET/CT guideline 2.0 (Boellaard 2015)", "41 % of the maximum pixel value")
ISOCONTOUR_PERCENT = 41
PEAK = Citation("PERCIST 1.0 (Wahl 2009)", "SUVpeak: mean in a sphere of 1 cm3")
_PEAK_RADIUS_MM = 10 * (3 / (4 * pi)) ** (1 / 3)  # of 1 cm3

Spacing = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class PetChange:
    """
    Changes in percent of the value before, one decimal, for reading; None when that was zero or one is not known.

    No response category: the source names the metrics and gives no thresholds.
    """

    suv_max_percent: str | None
    suv_peak_percent: str | None
    functional_volume_percent: str | None
    tlg_percent: str | None
    flags: tuple[str, ...] = ()


def pet_metrics(
    suv: NDArray[np.float32], mask: NDArray[np.bool_], *, spacing_mm: Spacing, threshold_suv: float | None = None
) -> Uptake:
    """
    Measure the tumour inside a mask of the image's shape, both [plane, row, column].

    A voxel at the threshold counts as functional tumour. The source gives no threshold: without `threshold_suv` it is
    41 % of the tumour's maximum (ISOCONTOUR); before and after it must be found in one way. Raises ImpossibleInput for
    an empty mask, values that are no uptake, and a threshold or voxel that is not above zero.
    Source: PET_AFTER_RADIOEMBOLISATION; PEAK.
    """
    inside = suv[mask]
    if inside.size == 0:
        raise ImpossibleInput("the tumour has no voxel on the PET image: check that both are of one study")
    if not np.isfinite(inside).all():
        raise ImpossibleInput("the PET image holds values that are not numbers: read it again")
    suv_max = float(inside.max())
    if not all(isfinite(step) and step > 0 for step in spacing_mm):
        raise ImpossibleInput("the voxels of the PET image have no volume: read it again")
    if threshold_suv is not None and not (isfinite(threshold_suv) and threshold_suv > 0):
        raise ImpossibleInput("the threshold of functional tumour is above zero: correct it")
    threshold = suv_max * ISOCONTOUR_PERCENT / 100 if threshold_suv is None else threshold_suv
    functional = inside[(inside >= np.float32(threshold)) & (inside > 0)]
    voxel_volume_ml = spacing_mm[0] * spacing_mm[1] * spacing_mm[2] / 1000
    # Summed in double precision: a large tumour has more voxels than single precision has steps.
    total = float(functional.sum(dtype=np.float64))
    return Uptake(
        suv_max=suv_max,
        suv_peak=_peak(suv, mask, spacing_mm),
        suv_mean=total / functional.size if functional.size else 0.0,
        functional_volume_ml=functional.size * voxel_volume_ml,
        tlg_g=total * voxel_volume_ml,
        functional_by=f"{ISOCONTOUR_PERCENT} % of SUVmax" if threshold_suv is None else f"SUV {threshold_suv:g}",
    )


def _peak(suv: NDArray[np.float32], mask: NDArray[np.bool_], spacing_mm: Spacing) -> float:
    """Find the highest mean in a sphere of 1 cm3 around a voxel of the tumour; what leaves the image is left out."""
    reach = [int(_PEAK_RADIUS_MM // step) for step in spacing_mm]
    box = np.stack(np.meshgrid(*(np.arange(-far, far + 1) for far in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    offsets = box[np.sum((box * np.asarray(spacing_mm)) ** 2, axis=1) <= _PEAK_RADIUS_MM**2]
    centres = np.argwhere(mask)
    total, count = np.zeros(len(centres)), np.zeros(len(centres))
    for offset in offsets:
        at = centres + offset
        within = ((at >= 0) & (at < suv.shape)).all(axis=1)
        found = at[within]
        total[within] += suv[found[:, 0], found[:, 1], found[:, 2]]
        count[within] += 1
    return float((total / count).max())


def pet_change(before: Uptake, after: Uptake) -> PetChange:
    """Compare a tumour with itself before treatment. Source: PET_AFTER_RADIOEMBOLISATION."""
    comparable = before.functional_by == after.functional_by
    other = "other_threshold: volume and glycolysis were cut in different ways, so they do not compare"
    return PetChange(
        suv_max_percent=_percent(before.suv_max, after.suv_max),
        suv_peak_percent=_percent(before.suv_peak, after.suv_peak),
        functional_volume_percent=_percent(before.functional_volume_ml, after.functional_volume_ml),
        tlg_percent=_percent(before.tlg_g, after.tlg_g),
        flags=() if comparable else (other,),
    )


def _percent(before: float | None, after: float | None) -> str | None:
    if before is None or after is None:
        return None
    return change_percent(now=Decimal(after), before=Decimal(before))
