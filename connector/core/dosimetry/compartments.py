"""Where the energy of an activity goes: dose of each compartment by conservation of energy, k A = sum of D m."""

from decimal import Decimal

from connector.core.errors import BadCase

ONE = Decimal(1)


def net_activity_gbq(activity_gbq: Decimal, *, residual_fraction: Decimal) -> Decimal:
    """Activity that leaves vial, line and catheter, in GBq."""
    return activity_gbq * (ONE - residual_fraction)


def lung_activity_gbq(activity_gbq: Decimal, *, lung_shunt_fraction: Decimal, residual_fraction: Decimal) -> Decimal:
    """Activity that lodges in the lungs, in GBq."""
    return net_activity_gbq(activity_gbq, residual_fraction=residual_fraction) * lung_shunt_fraction


def mean_dose_gy(
    activity_gbq: Decimal, *, energy_per_activity_j_gbq: Decimal, mass_kg: Decimal | None
) -> Decimal | None:
    """
    Mean dose in Gy to a mass that holds an activity which decays in place, D = k A / m; None without a mass.

    Serves the perfused liver, D_P = k A (1-F) / m_P, and the lungs, D_L = k A F / m_L.
    """
    return None if mass_kg is None else energy_per_activity_j_gbq * activity_gbq / mass_kg


def normal_liver_dose_gy(
    liver_activity_gbq: Decimal,
    *,
    energy_per_activity_j_gbq: Decimal,
    tumour_mass_kg: Decimal,
    normal_liver_mass_kg: Decimal,
    tumour_to_normal_ratio: Decimal,
) -> Decimal:
    """
    Mean dose in Gy to the normal perfused liver, D_N = k A (1-F) / (TN m_T + m_N).

    The tumour's is TN times this. The dose to the whole normal liver is smaller by normal_liver_mass over its mass.
    """
    weighted = tumour_to_normal_ratio * tumour_mass_kg + normal_liver_mass_kg
    return energy_per_activity_j_gbq * liver_activity_gbq / weighted


def concentration_ratio(*, activity_ratio: Decimal, tumour_mass_kg: Decimal, normal_liver_mass_kg: Decimal) -> Decimal:
    """
    T/N of the partition model from a ratio of activities R = A_T / A_N.

    Two definitions are in print; R (Kao 2014) is not T/N. TN = R m_N / m_T.
    """
    return activity_ratio * normal_liver_mass_kg / tumour_mass_kg


def lung_shunt_from_tumour_to_lung(*, tumour_lung_shunt_fraction: Decimal, activity_ratio: Decimal) -> Decimal:
    """
    Lung shunt fraction A_L / (A_T + A_N + A_L) from TLSF = A_L / (A_T + A_L) and R = A_T / A_N (Kao 2014).

    With A_T = 1: A_L = TLSF / (1 - TLSF), A_N = 1 / R.
    """
    if not 0 <= tumour_lung_shunt_fraction < 1:
        raise BadCase(
            "tumour_lung_shunt_fraction", str(tumour_lung_shunt_fraction), "a fraction 0..1, below 1, is needed"
        )
    lung = tumour_lung_shunt_fraction / (ONE - tumour_lung_shunt_fraction)
    return lung / (ONE + ONE / activity_ratio + lung)
