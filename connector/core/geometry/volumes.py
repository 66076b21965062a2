"""How much: volumes of regions, the pieces of a region, the fraction of the liver that is tumour, and its lobes."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import cc3d
import numpy as np
from numpy.typing import NDArray

from connector.core.case import Region, VolumeGeometry
from connector.core.geometry.resampling import resample_nearest

# One step is a cube of 1 mm; voxels of clinical images are not much smaller, and float noise is far below.
QUANTUM_ML = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class LiverBurden:
    """
    The liver and the tumour in it.

    `liver_volume_ml` holds the tumour, whether or not the segmentation of the liver leaves it out. `tumour_fraction` is
    exact over voxels, 0..1. Tumour outside a liver whose outline leaves the lesion out is counted as liver.
    """

    liver_volume_ml: Decimal
    tumour_volume_ml: Decimal
    tumour_fraction: Fraction


def volume_ml(voxel_count: int, geometry: VolumeGeometry) -> Decimal:
    """Volume by counting voxels, in millilitres. Source: IBSI reference manual, section 3.1.2."""
    return Decimal(voxel_count * geometry.voxel_volume_ml).quantize(QUANTUM_ML)


def pieces(mask: NDArray[np.bool_]) -> tuple[NDArray[np.uint32], tuple[int, ...]]:
    """
    Label the connected pieces of a mask (26 neighbours).

    Returns labels, 0 outside, and the voxel count of each piece: label 1 is the largest; pieces of equal size keep the
    order of their first voxel.
    """
    labels, count = cc3d.connected_components(np.ascontiguousarray(mask), connectivity=26, return_N=True)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    order = np.argsort(-sizes, kind="stable")
    rank = np.zeros(count + 1, dtype=np.uint32)
    rank[order + 1] = np.arange(1, count + 1)
    return rank[labels], tuple(int(size) for size in sizes[order])


def overlap_fraction(region: Region, other: Region) -> Fraction:
    """Part of `region` that lies in `other`, exact over the voxels of `region`, 0..1; 0 for an empty region."""
    total = int(np.count_nonzero(region.mask))
    if not total:
        return Fraction(0)
    within = resample_nearest(other.mask, other.geometry, region.geometry).mask
    return Fraction(int(np.count_nonzero(region.mask & within)), total)


def liver_burden(liver: Region, tumours: Sequence[Region]) -> LiverBurden | None:
    """
    Join the liver and its tumours, each voxel counted once, on a grid around the liver; None when all are empty.

    Tumours on other grids are resampled. Pass only tumours of the liver. Raises ImpossibleInput for a tumour in another
    frame of reference.
    """
    tumour = np.zeros(liver.geometry.shape, dtype=bool)
    for region in tumours:
        tumour |= resample_nearest(region.mask, region.geometry, liver.geometry).mask
    whole = int(np.count_nonzero(liver.mask | tumour))
    if not whole:
        return None
    involved = int(np.count_nonzero(tumour))
    return LiverBurden(
        liver_volume_ml=volume_ml(whole, liver.geometry),
        tumour_volume_ml=volume_ml(involved, liver.geometry),
        tumour_fraction=Fraction(involved, whole),
    )


def lobe_of(lesion: Region, *, left: Region | None, right: Region | None) -> str | None:
    """
    Name the lobe of the liver that holds most of a lesion's voxels: "left", "right", or None when it cannot be told.

    Needs both lobes segmented: without them there is no guess from coordinates, because the plane between the lobes is
    not a plane of the patient's axes.
    """
    if left is None or right is None:
        return None
    in_left, in_right = overlap_fraction(lesion, left), overlap_fraction(lesion, right)
    if in_left == in_right:
        return None
    return "left" if in_left > in_right else "right"
