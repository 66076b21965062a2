"""The table of photons that stay in a sphere, against transport made again in small, closed forms and S values."""

from decimal import Decimal

import numpy as np
import photon_transport as transport
import pytest

from connector.core.dosimetry.photons import ABSORBED_MEV, MASSES_G, absorbed_photon_mev

# Lu-177 in soft tissue, Gy per decay: PyTheranostics (Apache-2.0), data/s-values/spheres.json, "100%/0%".
S_VALUES = {"34.5": 6.93e-13, "116": 2.07e-13, "276": 8.81e-14, "539": 4.54e-14, "932": 2.65e-14}


@pytest.mark.parametrize("mass_g", S_VALUES)
def test_published_s_values(mass_g):
    kept_mev = 0.14792 + absorbed_photon_mev("Lu-177", mass_g=Decimal(mass_g))
    assert kept_mev * 1.602176634e-13 / (float(mass_g) / 1000) == pytest.approx(S_VALUES[mass_g], rel=0.01)


@pytest.mark.parametrize("nuclide", ABSORBED_MEV)
@pytest.mark.parametrize("at", [1, 4, 6])
def test_the_table_is_what_transport_gives(nuclide, at):
    """15 000 photons: 3 % at one standard deviation in the smallest sphere."""
    found = transport.absorbed_mev(nuclide, MASSES_G[at], 15_000, np.random.default_rng(at))
    assert found == pytest.approx(ABSORBED_MEV[nuclide][at], rel=0.1)


def test_a_sphere_that_nothing_leaves_keeps_all():
    assert transport.absorbed_fraction(0.3645, 5000.0, 500, np.random.default_rng(1)) == pytest.approx(1, abs=0.01)


def test_a_small_sphere_keeps_the_mean_way_out_times_the_coefficient():
    """Three quarters of the radius is the mean way out of a sphere: 0.75 R mu_en, and a little that comes back."""
    found = transport.absorbed_fraction(0.2, 1.0, 60_000, np.random.default_rng(2))
    assert 1.0 < found / (0.75 * 0.02967) < 1.15


def test_coefficients_of_the_formula_are_those_of_the_table():
    """Hubbell and Seltzer, water: incoherent scattering 0.1353 cm2/g at 0.2 MeV; energy absorption is met exactly."""
    assert transport.compton_per_cm(0.2) == pytest.approx(0.1353, rel=0.01)
    assert transport.transferred_per_cm(1.0) == pytest.approx(0.03103, rel=0.005)


def test_yttrium_has_no_photons_to_speak_of():
    assert absorbed_photon_mev("Y-90", mass_g=Decimal(100)) == 0
