"""How far: the gap between two lesions, or between a lesion and a structure that must not be burnt."""

from decimal import Decimal

import numpy as np
import scipy
from numpy.typing import NDArray

from connector.core.case import Region
from connector.core.errors import ImpossibleInput
from connector.core.geometry.diameters import QUANTUM_MM
from connector.core.geometry.grids import bounding_box, lattice_offset

_BOX_OF_NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)


def gap_mm(region: Region, other: Region) -> Decimal:
    """
    Measure the shortest way from the voxels of one region to those of the other, border to border, in millimetres.

    Regions that touch or overlap are 0 apart. Both masks must lie on one lattice of voxels (crops of it will do).
    Raises ImpossibleInput for other grids, and for an empty region.

    The gap between two boxes of voxels is the distance of their centres after one of them has grown by one voxel on all
    sides, so the search runs over grown border voxels against border voxels; it needs no map of the whole volume.
    """
    offset = lattice_offset(region.geometry, other.geometry)
    if offset is None:
        raise ImpossibleInput("the regions lie on different grids: resample one of them to the other's first")
    grown = _voxels(region.mask, grow=True)
    still = _voxels(other.mask, grow=False) + offset
    # Outlines alone do not show that one region lies inside the other; whole voxels of both do.
    apart, _ = scipy.spatial.cKDTree(still * region.geometry.spacing_mm).query(grown * region.geometry.spacing_mm, k=1)
    return Decimal(float(np.min(apart))).quantize(QUANTUM_MM)


def _voxels(mask: NDArray[np.bool_], *, grow: bool) -> NDArray[np.float64]:
    box = bounding_box(mask)
    if box is None:
        raise ImpossibleInput("the region is empty: there is no distance to it")
    solid = np.pad(mask[box], 1)
    if grow:
        solid = scipy.ndimage.binary_dilation(solid, structure=_BOX_OF_NEIGHBOURS)
    return np.asarray(np.argwhere(solid) + [side.start - 1 for side in box], dtype=np.float64)
