"""What FDG-PET says of a tumour before and after radioembolisation: SUVmax, functional tumour volume, glycolysis."""

from dataclasses import dataclass
from decimal import Decimal
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from connector.core.errors import ImpossibleInput
from connector.core.response.recist_1_1 import change_percent
from connector.core.sources import ANBARI_2023

PET_AFTER_RADIOEMBOLISATION = ANBARI_2023.at(
    "section 9.2",
    "calculation of SUVmax (Standardized Uptake Value), FTV (Functional Tumor Volume), and TLG (Total Lesion "
    "Glycolysis) and comparing them with the result of pre-treatment functional imaging",
)


@dataclass(frozen=True, slots=True)
class PetMetrics:
    """
    One tumour in one PET; `threshold_suv` is what a voxel had to reach to count as functional tumour.

    `suv_mean` is over the functional volume and 0 when that is empty. `tlg_ml` is SUV times millilitres.
    """

    suv_max: float
    suv_mean: float
    functional_volume_ml: float
    tlg_ml: float
    threshold_suv: float


@dataclass(frozen=True, slots=True)
class PetChange:
    """
    Changes in percent of the value before, one decimal, for reading; None when that was zero.

    No response category: the source names the metrics and gives no thresholds.
    """

    suv_max_percent: str | None
    functional_volume_percent: str | None
    tlg_percent: str | None
    flags: tuple[str, ...]


def pet_metrics(
    suv: NDArray[np.float32], mask: NDArray[np.bool_], *, voxel_volume_ml: float, threshold_suv: float
) -> PetMetrics:
    """
    Measure the tumour inside a mask of the image's shape; a voxel at the threshold counts.

    The threshold is the reader's choice, because the source gives none, and must be the same before and after. Raises
    ImpossibleInput for an empty mask, values that are no uptake, and a threshold or voxel that is not above zero.
    Source: PET_AFTER_RADIOEMBOLISATION.
    """
    inside = suv[mask]
    if inside.size == 0:
        raise ImpossibleInput("the tumour has no voxel on the PET image: check that both are of one study")
    if not np.isfinite(inside).all():
        raise ImpossibleInput("the PET image holds values that are not numbers: read it again")
    if not (isfinite(threshold_suv) and threshold_suv > 0 and isfinite(voxel_volume_ml) and voxel_volume_ml > 0):
        raise ImpossibleInput("the threshold and the volume of a voxel are above zero: correct them")
    functional = inside[inside >= threshold_suv]
    # Summed in double precision: a large tumour has more voxels than single precision has steps.
    total = float(functional.sum(dtype=np.float64))
    return PetMetrics(
        suv_max=float(inside.max()),
        suv_mean=total / functional.size if functional.size else 0.0,
        functional_volume_ml=functional.size * voxel_volume_ml,
        tlg_ml=total * voxel_volume_ml,
        threshold_suv=threshold_suv,
    )


def pet_change(before: PetMetrics, after: PetMetrics) -> PetChange:
    """Compare a tumour with itself before treatment. Source: PET_AFTER_RADIOEMBOLISATION."""
    flags = []
    if before.threshold_suv != after.threshold_suv:
        flags.append("other_threshold: volume and glycolysis were cut at different SUVs and do not compare")
    return PetChange(
        suv_max_percent=_percent(before.suv_max, after.suv_max),
        functional_volume_percent=_percent(before.functional_volume_ml, after.functional_volume_ml),
        tlg_percent=_percent(before.tlg_ml, after.tlg_ml),
        flags=tuple(flags),
    )


def _percent(before: float, after: float) -> str | None:
    return change_percent(now=Decimal(after), before=Decimal(before))
