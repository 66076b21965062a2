"""How a published dosimetry case is put to this program; shared by the files that answer."""

from decimal import Decimal

import pytest

from connector.contract import dose_plan
from connector.core.errors import BadCase

# Expected entries that are remarks, wrong values that must not come out, or what other programs gave.
REMARKS = frozenset({"note", "error", "A_wrong", "overdose_ratio", "D_peer", "single_compartment"})


def dec(value):
    return Decimal(str(value))


def plan(**case):
    return dose_plan.run(
        {"device": "glass", **{name: dec(v) if isinstance(v, (int, float)) else v for name, v in case.items()}}
    )


def refused(field, words, run, **case):
    """Run must be refused by a field; gives a check that never fails afterwards."""
    with pytest.raises(BadCase) as fault:
        run(**case)
    assert fault.value.field == field
    assert words in fault.value.message
    return lambda _expected: None


def partition_plan(i, dose, **more):
    return plan(
        method="partition", prescribed_dose_gy=dose, tumour_mass_kg=i.m_tumour, normal_liver_mass_kg=i.m_normal,
        tumour_to_normal_ratio=more.pop("ratio", None) or i.t_n, lung_mass_kg=1, **more,
    )  # fmt: skip
