"""Dose with the rate and the tissue taken into account: BED, EQD2, EUBED and gEUD."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from connector.core.evidence import Citation


@dataclass(frozen=True, slots=True)
class Tissue:
    """
    Parameters of one kind of tissue, None where there is no cited value: then there is no BED or gEUD.

    `alpha_beta_gy` and `repair_half_time_h` enter the BED. `geud_exponent` is negative for tumours (the coldest voxels
    decide) and 1 for organs that lose function by the mean dose. `alpha_per_gy` enters the EUBED; no default of it is
    cited, for values in print differ tenfold.
    """

    alpha_beta_gy: float | None
    repair_half_time_h: float | None
    geud_exponent: float | None
    source: Citation
    alpha_per_gy: float | None = None


_CREMONESI = "Cremonesi et al., Eur J Nucl Med Mol Imaging 2008;35:2088"
LIVER = Tissue(2.5, 2.5, 1.0, Citation(_CREMONESI, "non-tumoural liver: alpha/beta 2.5 Gy, repair 2.5 h; a = 1"))
TUMOUR = Tissue(10.0, 1.5, -10.0, Citation(_CREMONESI, "tumour: alpha/beta 10 Gy, repair 1.5 h; a = -10 by custom"))
KIDNEY = Tissue(2.6, 2.8, 1.0, Citation("PyTheranostics (Apache-2.0)", "kidney: alpha/beta 2.6 Gy, repair 2.8 h"))
UNKNOWN_TISSUE = Tissue(None, None, None, Citation("case", "as given"))


def tissue_of_kind(kind: str) -> Tissue:
    """Default parameters of a region's kind."""
    return {"liver": LIVER, "lesion": TUMOUR}.get(kind, UNKNOWN_TISSUE)


def _lea_catcheside(*, repair_half_time_h: float, effective_half_life_h: float) -> float:
    """Dose protraction factor G of one exponential dose rate, integrated to infinity."""
    return repair_half_time_h / (repair_half_time_h + effective_half_life_h)


def bed_gy(dose_gy: float, *, alpha_beta_gy: float, repair_half_time_h: float, effective_half_life_h: float) -> float:
    """
    Biologically effective dose in Gy of a dose given at one exponentially falling rate.

    `effective_half_life_h` is physical for trapped microspheres. A bi-exponential rate needs the general factor and is
    not this. Source: Dale, Br J Radiol 1985;58:515.
    """
    protraction = _lea_catcheside(repair_half_time_h=repair_half_time_h, effective_half_life_h=effective_half_life_h)
    return dose_gy * (1 + dose_gy * protraction / alpha_beta_gy)


def beds_gy(
    doses_gy: NDArray[np.float32], *, tissue: Tissue, effective_half_life_h: float
) -> NDArray[np.float64] | None:
    """BED of each voxel in Gy; None for a tissue without parameters."""
    if tissue.alpha_beta_gy is None or tissue.repair_half_time_h is None:
        return None
    doses = doses_gy.astype(np.float64)
    protraction = _lea_catcheside(
        repair_half_time_h=tissue.repair_half_time_h, effective_half_life_h=effective_half_life_h
    )
    return np.asarray(doses * (1 + doses * (protraction / tissue.alpha_beta_gy)))


def eqd2_gy(bed: float, *, alpha_beta_gy: float) -> float:
    """Dose in Gy that, given in fractions of 2 Gy, has this BED."""
    return bed / (1 + 2 / alpha_beta_gy)


def eubed_gy(beds_gy: NDArray[np.float64], *, alpha_per_gy: float) -> float:
    """
    Equivalent uniform BED in Gy: the uniform BED that leaves as many cells alive.

    Cold voxels count. Source: Jones and Hoban, Med Dosim 2000;25:55, through the log of the mean survival.
    """
    exponents = -alpha_per_gy * beds_gy
    coldest = exponents.max()
    return float(-(coldest + np.log(np.exp(exponents - coldest).mean())) / alpha_per_gy)


def geud_gy(doses_gy: NDArray[np.float32], *, exponent: float) -> float:
    """
    Generalised equivalent uniform dose in Gy, (mean D^a)^(1/a).

    A cold voxel with a negative exponent gives 0. Raises ValueError for a = 0.
    Source: Niemierko, Med Phys 1999;26:1100.
    """
    if exponent == 0:
        raise ValueError("a = 0 has no gEUD: give a negative exponent for a tumour, 1 or more for an organ")
    largest = float(doses_gy.max())
    if largest == 0 or (exponent < 0 and float(doses_gy.min()) == 0):
        return 0.0
    # The reference keeps D^a within the range of a double at any exponent.
    reference = float(doses_gy.min()) if exponent < 0 else largest
    scaled = doses_gy.astype(np.float64) / reference
    return float(reference * np.power(scaled, exponent).mean() ** (1 / exponent))
