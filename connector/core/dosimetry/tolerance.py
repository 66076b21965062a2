"""What a systemic dose means for the tissue that got it: its effect, the limits on it, and what was given before."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import log, sqrt

from connector.core.dosimetry.kinetics import Fit, Phase
from connector.core.dosimetry.radiobiology import KIDNEY, Tissue
from connector.core.dosimetry.systemic import BLOOD_DOSE_LIMIT_GY, BLOOD_SOURCE
from connector.core.evidence import Citation

COVERAGE = 2.0
KIDNEY_DOSE_SOURCE = Citation(
    "Svensson et al., Eur J Nucl Med Mol Imaging 2015;42:947",
    "Introduction: 23 Gy to the kidneys has often been the limit, by what is known of external radiation",
)
KIDNEY_BED_SOURCE = Citation(
    "Bodei et al., Eur J Nucl Med Mol Imaging 2008;35:1847",
    "abstract: thresholds of BED 40 Gy, and 28 Gy with risk factors (mainly hypertension and diabetes), 28 patients",
)
LESION_SOURCE = Citation(
    "Maxon et al., N Engl J Med 1983;309:937", "metastases of differentiated thyroid cancer: 80 Gy"
)
LESION_TARGET_GY = Decimal(80)
KIDNEY_DOSE_LIMIT_GY = Decimal(23)
KIDNEY_BED_LIMIT_GY = {False: Decimal(40), True: Decimal(28)}  # without and with risk factors
KIDNEY_CAUTION = (
    "23 Gy to the kidneys comes from external radiotherapy, the BED of 28 and 40 Gy from 28 patients, most with Y-90: "
    "neither is a proven limit of this treatment"
)
EARLIER_EFFECT = (
    "kidney_bed counts what was given before by its absorbed dose, and its effect was more: this BED is a lower bound"
)


@dataclass(frozen=True, slots=True)
class ToleranceLimit:
    """
    One limit in Gy on what a tissue gets over all treatments.

    `reached_gy` holds this treatment and what was given before; `activity_gbq` would just keep the limit, None without
    the administered activity; `is_effect` tells a BED from an absorbed dose.
    """

    name: str
    limit_gy: Decimal
    reached_gy: Decimal
    activity_gbq: float | None
    source: Citation
    is_effect: bool = False

    @property
    def kept(self) -> bool:
        """Whether the limit is kept; exactly at it, it is."""
        return self.reached_gy <= self.limit_gy


def exactly(dose_gy: float) -> Decimal:
    """The decimal that a computed dose is printed as, so that a limit is judged on what a reader sees."""
    return Decimal(repr(dose_gy))


def protracted_bed_gy(dose_gy: float, phases: Sequence[Phase], *, tissue: Tissue) -> float | None:
    """
    Biologically effective dose of a dose rate that is a sum of exponentials; None without parameters.

    With amplitudes a_i of decay constants l_i and repair m: BED = D + 2/(alpha/beta) sum_ij a_i a_j / ((l_i + l_j)
    (l_i + m)), scaled so that sum_i a_i / l_i is the dose. For one phase this is D (1 + D T_rep / ((T_rep + T)
    alpha/beta)). Source: Dale, Br J Radiol 1985;58:515, the factor of Lea and Catcheside in general.
    """
    if tissue.alpha_beta_gy is None or tissue.repair_half_time_h is None or not phases:
        return None
    repair = log(2) / tissue.repair_half_time_h
    area = sum(phase.amplitude / phase.decay_constant_per_h for phase in phases)
    pairs = sum(
        one.amplitude * other.amplitude
        / ((one.decay_constant_per_h + other.decay_constant_per_h) * (one.decay_constant_per_h + repair))
        for one in phases for other in phases
    )  # fmt: skip
    return dose_gy + 2 / tissue.alpha_beta_gy * pairs * (dose_gy / area) ** 2


def kidney_limits(
    dose_gy: float,
    bed_gy: float | None,
    *,
    previous_gy: Decimal,
    administered_gbq: float | None,
    risk_factors: bool | None,
) -> list[ToleranceLimit]:
    """Limits on the kidneys; risk factors (hypertension, diabetes) that are not known take the stricter."""
    reached = exactly(dose_gy) + previous_gy
    activity = _activity_gbq(KIDNEY_DOSE_LIMIT_GY, dose_gy, previous_gy, administered_gbq)
    limits = [ToleranceLimit("kidney_dose", KIDNEY_DOSE_LIMIT_GY, reached, activity, KIDNEY_DOSE_SOURCE)]
    if bed_gy is not None:
        limit = KIDNEY_BED_LIMIT_GY[risk_factors is not False]
        # What was given before had its own rate, which is not told: its effect was more than its dose (EARLIER_EFFECT).
        reached = exactly(bed_gy) + previous_gy
        limits.append(ToleranceLimit("kidney_bed", limit, reached, None, KIDNEY_BED_SOURCE, is_effect=True))
    return limits


def marrow_limits(dose_gy: float, *, previous_gy: Decimal, administered_gbq: float | None) -> list[ToleranceLimit]:
    """2 Gy to the marrow, taken as equal to the blood."""
    activity = _activity_gbq(BLOOD_DOSE_LIMIT_GY, dose_gy, previous_gy, administered_gbq)
    reached = exactly(dose_gy) + previous_gy
    return [ToleranceLimit("marrow_dose", BLOOD_DOSE_LIMIT_GY, reached, activity, BLOOD_SOURCE)]


def _activity_gbq(limit: Decimal, dose_gy: float, previous_gy: Decimal, administered_gbq: float | None) -> float | None:
    """Activity that brings what is left of a limit, in proportion to what was given."""
    left = float(max(limit - previous_gy, Decimal(0)))
    return None if administered_gbq is None or dose_gy <= 0 else administered_gbq * left / dose_gy


def relative_uncertainty(fit: Fit, *, mass_fraction: float, calibration_fraction: float) -> float | None:
    """Relative standard uncertainty of a dose k A / m; None when the fit has no spare point to tell its own."""
    if fit.standard_uncertainty is None:
        return None
    by_fit = fit.standard_uncertainty / fit.time_integrated
    return sqrt(by_fit**2 + mass_fraction**2 + calibration_fraction**2)


def tissue_of(name: str) -> Tissue | None:
    """Parameters of the effect; only the kidneys' are cited for a systemic dose."""
    return KIDNEY if name == "kidney" else None
