"""
Follows single photons through water, to say what part of their energy a sphere keeps of its own.

    python tests/published/photon_transport.py 1000000        # the table of connector/core/dosimetry/photons.py

Compton scattering by the formula of Klein and Nishina at free electrons; what else the energy absorption coefficients
of NIST hold is taken as photoelectric. The medium goes on around the sphere, so that photons may come back.
"""

import sys

import numpy as np
from icrp107_database import get_icrp107_spectrum

# Hubbell and Seltzer, NISTIR 5632 (XAAMDI), liquid water: MeV, mass energy-absorption coefficient in cm2/g.
WATER = np.array([
    (0.010, 4.944), (0.015, 1.374), (0.020, 0.5503), (0.030, 0.1557), (0.040, 0.06947), (0.050, 0.04223),
    (0.060, 0.03190), (0.080, 0.02597), (0.100, 0.02546), (0.150, 0.02764), (0.200, 0.02967), (0.300, 0.03192),
    (0.400, 0.03279), (0.500, 0.03299), (0.600, 0.03284), (0.800, 0.03206), (1.0, 0.03103), (1.5, 0.02833),
    (2.0, 0.02608),
])  # fmt: skip
ELECTRONS_PER_G = 3.343e23
ELECTRON_RADIUS_CM, ELECTRON_MEV = 2.8179403e-13, 0.51099895
# A photon this soft goes less than 1 mm; one this far out does not come back.
SOFT_MEV, FAR_CM = 0.005, 25.0
MASSES_G = (0.1, 1, 10, 30, 100, 300, 1000, 3000)


def compton_per_cm(mev):
    """Probability of scattering per cm of water: Klein-Nishina, integrated over all angles."""
    a, log = mev / ELECTRON_MEV, np.log1p(2 * mev / ELECTRON_MEV)
    shape = (1 + a) / a**2 * (2 * (1 + a) / (1 + 2 * a) - log / a) + log / (2 * a) - (1 + 3 * a) / (1 + 2 * a) ** 2
    return ELECTRONS_PER_G * 2 * np.pi * ELECTRON_RADIUS_CM**2 * shape


def transferred_per_cm(mev):
    """The part of it that goes to the electron: all less what the scattered photon keeps."""
    a, log, b = mev / ELECTRON_MEV, np.log1p(2 * mev / ELECTRON_MEV), 1 + 2 * mev / ELECTRON_MEV
    kept = log / a**3 + 2 * (1 + a) * (2 * a**2 - 2 * a - 1) / (a**2 * b**2) + 8 * a**2 / (3 * b**3)
    return compton_per_cm(mev) - ELECTRONS_PER_G * np.pi * ELECTRON_RADIUS_CM**2 * kept


def photoelectric_per_cm(mev):
    absorbed = np.exp(np.interp(np.log(mev), np.log(WATER[:, 0]), np.log(WATER[:, 1])))
    return np.maximum(absorbed - transferred_per_cm(mev), 0)


def directions(count, random):
    drawn = random.normal(size=(count, 3))
    return drawn / np.linalg.norm(drawn, axis=1)[:, None]


def scattered(mev, random):
    """Cosines by rejection from the formula of Klein and Nishina, and the part of the energy that goes on."""
    cosine, open_ = np.empty(len(mev)), np.arange(len(mev))
    while len(open_):
        tried = random.uniform(-1, 1, len(open_))
        part = 1 / (1 + mev[open_] / ELECTRON_MEV * (1 - tried))
        taken = random.random(len(open_)) < part**2 * (part + 1 / part - 1 + tried**2) / 2
        cosine[open_[taken]] = tried[taken]
        open_ = open_[~taken]
    return cosine, 1 / (1 + mev / ELECTRON_MEV * (1 - cosine))


def turned(way, cosine, random):
    """Directions at these angles to the old ones."""
    other = np.where(np.abs(way[:, [2]]) < 0.9, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])
    first = np.cross(way, other)
    first /= np.linalg.norm(first, axis=1)[:, None]
    angle = random.random(len(way)) * 2 * np.pi
    across = np.cos(angle)[:, None] * first + np.sin(angle)[:, None] * np.cross(way, first)
    return way * cosine[:, None] + np.sqrt(1 - cosine**2)[:, None] * across


def absorbed_fraction(mev, radius_cm, photons, random):
    """Fraction of the energy of photons from all over a sphere of water that stays in it."""
    place = directions(photons, random) * radius_cm * np.cbrt(random.random(photons))[:, None]
    way, energy = directions(photons, random), np.full(photons, mev)
    kept = 0.0
    while len(energy):
        compton, photo = compton_per_cm(energy), photoelectric_per_cm(energy)
        place = place + way * (random.exponential(size=len(energy)) / (compton + photo))[:, None]
        away = (place**2).sum(1)
        ends = (random.random(len(energy)) * (compton + photo) >= compton) | (energy < SOFT_MEV)
        kept += energy[ends & (away < radius_cm**2)].sum()
        goes_on = ~ends & (away < (radius_cm + FAR_CM) ** 2)
        place, way, energy, inside = place[goes_on], way[goes_on], energy[goes_on], away[goes_on] < radius_cm**2
        cosine, part = scattered(energy, random)
        kept += (energy * (1 - part))[inside].sum()
        way, energy = turned(way, cosine, random), energy * part
    return kept / (photons * mev)


def absorbed_mev(nuclide, mass_g, photons, random):
    """Photon energy in MeV per decay that a sphere of this mass keeps; each line by its share of the energy."""
    spectra = [get_icrp107_spectrum(nuclide, kind) for kind in ("gamma", "X")]
    energies = np.concatenate([each["energies"] for each in spectra])
    per_decay = np.concatenate([each["weights"] for each in spectra]) * energies
    hard = energies >= SOFT_MEV
    radius = np.cbrt(3 * mass_g / (4 * np.pi))
    counts = random.multinomial(photons, per_decay[hard] / per_decay[hard].sum())
    kept = sum(
        count * absorbed_fraction(energy, radius, count, random)
        for energy, count in zip(energies[hard], counts, strict=True)
        if count
    )
    return per_decay[~hard].sum() + per_decay[hard].sum() * kept / photons


if __name__ == "__main__":
    for name in ("Lu-177", "I-131", "Tc-99m", "Ho-166"):
        generator = np.random.default_rng(107)
        row = [absorbed_mev(name, mass, int(sys.argv[1]), generator) for mass in MASSES_G]
        sys.stdout.write(f"{name} {', '.join(f'{each:.4g}' for each in row)}\n")
