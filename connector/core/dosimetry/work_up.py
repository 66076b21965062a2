"""What a work-up scan tells before treatment: lung shunt, tumour-to-normal ratio, volumes and masses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import numpy as np
import scipy
from numpy.typing import NDArray

from connector.core.case import ActivityMap, FactValue, Region, TimePoint
from connector.core.dosimetry.constants import LIVER_DENSITY_KG_L
from connector.core.dosimetry.map_report import joined
from connector.core.dosimetry.shunt import shunt_cautions, tomographic_shunt_fraction
from connector.core.dosimetry.voxel_map import SURROGATES
from connector.core.errors import ImpossibleInput
from connector.core.evidence import Citation, Observed
from connector.core.geometry.crops import Crop, crop_on_grid
from connector.core.geometry.volumes import volume_ml

SOURCE = Citation(
    "EANM standard operating procedure for microspheres (Levillain 2021)", "tomographic shunt, mean ratio"
)
TOMOGRAPHIC: Literal["tomographic"] = "tomographic"
PLANAR: Literal["planar"] = "planar"
# Finer than counts can be told, and coarse enough that the last bit of a sum changes no digest.
RATIO_QUANTUM = Decimal("0.000001")
_SHUNT = "lung_shunt_fraction"
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class WorkUp:
    """
    One scan's answers; None where a region is missing, and then `warnings` says which.

    The ratio is of concentrations, (A_T/m_T)/(A_N/m_N). Volumes lie on the grid of the scan; the liver's holds the
    tumour, normal liver is the perfused liver without tumour.
    """

    lung_shunt_fraction: Decimal | None
    tumour_to_normal_ratio: Decimal | None
    tumour_volume_ml: Decimal | None
    liver_volume_ml: Decimal
    normal_liver_volume_ml: Decimal
    perfused_volume_ml: Decimal
    lung_volume_ml: Decimal | None
    extrahepatic_fraction: Decimal | None
    warnings: tuple[str, ...]
    density_kg_l: Decimal = LIVER_DENSITY_KG_L

    def mass_kg(self, volume: Decimal) -> Decimal:
        """Mass in kg of a volume of liver or tumour in mL."""
        return volume / 1000 * self.density_kg_l


def work_up(activity: ActivityMap, regions: Sequence[Region], *, perfused: str | None = None) -> WorkUp:
    """
    Measure a scan of microspheres or their surrogate, in counts or Bq/mL: every answer is a ratio or a volume.

    Regions of kind liver, lesion and lung are used; lesions that neither overlap nor touch the liver are left out.
    `perfused` names the region of the treated territory; without it the whole liver is taken as perfused. Raises
    ImpossibleInput without liver, without counts in it, and for a name that no region has.
    """
    grid = activity.geometry
    crops = [crop_on_grid(region.mask, region.geometry, grid)[0] for region in regions]
    drawn = joined(regions, crops, {"liver"}, grid)
    if drawn is None or not drawn.any():
        raise ImpossibleInput("there is no liver among the regions: send its segmentation")
    lungs = joined(regions, crops, {"lung"}, grid)
    warnings: list[str] = []
    tumour = _tumour(regions, crops, drawn, lungs, warnings)
    liver = drawn | tumour
    territory = liver if perfused is None else liver & _named(regions, crops, perfused, liver)
    if perfused is None:
        warnings.append("no perfused territory was named: the whole liver is taken as perfused")
    counts = activity.concentration_bq_per_ml
    shunt = _shunt(counts, lungs, liver, warnings)
    if lungs is not None and (lungs[0].any() or lungs[-1].any()):
        warnings.append("the lungs reach the end of the scan: what lies beyond is not counted and the shunt may be low")
    stray = _extrahepatic(counts, liver if lungs is None else liver | lungs)
    warnings += shunt_cautions(lung_in_view_fraction=_lung_in_view(regions), extrahepatic_fraction=stray)

    def volume(mask: Mask) -> Decimal:
        return volume_ml(int(np.count_nonzero(mask)), grid)

    treated_tumour = tumour & territory
    return WorkUp(
        lung_shunt_fraction=shunt,
        tumour_to_normal_ratio=_ratio(counts, treated_tumour, territory & ~tumour, warnings),
        tumour_volume_ml=volume(treated_tumour) if tumour.any() else None,
        liver_volume_ml=volume(liver),
        normal_liver_volume_ml=volume(territory & ~tumour),
        perfused_volume_ml=volume(territory),
        lung_volume_ml=None if lungs is None else volume(lungs & ~liver),
        extrahepatic_fraction=_fraction(stray),
        warnings=tuple(warnings),
    )


def _fraction(value: float) -> Decimal:
    return Decimal(value).quantize(RATIO_QUANTUM)


def _named(regions: Sequence[Region], crops: Sequence[Crop | None], name: str, like: Mask) -> Mask:
    found = [crop for region, crop in zip(regions, crops, strict=True) if region.name == name]
    if not found:
        names = ", ".join(sorted(region.name for region in regions))
        raise ImpossibleInput(f"no region is called {name!r}: the regions are {names}")
    mask = np.zeros_like(like)
    for crop in found:
        if crop is not None:
            mask[crop.box] |= crop.mask
    return mask


def _tumour(
    regions: Sequence[Region], crops: Sequence[Crop | None], liver: Mask, lungs: Mask | None, warnings: list[str]
) -> Mask:
    """Lesions in or at the liver; a lesion at the dome that lies more in lung than in or at liver is the lung's."""
    near = scipy.ndimage.binary_dilation(liver)
    tumour = np.zeros_like(liver)
    for region, crop in zip(regions, crops, strict=True):
        if region.kind != "lesion" or crop is None:
            continue
        at_liver = int(np.count_nonzero(near[crop.box] & crop.mask))
        in_lung = 0 if lungs is None else int(np.count_nonzero(lungs[crop.box] & crop.mask))
        if at_liver > in_lung:
            tumour[crop.box] |= crop.mask
        else:
            warnings.append(f"lesion {region.number} is not in the liver: left out")
    return tumour


