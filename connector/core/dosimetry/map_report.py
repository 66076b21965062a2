"""The statistics of a dose map: every region's doses, what they mean for its tissue, and how sure they are."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from connector.core.assessment import DoseReport, RegionDose
from connector.core.case import ActivityMap, Region, VolumeGeometry
from connector.core.dosimetry.constants import Constants
from connector.core.dosimetry.dvh import DoseVolume, dose_volume
from connector.core.dosimetry.map_findings import Situation, dose_findings
from connector.core.dosimetry.map_uncertainty import CALIBRATION_FRACTION, region_interval
from connector.core.dosimetry.radiobiology import Tissue, beds_gy, eqd2_gy, eubed_gy, geud_gy, tissue_of_kind
from connector.core.geometry.crops import Crop, crop_of

DOSE_LEVELS_GY = ("20", "30", "40", "50", "70", "100", "120", "150", "200")
NORMAL_LIVER = "normal liver"


@dataclass(frozen=True, slots=True)
class RegionOptions:
    """
    What a caller may choose for the statistics.

    By region name: more dose levels of V_x in Gy, and the tissue of BED and gEUD. For all: the relative standard
    uncertainty of the calibration, and the situation whose guideline rows the doses are compared with.
    """

    more_levels_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tissue_of: Mapping[str, Tissue] = field(default_factory=dict)
    calibration_fraction: float = CALIBRATION_FRACTION
    situation: Situation | None = None


DEFAULT_OPTIONS = RegionOptions()


@dataclass(frozen=True, slots=True, eq=False)
class Deposit:
    """
    The dose map before its statistics, and what is needed to make them.

    `dose_gy` is local deposition in tissue and lung; `crops` are the regions on the activity's grid, None where
    nothing of one is on it.
    """

    dose_gy: NDArray[np.float32]
    crops: tuple[Crop | None, ...]
    lung: NDArray[np.bool_] | None
    scale: float
    warnings: tuple[str, ...]


def report(
    activity: ActivityMap,
    regions: Sequence[Region],
    deposit: Deposit,
    *,
    method: str,
    constants: Constants,
    options: RegionOptions = DEFAULT_OPTIONS,
) -> DoseReport:
    """Make the statistics of every region; one without a voxel in the map is left out, and said."""
    statistics = _Statistics(deposit.dose_gy, activity.geometry, float(constants.half_life_h), options)
    doses: dict[int, RegionDose] = {}
    missed: list[str] = []
    for place, (region, crop) in enumerate(zip(regions, deposit.crops, strict=True)):
        if crop is None:
            missed.append(f"region {region.number} has no voxel on the grid of the activity: it is not reported")
        else:
            doses[place] = statistics.of(region, crop)
    normal = _normal_liver(regions, deposit, statistics)
    situation = options.situation
    return DoseReport(
        method=method,
        constants=constants.as_text(),
        scale=deposit.scale,
        nuclide=constants.nuclide,
        decay_reference=activity.decay_reference,
        decay_hours=activity.decay_hours,
        dose_gy=deposit.dose_gy,
        geometry=activity.geometry,
        regions=tuple(doses.values()),
        study_instance_uid=activity.study_instance_uid,
        series_instance_uid=activity.series_instance_uid,
        sop_instance_uids=activity.sop_instance_uids,
        warnings=(*activity.warnings, *deposit.warnings, *missed),
        normal_liver=normal,
        findings=()
        if situation is None
        else dose_findings(
            situation,
            tumours=[dose for place, dose in doses.items() if regions[place].kind == "lesion"],
            normal_liver=normal,
            perfused=next((dose for place, dose in doses.items() if regions[place].kind == "liver"), None),
        ),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Statistics:
    """Makes the statistics of one region after the other, all of one map."""

    dose_gy: NDArray[np.float32]
    geometry: VolumeGeometry
    half_life_h: float
    options: RegionOptions

    def of(self, region: Region, crop: Crop) -> RegionDose:
        """Statistics of one region from its own box of the map."""
        volume = dose_volume(self.dose_gy, crop)
        options, voxel_ml = self.options, self.geometry.voxel_volume_ml
        levels = dict.fromkeys((*DOSE_LEVELS_GY, *options.more_levels_of.get(region.name, ())))
        tissue = options.tissue_of.get(region.name, tissue_of_kind(region.kind))
        known = region_interval(self.dose_gy, crop, calibration_fraction=options.calibration_fraction)
        return RegionDose(
            name=region.name,
            volume_ml=volume.count * voxel_ml,
            mean_gy=volume.mean_gy,
            min_gy=volume.min_gy,
            max_gy=volume.max_gy,
            d2_gy=volume.dose_to_hottest_gy(2),
            d50_gy=volume.dose_to_hottest_gy(50),
            d70_gy=volume.dose_to_hottest_gy(70),
            d95_gy=volume.dose_to_hottest_gy(95),
            d98_gy=volume.dose_to_hottest_gy(98),
            v_fraction={level: volume.volume_fraction_at(float(level)) for level in levels},
            tracking_uid=region.tracking_uid,
            origin=region.origin,
            number=region.number,
            mean_interval_gy=known.mean_gy,
            volume_interval_ml=(known.voxels[0] * voxel_ml, known.voxels[1] * voxel_ml),
            **self._effect(volume, tissue),
        )

    def _effect(self, volume: DoseVolume, tissue: Tissue) -> dict[str, Any]:
        """What the dose means for a tissue; empty where no parameters are cited or given."""
        effect: dict[str, Any] = {}
        beds = beds_gy(volume.sorted_gy, tissue=tissue, effective_half_life_h=self.half_life_h)
        if beds is not None and tissue.alpha_beta_gy is not None:
            bed = float(beds.mean())
            effect |= {"bed_gy": bed, "eqd2_gy": eqd2_gy(bed, alpha_beta_gy=tissue.alpha_beta_gy)}
            effect["tissue_source"] = str(tissue.source)
            if tissue.alpha_per_gy is not None:
                effect["eubed_gy"] = eubed_gy(beds, alpha_per_gy=tissue.alpha_per_gy)
        if tissue.geud_exponent is not None:
            effect["geud_gy"] = geud_gy(volume.sorted_gy, exponent=tissue.geud_exponent)
        return effect


def _normal_liver(regions: Sequence[Region], deposit: Deposit, statistics: _Statistics) -> RegionDose | None:
    """The drawn liver without every drawn lesion."""
    geometry = statistics.geometry
    liver = joined(regions, deposit.crops, {"liver"}, geometry)
    lesions = joined(regions, deposit.crops, {"lesion"}, geometry)
    if liver is None or lesions is None:
        return None
    crop = crop_of(liver & ~lesions)
    if crop is None:
        return None
    made = statistics.of(Region(NORMAL_LIVER, "liver", crop.mask, geometry, "", 0), crop)
    return replace(made, origin=None, number=None)  # it was drawn nowhere


def joined(
    regions: Sequence[Region], crops: Sequence[Crop | None], kinds: Collection[str], grid: VolumeGeometry
) -> NDArray[np.bool_] | None:
    """All voxels of the regions of some kinds, as a mask of the whole grid; None when no such region was drawn."""
    chosen = [crop for region, crop in zip(regions, crops, strict=True) if region.kind in kinds]
    if not chosen:
        return None
    union = np.zeros(grid.shape, dtype=bool)
    for crop in chosen:
        if crop is not None:
            union[crop.box] |= crop.mask
    return union
