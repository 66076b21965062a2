"""What holds for every plan and every dose map, whatever the numbers."""

from decimal import Decimal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.core.dosimetry.constants import constants_for
from connector.core.dosimetry.convolution import convolved
from connector.core.dosimetry.dvh import DoseVolume
from connector.core.dosimetry.plan import plan
from connector.core.dosimetry.request import PlanRequest

SEED = constants_for()


def between(low, high):
    return st.decimals(Decimal(low), Decimal(high), places=4)


plans = st.builds(
    PlanRequest,
    method=st.just("partition"),
    device=st.sampled_from(["glass", "resin"]),
    prescribed_dose_gy=between("1", "600"),
    prescribed_to=st.sampled_from(["tumour", "normal_liver", "perfused"]),
    tumour_mass_kg=between("0.001", "1.5"),
    normal_liver_mass_kg=between("0.1", "2.5"),
    tumour_to_normal_ratio=between("0.2", "20"),
    lung_shunt_fraction=between("0", "0.6"),
    residual_fraction=between("0", "0.2"),
    lung_mass_kg=between("0.3", "2"),
    previous_lung_dose_gy=between("0", "49"),
    normal_liver_dose_limit_gy=between("10", "120"),
)


@given(plans)
@settings(max_examples=150, deadline=None)
def test_every_plan_keeps_every_limit_and_the_energy(request):
    found = plan(request, SEED)
    assert found.allowed is True
    assert found.activity_gbq <= found.prescription_gbq
    assert all(found.activity_gbq <= each.activity_gbq * (1 + Decimal("1E-20")) for each in found.constraints)
    dose = found.absorbed_dose_gy
    slack = 1 + Decimal("1E-20")
    assert dose.lung <= request.lung_dose_limit_gy * slack
    assert dose.lung + request.previous_lung_dose_gy <= request.cumulative_lung_dose_limit_gy * slack
    assert dose.normal_liver <= request.normal_liver_dose_limit_gy * slack
    deposited = (
        dose.tumour * request.tumour_mass_kg
        + dose.normal_liver * request.normal_liver_mass_kg
        + dose.lung * request.lung_mass_kg
    )
    given_energy = SEED.energy_per_activity_j_gbq * found.activity_gbq * (1 - request.residual_fraction)
    assert abs(deposited - given_energy) <= given_energy * Decimal("1E-20")


@given(st.lists(st.floats(0, 1000, width=32), min_size=1, max_size=60), st.integers(1, 100))
def test_the_hottest_share_holds_at_least_its_dose(values, percent):
    volume = DoseVolume(np.sort(np.array(values, np.float32)))
    dose = volume.dose_to_hottest_gy(percent)
    assert volume.volume_fraction_at(dose) * 100 >= percent * (1 - 1e-12)
    assert volume.min_gy <= dose <= volume.max_gy


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_a_kernel_makes_no_energy_and_nothing_negative(seed):
    source = np.random.default_rng(seed).random((7, 9, 8)).astype(np.float32)
    dose = convolved(source, spacing_mm=(3.0, 4.0, 4.0), density_kg_l=1.03)
    assert dose.min() >= 0
    assert dose.max() <= source.max() * (1 + 1e-6)
    assert dose.sum(dtype=np.float64) <= source.sum(dtype=np.float64)