def _shunt(counts: NDArray[np.float32], lungs: Mask | None, liver: Mask, warnings: list[str]) -> Decimal | None:
    if lungs is None or not lungs.any():
        warnings.append("there is no lung among the regions: the shunt is not known, send their segmentation")
        return None
    return _fraction(tomographic_shunt_fraction(counts, lung=lungs, liver=liver))


def _ratio(counts: NDArray[np.float32], tumour: Mask, normal: Mask, warnings: list[str]) -> Decimal | None:
    """Mean concentration of tumour over that of normal perfused liver; one density for both cancels."""
    if not tumour.any() or not normal.any():
        warnings.append("there is no tumour or no normal liver in the perfused territory: the ratio is not known")
        return None
    in_normal = float(counts[normal].mean(dtype=np.float64))
    in_tumour = float(counts[tumour].mean(dtype=np.float64))
    if in_normal <= 0 or in_tumour <= 0:
        warnings.append("tumour or normal liver holds no counts: the ratio is not known")
        return None
    return _fraction(in_tumour / in_normal)


def _lung_in_view(regions: Sequence[Region]) -> float | None:
    """Fraction of the drawn lungs that lies in the scan, 0..1; None without lungs."""
    kept = drawn = 0.0
    for region in regions:
        if region.kind == "lung":
            inside = float(np.count_nonzero(region.mask)) * region.geometry.voxel_volume_ml
            kept, drawn = kept + inside, drawn + inside / max(1 - region.outside_fraction, 1e-6)
    return kept / drawn if drawn else None


def _extrahepatic(counts: NDArray[np.float32], known: Mask) -> float:
    """Fraction of all counts that lie outside liver and lungs, 0..1."""
    total = float(counts.sum(dtype=np.float64, where=counts > 0))
    return float(counts.sum(dtype=np.float64, where=(counts > 0) & ~known)) / total if total > 0 else 0.0


@dataclass(frozen=True, slots=True)
class WorkUpFacts:
    """Facts under the catalogue's names, and what makes them doubtful."""

    facts: Mapping[str, Observed[FactValue]]
    warnings: tuple[str, ...] = ()


