"""How far a planned dose may be from the true one, from what is known of volume, ratio and calibration."""

from dataclasses import dataclass
from decimal import Decimal

from connector.core.errors import BadCase
from connector.core.evidence import Citation

SOURCE = Citation("JCGM 100:2008 (GUM)", "5.1.2, uncorrelated inputs; first order")
# Two standard uncertainties each way hold about 95 % when no single input rules.
COVERAGE = Decimal(2)


@dataclass(frozen=True, slots=True)
class RelativeUncertainty:
    """Relative standard uncertainties (0.1 is 10 %) of what a dose is made of."""

    volume: Decimal = Decimal(0)
    tumour_to_normal_ratio: Decimal = Decimal(0)
    calibration: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        """Raise BadCase for one that is no fraction."""
        for field in self.__slots__:
            value = getattr(self, field)
            if not 0 <= value < 1:
                raise BadCase(f"{field}_uncertainty_fraction", str(value), "a fraction from 0 to below 1 is needed")


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with the interval of two standard uncertainties each way, not below 0."""

    value: Decimal
    low: Decimal
    high: Decimal


def _interval(value: Decimal, relative_squared: Decimal) -> Interval:
    spread = COVERAGE * value * relative_squared.sqrt()
    return Interval(value, max(value - spread, Decimal(0)), value + spread)


def mean_dose_interval(dose_gy: Decimal, uncertainty: RelativeUncertainty) -> Interval:
    """Dose to one compartment that takes all of the activity, D = k A / m: volume and calibration enter once each."""
    return _interval(dose_gy, uncertainty.volume**2 + uncertainty.calibration**2)


def partition_interval(
    dose_gy: Decimal,
    uncertainty: RelativeUncertainty,
    *,
    tumour_mass_kg: Decimal,
    normal_liver_mass_kg: Decimal,
    tumour_to_normal_ratio: Decimal,
    of_tumour: bool,
) -> Interval:
    """
    Dose by the partition model, D_N = k A / (TN m_T + m_N) and D_T = TN D_N.

    With s = TN m_T / (TN m_T + m_N), the share of the tumour: the ratio enters with -s for normal liver and 1 - s for
    tumour, the masses (taken as uncorrelated) with s and 1 - s.
    """
    share = tumour_to_normal_ratio * tumour_mass_kg / (tumour_to_normal_ratio * tumour_mass_kg + normal_liver_mass_kg)
    by_ratio = (1 - share if of_tumour else share) * uncertainty.tumour_to_normal_ratio
    by_mass = (share**2 + (1 - share) ** 2) * uncertainty.volume**2
    return _interval(dose_gy, by_ratio**2 + by_mass + uncertainty.calibration**2)
