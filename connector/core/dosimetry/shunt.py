"""The lung shunt fraction and the mass of the lungs, from images."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from connector.core.errors import ImpossibleInput

# Denser than blood no lung voxel is: vessels, wall and motion at the edge are held at this.
DENSEST_LUNG_KG_L = 1.1
LEAST_COVERAGE_FRACTION = 0.85
MOST_EXTRAHEPATIC_FRACTION = 0.20


@dataclass(frozen=True, slots=True)
class PlanarCounts:
    """Background-subtracted counts of one region in the two opposed views."""

    anterior: Decimal
    posterior: Decimal

    @property
    def geometric_mean(self) -> Decimal:
        """Counts with the depth in the body cancelled. Raises ImpossibleInput for a view without counts."""
        if self.anterior <= 0 or self.posterior <= 0:
            raise ImpossibleInput("a region has no counts in one view: check the regions and the background")
        return (self.anterior * self.posterior).sqrt()


def planar_shunt_fraction(*, lung: PlanarCounts, liver: PlanarCounts) -> Decimal:
    """Lung shunt fraction from geometric means of each region; not the mean of two fractions."""
    return lung.geometric_mean / (lung.geometric_mean + liver.geometric_mean)


def tomographic_shunt_fraction(
    counts: NDArray[np.float32], *, lung: NDArray[np.bool_], liver: NDArray[np.bool_]
) -> float:
    """Lung shunt fraction from counts in masks of one shape; a voxel in both is liver. Raises ImpossibleInput."""
    if not lung.any() or not liver.any():
        raise ImpossibleInput("the lungs or the liver hold no voxel: send a segmentation of both")
    in_liver = float(counts[liver].sum(dtype=np.float64))
    in_lung = float(counts[lung & ~liver].sum(dtype=np.float64))
    if in_liver <= 0 or in_lung < 0:
        raise ImpossibleInput("there are no counts in the liver: check that the regions fit the image")
    return in_lung / (in_lung + in_liver)


def shunt_cautions(*, lung_in_view_fraction: float | None, extrahepatic_fraction: float | None) -> Iterator[str]:
    """What makes a measured shunt doubtful; None is not known and is not judged."""
    if lung_in_view_fraction is not None and lung_in_view_fraction < LEAST_COVERAGE_FRACTION:
        yield f"only {lung_in_view_fraction:.0%} of the lungs are in the field of view: the shunt is too low"
    if extrahepatic_fraction is not None and extrahepatic_fraction > MOST_EXTRAHEPATIC_FRACTION:
        yield f"{extrahepatic_fraction:.0%} of the counts lie outside liver and lungs: free technetium?"


def lung_mass_kg(hounsfield: NDArray[np.float32], *, voxel_volume_ml: float) -> float:
    """
    Mass of the lungs in kg from the CT values inside them.

    Density is (HU + 1000) / 1000, held within 0 and 1.1 kg/L. Raises ImpossibleInput for no voxel.
    Source: Kao et al. 2014, lung mass from CT density.
    """
    if hounsfield.size == 0:
        raise ImpossibleInput("the lungs hold no voxel on the CT: send their segmentation")
    density = np.clip((hounsfield.astype(np.float64) + 1000) / 1000, 0, DENSEST_LUNG_KG_L)
    return float(density.sum()) * voxel_volume_ml / 1000
