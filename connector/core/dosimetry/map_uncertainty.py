"""How far a region's mean dose may be from the true one: by its edge, the calibration and the constants."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import scipy
from numpy.typing import NDArray

from connector.core.dosimetry.convolution import grown
from connector.core.dosimetry.ranges import check_uncertainty
from connector.core.dosimetry.uncertainty import CONSTANTS_FRACTION, COVERAGE
from connector.core.evidence import Citation
from connector.core.geometry.crops import Crop

EDGE_SOURCE = Citation(
    "EANM practical guidance on uncertainty (Gear et al., Eur J Nucl Med Mol Imaging 2018;45:2456)",
    "outline of a volume: u(diameter)^2 = voxel^2 / 6",
)
CALIBRATION_SOURCE = Citation(
    "D'Arienzo et al., EJNMMI Res 2017;7:94", "Fig. 1: 5 % by the clinical radionuclide calibrator"
)
CALIBRATION_FRACTION = 0.05
# Liver is weighed with 1.00 to 1.06 kg/L in print: an even chance over that range.
DENSITY_FRACTION = 0.03 / 1.03 / sqrt(3)
# Half of u(diameter) at each side, in voxels, for a slope over the two voxels between the next smaller and larger.
_EDGE_SHARE = 1 / (4 * sqrt(6))


@dataclass(frozen=True, slots=True)
class RegionInterval:
    """Two standard uncertainties each way: mean dose in Gy, and volume in voxels."""

    mean_gy: tuple[float, float]
    voxels: tuple[float, float]


def region_interval(
    dose_gy: NDArray[np.float32], crop: Crop, *, calibration_fraction: float = CALIBRATION_FRACTION
) -> RegionInterval:
    """
    Interval of a region's mean dose and of its number of voxels.

    The edge is moved by one voxel to both sides, and what that does is scaled to the uncertainty of an outline on this
    grid: a region in even dose loses nothing by it, a small one at a steep edge much. Calibration, constants and the
    density of tissue enter once each. The resolution of the image is not in it. Raises BadCase for a calibration that
    is no fraction.
    """
    check_uncertainty("--calibration-uncertainty", calibration_fraction)
    box = grown(crop.box, (1, 1, 1), (dose_gy.shape[0], dose_gy.shape[1], dose_gy.shape[2]))
    doses = dose_gy[box]
    mask = np.zeros(doses.shape, dtype=bool)
    inner_box = tuple(
        slice(side.start - around.start, side.stop - around.start) for side, around in zip(crop.box, box, strict=True)
    )
    mask[inner_box] = crop.mask
    larger = scipy.ndimage.binary_dilation(mask)
    # What reaches the end of the volume goes on beyond it.
    smaller = scipy.ndimage.binary_erosion(mask, border_value=1)
    mean = float(doses[mask].mean(dtype=np.float64))
    within = float(doses[smaller].mean(dtype=np.float64)) if smaller.any() else mean
    by_edge = _EDGE_SHARE * abs(within - float(doses[larger].mean(dtype=np.float64)))
    fractions = calibration_fraction**2 + float(CONSTANTS_FRACTION) ** 2 + DENSITY_FRACTION**2
    voxels = crop.count
    return RegionInterval(
        mean_gy=_ends(mean, sqrt(by_edge**2 + mean**2 * fractions)),
        voxels=_ends(voxels, _EDGE_SHARE * (np.count_nonzero(larger) - np.count_nonzero(smaller))),
    )


def _ends(value: float, uncertainty: float) -> tuple[float, float]:
    spread = float(COVERAGE) * float(uncertainty)
    return max(value - spread, 0.0), value + spread
