"""Absorbed dose of every voxel by local deposition: the default, because a PET image is already blurred by more."""

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from connector.core.assessment import DoseReport
from connector.core.case import ActivityMap, Region, VolumeGeometry
from connector.core.dosimetry.constants import Constants, is_planned_for
from connector.core.dosimetry.map_report import DEFAULT_OPTIONS, Deposit, RegionOptions, joined, report
from connector.core.errors import ImpossibleInput
from connector.core.geometry.crops import Crop, crop_on_grid
from connector.core.nuclides import NUCLIDES
from connector.core.units import GBQ_PER_L_PER_BQ_PER_ML

LOCAL_DEPOSITION = "local_deposition"
# Between image and assayed activity: what phantom studies of Y-90 PET find without a fault of the scan.
PLAUSIBLE_SCALE = (0.8, 1.25)
# Nuclides that stand for the microspheres before treatment and have no dose of their own here.
SURROGATES = frozenset({"Tc-99m"})


def local_deposition(
    activity: ActivityMap,
    regions: Sequence[Region],
    *,
    constants: Constants,
    scale_to_gbq: Decimal | None,
    options: RegionOptions = DEFAULT_OPTIONS,
) -> DoseReport:
    """
    Absorbed dose in Gy when every decay gives its energy where it happens.

    D = k c / density, with permanent trapping assumed and the map's concentration c at the administration: the reader
    brought it there, and it is not done twice. Lung regions have the lung's density; a voxel in lung and liver is
    liver. `scale_to_gbq` is the activity at administration that the perfused liver (all liver and lesion regions; the
    whole map when there is no liver region) really holds: it is applied once and recorded, and is needed for counts and
    for Tc-99m. Negative voxels are set to 0 and counted in the warnings. Raises ImpossibleInput, naming what is needed.
    Source: EANM standard operating procedure for microspheres (Levillain 2021) and the reference in `constants`.
    """
    deposit = deposit_locally(activity, regions, constants=constants, scale_to_gbq=scale_to_gbq)
    return report(activity, regions, deposit, method=LOCAL_DEPOSITION, constants=constants, options=options)


def deposit_locally(
    activity: ActivityMap, regions: Sequence[Region], *, constants: Constants, scale_to_gbq: Decimal | None
) -> Deposit:
    """Make the local dose map; see `local_deposition`."""
    _check(activity, constants, scale_to_gbq)
    crops = tuple(crop_on_grid(region.mask, region.geometry, activity.geometry)[0] for region in regions)
    concentration, warnings = _without_negatives(activity.concentration_bq_per_ml)
    scale = 1.0
    if scale_to_gbq is not None:
        found = _activity_gbq(concentration, _perfused(regions, crops, activity.geometry), activity.geometry)
        scale, warning = _scale(activity, found, float(scale_to_gbq))
        warnings += warning
    elif activity.administered_activity_gbq is not None:
        found = _activity_gbq(concentration, _perfused(regions, crops, activity.geometry), activity.geometry)
        warnings += _against_the_given(found, float(activity.administered_activity_gbq))
    gy_per_bq_ml = constants.energy_per_activity_j_gbq * GBQ_PER_L_PER_BQ_PER_ML / constants.tissue_density_kg_l
    dose = np.multiply(concentration, np.float32(float(gy_per_bq_ml) * scale), dtype=np.float32)
    lung = _lung(regions, crops, activity.geometry)
    if lung is not None:
        dose[lung] *= np.float32(constants.tissue_density_kg_l / constants.lung_density_kg_l)
    return Deposit(dose, crops, lung, scale, warnings)


