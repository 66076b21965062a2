"""The plan's core by itself: what compartments and constants refuse and give, whoever calls."""

from decimal import Decimal

import pytest

from connector.core.dosimetry import compartments
from connector.core.dosimetry.constants import constants_for, is_planned_for
from connector.core.dosimetry.plan import plan
from connector.core.dosimetry.ranges import check
from connector.core.dosimetry.request import PlanRequest
from connector.core.errors import BadCase, ImpossibleInput
from connector.core.nuclides import nuclide


def test_the_core_refuses_by_itself():
    with pytest.raises(BadCase, match="method"):
        PlanRequest(method="guess", device="glass")
    with pytest.raises(BadCase, match="prescribed_to"):
        PlanRequest(method="mird", device="glass", prescribed_to="spleen")
    with pytest.raises(BadCase, match="finite"):
        check("weight_kg", Decimal("NaN"))
    with pytest.raises(BadCase, match="is needed by empiric"):
        plan(PlanRequest(method="empiric", device="resin"), constants_for())


def test_a_shunt_in_which_nothing_is_left_for_the_tumour_is_refused():
    with pytest.raises(BadCase, match="tumour_lung_shunt_fraction"):
        compartments.lung_shunt_from_tumour_to_lung(tumour_lung_shunt_fraction=Decimal(1), activity_ratio=Decimal(2))


def test_other_nuclides_have_their_own_constants():
    holmium = constants_for(nuclide_name="Ho-166")
    assert float(holmium.energy_per_activity_j_gbq) == pytest.approx(15.529, rel=1e-3)
    assert "icrp107" in holmium.profile
    assert is_planned_for("Ho-166")
    assert not is_planned_for("Lu-177")
    assert not is_planned_for("F-18")
    with pytest.raises(ImpossibleInput, match="no dosimetry for the nuclide"):
        constants_for(nuclide_name="F-18")
    assert float(nuclide("Y-90").decay_constant_per_h) == pytest.approx(0.0108136, rel=1e-5)
