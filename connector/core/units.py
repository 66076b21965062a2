"""Factors between the units of activity and energy, typed once, because every plan and report needs the same ones."""

from decimal import Decimal

GBQ_PER_MCI = Decimal("0.037")  # exact: 1 Ci = 3.7e10 Bq (BIPM SI brochure, table 8 of the 8th edition)
JOULE_PER_MEV = Decimal("1.602176634E-13")  # exact since the 2019 SI
LN2 = Decimal(2).ln()
SECONDS_PER_HOUR = 3600
BQ_PER_GBQ = 10**9

# 1 Bq/mL = 1e-9 GBq / 1e-3 L.
GBQ_PER_L_PER_BQ_PER_ML = Decimal("1E-6")


def gbq_from_mci(activity_mci: Decimal) -> Decimal:
    """Activity in GBq."""
    return activity_mci * GBQ_PER_MCI


def mci_from_gbq(activity_gbq: Decimal) -> Decimal:
    """Activity in mCi."""
    return activity_gbq / GBQ_PER_MCI


def joule_per_gbq(*, half_life_h: Decimal, energy_mev: Decimal) -> Decimal:
    """
    Energy released by 1 GBq that decays to nothing, in joule.

    `energy_mev` is the mean energy per decay. Equals the absorbed dose in Gy of 1 GBq spread through 1 kg.
    """
    decays = BQ_PER_GBQ * SECONDS_PER_HOUR * half_life_h / LN2
    return decays * energy_mev * JOULE_PER_MEV