def _check(activity: ActivityMap, constants: Constants, scale_to_gbq: Decimal | None) -> None:
    surrogate = activity.nuclide in SURROGATES
    if surrogate and scale_to_gbq is None:
        raise ImpossibleInput(
            f"a {activity.nuclide} image stands for microspheres and holds no dose of its own: "
            "give the activity they will bring to the liver with --scale-to-gbq"
        )
    if not activity.quantitative and scale_to_gbq is None:
        raise ImpossibleInput(
            "the image holds counts, not Bq/mL: send a quantitative series (Units BQML), "
            "or give the activity in the liver with --scale-to-gbq"
        )
    if not surrogate and not is_planned_for(activity.nuclide):
        trapped = ", ".join(sorted(name for name in NUCLIDES if is_planned_for(name)))
        raise ImpossibleInput(
            f"one image of {activity.nuclide} does not tell an absorbed dose, for it moves on: "
            f"fit several time points (`connector dose fit`), or send {trapped} microspheres"
        )
    if not surrogate and activity.nuclide != constants.nuclide:
        raise ImpossibleInput(
            f"the image is of {activity.nuclide} and the constants are of {constants.nuclide}: take those of the image"
        )
    if scale_to_gbq is not None and scale_to_gbq <= 0:
        raise ImpossibleInput(f"scale_to_gbq = {scale_to_gbq}: an activity above 0 GBq is needed")
    if activity.concentration_bq_per_ml.shape != activity.geometry.shape:
        raise ImpossibleInput("the activity and its geometry have different shapes: the series was read in part")


def _without_negatives(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Reconstructions leave values below 0 that no activity can have: set to 0, and said."""
    lowest, highest = float(values.min()), float(values.max())
    if not np.isfinite(lowest) or not np.isfinite(highest):
        raise ImpossibleInput("the activity holds a voxel that is not a number: reconstruct or export the series again")
    if highest <= 0:
        raise ImpossibleInput("no voxel holds an activity above 0: check the series and its rescaling")
    if lowest >= 0:
        return values, ()
    count = int(np.count_nonzero(values < 0))
    return np.maximum(values, np.float32(0)), (f"{count} voxels below 0 (lowest {lowest:.4g}) were set to 0",)


def _perfused(
    regions: Sequence[Region], crops: Sequence[Crop | None], grid: VolumeGeometry
) -> NDArray[np.bool_] | None:
    """Liver and the lesions in or at it; None (the whole map) when no liver was drawn."""
    if not any(region.kind == "liver" for region in regions):
        return None
    return joined(regions, crops, {"liver", "lesion"}, grid)


def _lung(regions: Sequence[Region], crops: Sequence[Crop | None], grid: VolumeGeometry) -> NDArray[np.bool_] | None:
    """Voxels of lung; those that are also drawn as liver belong to the liver."""
    lung = joined(regions, crops, {"lung"}, grid)
    liver = joined(regions, crops, {"liver"}, grid)
    return lung if lung is None or liver is None else lung & ~liver


def _activity_gbq(
    concentration: NDArray[np.float32], mask: NDArray[np.bool_] | None, geometry: VolumeGeometry
) -> float:
    inside = concentration if mask is None else concentration[mask]
    return float(inside.sum(dtype=np.float64)) * geometry.voxel_volume_ml * 1e-9


def _scale(activity: ActivityMap, found_gbq: float, wanted_gbq: float) -> tuple[float, tuple[str, ...]]:
    if found_gbq <= 0:
        raise ImpossibleInput("there is no activity to scale in the liver: check that the regions fit the image")
    if activity.quantitative and activity.nuclide not in SURROGATES:
        return wanted_gbq / found_gbq, _against_the_given(found_gbq, wanted_gbq)
    return wanted_gbq / found_gbq, ()


def _against_the_given(found_gbq: float, given_gbq: float) -> tuple[str, ...]:
    """A warning when the image and the assay tell different activities; neither is changed by it."""
    low, high = PLAUSIBLE_SCALE
    if low * found_gbq <= given_gbq <= high * found_gbq:
        return ()
    warning = (
        f"the liver of the image holds {found_gbq:.4g} GBq at the administration where {given_gbq:.4g} GBq were given: "
        "check calibration, decay correction, shunt and regions"
    )
    return (warning,)
