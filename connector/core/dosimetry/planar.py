"""The lung shunt from two opposed planar views: counts of regions less their background, depth cancelled."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from connector.core.dosimetry.shunt import PlanarCounts, planar_shunt_fraction, shunt_cautions
from connector.core.errors import ImpossibleInput
from connector.core.evidence import Citation

SOURCE = Citation(
    "EANM standard operating procedure for microspheres (Levillain 2021)", "planar shunt by geometric means"
)
LUNG, LIVER, BACKGROUND = "lung", "liver", "background"


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Counts of one view [row, column] and its regions by kind: lung, liver and, when drawn, background."""

    counts: NDArray[np.float32]
    regions: Mapping[str, NDArray[np.bool_]]

    def net_counts(self, kind: str) -> Decimal:
        """
        Counts of a region less its background, by the mean of the background's pixels.

        A pixel of both lung and liver is liver. Raises ImpossibleInput when the region was not drawn in this view.
        """
        mask = self.regions.get(kind)
        if mask is None or not mask.any():
            raise ImpossibleInput(f"the {kind} is not drawn: send a segmentation of lungs and liver on the views")
        if kind == LUNG and LIVER in self.regions:
            mask = mask & ~self.regions[LIVER]
        total = float(self.counts[mask].sum(dtype=np.float64))
        return Decimal(total - self._background_per_pixel() * int(np.count_nonzero(mask)))

    def _background_per_pixel(self) -> float:
        mask = self.regions.get(BACKGROUND)
        return 0.0 if mask is None or not mask.any() else float(self.counts[mask].mean(dtype=np.float64))

    def stray_fraction(self) -> float:
        """Fraction of all counts above background that lie neither in lungs nor in liver."""
        known = np.zeros(self.counts.shape, dtype=bool)
        for kind in (LUNG, LIVER):
            known |= self.regions[kind]
        above = np.maximum(self.counts - self._background_per_pixel(), 0)
        total = float(above.sum(dtype=np.float64))
        return float(above[~known].sum(dtype=np.float64)) / total if total > 0 else 0.0


@dataclass(frozen=True, slots=True)
class PlanarShunt:
    """The shunt, 0..1, the counts it was made of, and what makes it doubtful."""

    lung_shunt_fraction: Decimal
    lung: PlanarCounts
    liver: PlanarCounts
    warnings: tuple[str, ...]


def planar_shunt(*, anterior: View, posterior: View) -> PlanarShunt:
    """
    Lung shunt fraction from the geometric mean of each region's net counts.

    Raises ImpossibleInput for a region that is not drawn or holds no counts above background.
    """
    lung, liver = (PlanarCounts(anterior.net_counts(kind), posterior.net_counts(kind)) for kind in (LUNG, LIVER))
    return PlanarShunt(
        lung_shunt_fraction=planar_shunt_fraction(lung=lung, liver=liver),
        lung=lung,
        liver=liver,
        warnings=tuple(_doubts(anterior, posterior)),
    )


def _doubts(anterior: View, posterior: View) -> Iterator[str]:
    if any(BACKGROUND not in view.regions for view in (anterior, posterior)):
        yield "no background was drawn in both views: counts are as measured, and the shunt may be too high"
    yield "a planar shunt is not corrected for attenuation and scatter: SPECT/CT is preferred"
    stray = max(view.stray_fraction() for view in (anterior, posterior))
    yield from shunt_cautions(lung_in_view_fraction=None, extrahepatic_fraction=stray)
