"""The dose that photons leave in the mass they come from, because that of electrons alone is not all of it."""

from decimal import Decimal

import numpy as np

from connector.core.evidence import Citation

SOURCE = Citation(
    "photon transport in water (Klein-Nishina; Hubbell and Seltzer, NIST XAAMDI; emissions of ICRP 107)",
    "uniform sphere in an unbounded medium; within 1 % of published S values of Lu-177 from 35 to 932 g",
)
# Photon energy in MeV that one decay leaves in a uniform sphere of water of these masses, with water all around it.
# Made with a million photons for each number by tests/published/photon_transport.py, which a test repeats in small.
MASSES_G = (0.1, 1.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
ABSORBED_MEV = {
    "Lu-177": (0.0004237, 0.0007448, 0.001375, 0.001903, 0.002780, 0.003995, 0.006019, 0.008630),
    "I-131": (0.002728, 0.005898, 0.01277, 0.01846, 0.02754, 0.03983, 0.05916, 0.08408),
    "Tc-99m": (0.0009928, 0.002059, 0.004362, 0.006278, 0.009344, 0.01367, 0.02076, 0.03024),
    "Ho-166": (0.0006093, 0.0009578, 0.001558, 0.002027, 0.002797, 0.003830, 0.005482, 0.007513),
}


def absorbed_photon_mev(nuclide_name: str, *, mass_g: Decimal) -> float | None:
    """
    Photon energy in MeV per decay that stays in a sphere of this mass; 0 for a nuclide without photons to speak of.

    None outside 0.1 g to 3 kg: nothing is extrapolated. Other shapes keep less, and activity around adds to it.
    """
    if nuclide_name not in ABSORBED_MEV:
        return 0.0
    if not Decimal(str(MASSES_G[0])) <= mass_g <= Decimal(str(MASSES_G[-1])):
        return None
    logarithm = np.interp(np.log(float(mass_g)), np.log(MASSES_G), np.log(ABSORBED_MEV[nuclide_name]))
    return float(np.exp(logarithm))