def work_up_facts(
    activity: ActivityMap | None,
    regions: Sequence[Region],
    point: TimePoint,
    *,
    lung_mass: Observed[Decimal] | None = None,
    planar_shunt: Observed[Decimal] | None = None,
) -> WorkUpFacts:
    """
    Facts of a surrogate scan in the assessed study, its planar views and the mass of the lungs; none of other scans.

    A scan without liver says nothing, and that is told. Volumes that the study's segmentation gives on its own, finer
    grid are preferred. Of two lung shunts the larger holds, and both are told.
    """
    weighed: dict[str, Observed[FactValue]] = {}
    if lung_mass is not None:
        weighed["lung_mass_kg"] = Observed(lung_mass.value, lung_mass.origin, lung_mass.observed_on)
    if activity is None or activity.nuclide not in SURROGATES:
        return _with_planar(WorkUpFacts(weighed), planar_shunt)
    try:
        found = work_up(activity, regions)
    except ImpossibleInput as fault:
        return _with_planar(WorkUpFacts(weighed, (f"work-up scan: {fault}",)), planar_shunt)
    facts = {**weighed, **_measured(found, activity, point)}
    told = tuple(f"work-up scan: {text}" for text in found.warnings)
    return _with_planar(WorkUpFacts(facts, told), planar_shunt)


@dataclass(frozen=True, slots=True)
class Shunt:
    """The lung shunt that holds, how it was measured, and what is told when it was measured in two ways."""

    fraction: Decimal
    method: Literal["tomographic", "planar"]
    warnings: tuple[str, ...]


def stricter_shunt(*, tomographic: Decimal | None, planar: Decimal) -> Shunt:
    """Choose between the shunt of a tomogram and that of planar views: the larger is the stricter on the lungs."""
    views = f"{planar.normalize():f} from planar views"
    if tomographic is None:
        return Shunt(planar, PLANAR, (f"the lung shunt {views.replace(' from', ' is from')}",))
    from_views = planar > tomographic
    told = (
        f"lung shunt {views} and {tomographic.normalize():f} from SPECT: "
        f"that of {'planar views' if from_views else 'SPECT'} is taken, the stricter on the lungs"
    )
    return Shunt(planar, PLANAR, (told,)) if from_views else Shunt(tomographic, TOMOGRAPHIC, (told,))


def _with_planar(tomographic: WorkUpFacts, planar: Observed[Decimal] | None) -> WorkUpFacts:
    """Join the shunt of planar views; the larger of two is the stricter on the lungs, and both are named."""
    if planar is None:
        return tomographic
    from_planar: Observed[FactValue] = Observed(planar.value, planar.origin, planar.observed_on)
    other = tomographic.facts.get(_SHUNT)
    chosen = stricter_shunt(tomographic=None if other is None else Decimal(str(other.value)), planar=planar.value)
    larger = other if other is not None and chosen.method == TOMOGRAPHIC else from_planar
    return WorkUpFacts({**tomographic.facts, _SHUNT: larger}, (*tomographic.warnings, *chosen.warnings))


def _measured(found: WorkUp, activity: ActivityMap, point: TimePoint) -> dict[str, Observed[FactValue]]:
    liver = point.liver_volume_ml or found.liver_volume_ml
    tumour = point.liver_tumour_volume_ml if point.liver_volume_ml else found.tumour_volume_ml
    values: dict[str, Decimal | None] = {
        _SHUNT: found.lung_shunt_fraction,
        "tn_ratio": found.tumour_to_normal_ratio,
        "tumour_volume_ml": tumour,
        "liver_volume_total_ml": liver,
        "target_liver_mass_kg": found.mass_kg(liver),
        "tumour_mass_kg": None if tumour is None else found.mass_kg(tumour),
        "normal_liver_mass_kg": None if tumour is None else found.mass_kg(liver - tumour),
    }
    origin = next(iter(activity.sop_instance_uids), activity.series_instance_uid)
    return {
        name: Observed(value, origin, point.studied_on)
        for name, value in values.items()
        if value is not None and (value > 0 or name not in {"tn_ratio", "normal_liver_mass_kg"})
    }
