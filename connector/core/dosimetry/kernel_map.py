"""Absorbed dose of every voxel by a point kernel: the alternative where the image is sharper than the beta's range."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np

from connector.core.assessment import DoseReport
from connector.core.case import ActivityMap, Region
from connector.core.dosimetry.constants import Constants
from connector.core.dosimetry.convolution import convolved_around
from connector.core.dosimetry.dvh import Slices, joined_box
from connector.core.dosimetry.graves_table import SOURCE
from connector.core.dosimetry.kernel import Spacing, range_mm
from connector.core.dosimetry.map_report import DEFAULT_OPTIONS, Deposit, RegionOptions, report
from connector.core.dosimetry.voxel_map import deposit_locally
from connector.core.errors import ImpossibleInput

KERNEL_CONVOLUTION = "kernel_convolution"
# Spacings are taken to this, so that the same scanner makes one kernel whatever its last decimal says.
SPACING_DIGITS = 3
BLUR_CAUTION = (
    "the kernel blurs an image that the scanner has blurred already: local deposition is the default for PET and SPECT"
)


def kernel_deposition(
    activity: ActivityMap,
    regions: Sequence[Region],
    *,
    constants: Constants,
    scale_to_gbq: Decimal | None,
    options: RegionOptions = DEFAULT_OPTIONS,
) -> DoseReport:
    """
    Absorbed dose in Gy when energy spreads as in tissue of one density (Graves 2019), from the same J/GBq as locally.

    Convolved in all regions but lung and one range around them (the whole map without regions); beyond that, and in
    lung, the dose is local deposition: a tissue kernel has no place in lung. Arguments and errors as
    `local_deposition`; Y-90 only.
    """
    if constants.nuclide != "Y-90":
        raise ImpossibleInput(
            f"there is a dose point kernel for Y-90 only, not {constants.nuclide}: use --method local"
        )
    deposit = deposit_locally(activity, regions, constants=constants, scale_to_gbq=scale_to_gbq)
    spread = _spread(activity, regions, deposit, constants)
    made = report(activity, regions, spread, method=KERNEL_CONVOLUTION, constants=constants, options=options)
    return replace(made, constants={**made.constants, "kernel": str(SOURCE)})


def _spread(activity: ActivityMap, regions: Sequence[Region], deposit: Deposit, constants: Constants) -> Deposit:
    plane, row, column = (round(spacing, SPACING_DIGITS) for spacing in activity.geometry.spacing_mm)
    spacing: Spacing = (plane, row, column)
    density = float(constants.tissue_density_kg_l)
    source = deposit.dose_gy
    if deposit.lung is not None:
        source = np.where(deposit.lung, np.float32(0), source)
    box = _asked(regions, deposit, source.shape)
    answered, blurred = convolved_around(source, box, spacing_mm=spacing, density_kg_l=density)
    dose = deposit.dose_gy  # written over where the kernel answered: no second volume is kept
    warnings = [BLUR_CAUTION]
    if deposit.lung is None:
        dose[answered] = blurred
    else:
        lung = deposit.lung[answered]
        dose[answered] = np.where(lung, dose[answered], blurred)
        crossing = float(blurred[lung].sum(dtype=np.float64)) / max(float(blurred.sum(dtype=np.float64)), 1e-30)
        warnings.append(f"{crossing:.2%} of the energy around the regions crosses into lung and is left out there")
    if any(side.stop - side.start < size for side, size in zip(answered, dose.shape, strict=True)):
        warnings.append(f"beyond {range_mm(density):.1f} mm around the regions the dose is local deposition")
    return replace(deposit, dose_gy=dose, warnings=(*deposit.warnings, *warnings))


def _asked(regions: Sequence[Region], deposit: Deposit, shape: tuple[int, ...]) -> Slices:
    """Smallest box around every region but lung; the whole volume when there is none."""
    boxes = [
        crop.box
        for region, crop in zip(regions, deposit.crops, strict=True)
        if region.kind != "lung" and crop is not None
    ]
    if boxes:
        return joined_box(boxes)
    return slice(0, shape[0]), slice(0, shape[1]), slice(0, shape[2])
