"""The physical constants of a plan as named profiles, because peers differ by 5 % and never say which they took."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from connector.core.errors import BadCase
from connector.core.evidence import Citation
from connector.core.nuclides import NUCLIDES, nuclide

# One paper prints 64.2 h for Y-90; images are brought to the administration with 64.1 h, and all else uses that too.
REVIEW_OF_2024 = Citation("Current status of yttrium-90 microspheres radioembolization", "Tables 1 and 2")
GLASS_INSERT = Citation("TheraSphere package insert (USA, v12)", "Description and Dose calculation")
ICRP_PROFILE = Citation("ICRP Publication 107", "mean electron energy and half-life")

# Volume to mass of liver in glass practice; 1.05 to 1.06 is also in use, so every result prints it. Needs confirmation
# against the device's current instructions.
LIVER_DENSITY_KG_L = Decimal("1.03")
# Lung of the reference phantoms (Cristy and Eckerman, ORNL/TM-8381: 0.296 g/cm3). Needs confirmation by CT.
LUNG_DENSITY_KG_L = Decimal("0.296")
# "1kg" is a convention of planning, never a measurement: it is used only when asked for, with a warning.
CONVENTIONAL_LUNG_MASS_KG = Decimal(1)


@dataclass(frozen=True, slots=True)
class Constants:
    """
    Everything physical that enters a dose, with the profile's name.

    `energy_per_activity_j_gbq` is J per GBq fully decayed in place (Gy kg/GBq) and holds for every reported dose;
    `prescription_energy_per_activity_j_gbq` is used by the single-compartment (MIRD) prescription alone.
    """

    profile: str
    nuclide: str
    energy_per_activity_j_gbq: Decimal
    prescription_energy_per_activity_j_gbq: Decimal
    half_life_h: Decimal
    tissue_density_kg_l: Decimal = LIVER_DENSITY_KG_L
    lung_density_kg_l: Decimal = LUNG_DENSITY_KG_L
    source: Citation = REVIEW_OF_2024

    def as_text(self) -> Mapping[str, str]:
        """Names and values as they stand in every result."""
        return {
            "profile": self.profile,
            "nuclide": self.nuclide,
            "energy_per_activity_j_gbq": format(self.energy_per_activity_j_gbq, "f"),
            "prescription_energy_per_activity_j_gbq": format(self.prescription_energy_per_activity_j_gbq, "f"),
            "half_life_h": format(self.half_life_h, "f"),
            "tissue_density_kg_l": format(self.tissue_density_kg_l, "f"),
            "lung_density_kg_l": format(self.lung_density_kg_l, "f"),
            "source": str(self.source),
        }


def _yttrium(profile: str, energy: str, prescription: str, half_life_h: str, source: Citation) -> Constants:
    return Constants(profile, "Y-90", Decimal(energy), Decimal(prescription), Decimal(half_life_h), source=source)


YTTRIUM_PROFILES = {
    constants.profile: constants
    for constants in (
        _yttrium("seed", "49.67", "50", "64.1", REVIEW_OF_2024),
        _yttrium("icrp107", "49.77", "49.77", "64.1", ICRP_PROFILE),
        _yttrium("glass-insert", "50", "50", "64.1", GLASS_INSERT),
    )
}
DEFAULT_PROFILE = "seed"


def constants_for(profile: str = DEFAULT_PROFILE, *, nuclide_name: str = "Y-90") -> Constants:
    """
    Give the constants of a named profile for a nuclide.

    The profiles differ for Y-90 only; every other nuclide has its ICRP 107 electron energy under whatever profile was
    asked for, and its result says so. Raises BadCase for an unknown profile, ImpossibleInput for an unknown nuclide.
    """
    if profile not in YTTRIUM_PROFILES:
        names = ", ".join(sorted(YTTRIUM_PROFILES))
        raise BadCase("constants", profile, f"unknown profile of constants: use one of {names}")
    if nuclide_name == "Y-90":
        return YTTRIUM_PROFILES[profile]
    data = nuclide(nuclide_name)
    energy = round(data.energy_per_activity_j_gbq, 6)
    return Constants(
        f"{profile} ({data.name}: icrp107)", data.name, energy, energy, data.half_life_h, source=data.source
    )


def with_energy(constants: Constants, energy_per_activity_j_gbq: Decimal) -> Constants:
    """Replace both energies by one that the caller names; the profile's name says so."""
    return replace(
        constants,
        profile=f"{constants.profile} (energy per activity as given)",
        energy_per_activity_j_gbq=energy_per_activity_j_gbq,
        prescription_energy_per_activity_j_gbq=energy_per_activity_j_gbq,
        source=Citation("case", "energy_per_activity_j_gbq"),
    )


def is_planned_for(name: str) -> bool:
    """Tell whether a nuclide stays where it lodged, so that one image is enough."""
    return name in NUCLIDES and NUCLIDES[name].permanently_trapped
