"""Half-lives and mean energies of the nuclides that are given or imaged, so that no formula types its own."""

from dataclasses import dataclass
from decimal import Decimal

from connector.core.errors import ImpossibleInput
from connector.core.evidence import Citation
from connector.core.units import joule_per_gbq

ICRP_107 = Citation("ICRP Publication 107", "Ann ICRP 2008;38(3), nuclide data")


@dataclass(frozen=True, slots=True)
class Nuclide:
    """
    One nuclide.

    `electron_mev` sums beta, Auger and conversion electrons per decay, `photon_mev` gamma and X rays; bremsstrahlung
    and internal pair production of Y-90 are in neither. `permanently_trapped` is True for what is given as
    microspheres: only then does one image tell the absorbed dose.
    """

    name: str
    half_life_h: Decimal
    electron_mev: Decimal
    photon_mev: Decimal
    permanently_trapped: bool = False
    source: Citation = ICRP_107

    @property
    def energy_per_activity_j_gbq(self) -> Decimal:
        """Electron energy of 1 GBq fully decayed, in J (equal to Gy kg)."""
        return joule_per_gbq(half_life_h=self.half_life_h, energy_mev=self.electron_mev)

    @property
    def decay_constant_per_h(self) -> Decimal:
        """The probability of a decay per hour, ln 2 / half-life."""
        return Decimal(2).ln() / self.half_life_h


def _nuclide(name: str, half_life_h: str, electron: str, photon: str, *, trapped: bool = False) -> Nuclide:
    return Nuclide(name, Decimal(half_life_h), Decimal(electron), Decimal(photon), trapped)


# Mean energies in MeV per decay (electrons, photons), to five decimals.
NUCLIDES = {
    nuclide.name: nuclide
    for nuclide in (
        _nuclide("Y-90", "64.1", "0.93311", "0.0000012316", trapped=True),
        _nuclide("Ho-166", "26.8", "0.69634", "0.03007", trapped=True),
        _nuclide("I-131", "192.4968", "0.19185", "0.38276"),
        _nuclide("Lu-177", "159.528", "0.14792", "0.03510"),
        _nuclide("Tc-99m", "6.015", "0.01619", "0.12659"),
        _nuclide("Re-188", "17.004", "0.77934", "0.06125"),
        _nuclide("Sm-153", "46.5", "0.26988", "0.06426"),
    )
}


# Imaged and never given as treatment: their half-life in hours (ICRP_107: 109.77 min, 67.71 min, 4.1760 d) carries an
# uptake back to the injection.
IMAGED_HALF_LIFE_H = {"F-18": Decimal("1.8295"), "Ga-68": Decimal("1.1285"), "I-124": Decimal("100.224")}


def nuclide(name: str) -> Nuclide:
    """Look a nuclide up by its name (`Y-90`). Raises ImpossibleInput when it is not one of ours."""
    try:
        return NUCLIDES[name]
    except KeyError:
        known = ", ".join(sorted(NUCLIDES))
        raise ImpossibleInput(f"no dosimetry for the nuclide {name!r}: known are {known}") from None


def remaining_fraction(*, hours: Decimal, half_life_h: Decimal) -> Decimal:
    """Fraction of an activity left after `hours`; negative hours give the factor back in time."""
    return Decimal(2) ** (-hours / half_life_h)
