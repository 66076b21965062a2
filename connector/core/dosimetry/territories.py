"""One treatment of several territories: each is planned for itself, and all share the same lungs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from connector.core.dosimetry import limits, mird
from connector.core.dosimetry.constants import Constants
from connector.core.dosimetry.limits import LIMITS_SOURCE, PRESCRIPTION, Constraint
from connector.core.dosimetry.plan import AbsorbedDose, Plan, doses_of, plan
from connector.core.dosimetry.ranges import needed
from connector.core.dosimetry.request import PlanRequest
from connector.core.errors import BadCase

COMPARTMENTS = ("tumour", "normal_liver", "perfused")


@dataclass(frozen=True, slots=True)
class Territory:
    """One injection's share: its plan by itself, and activity in GBq and doses in Gy when all limits are kept."""

    name: str
    request: PlanRequest
    plan: Plan
    activity_gbq: Decimal | None
    lung_activity_gbq: Decimal | None
    absorbed_dose_gy: AbsorbedDose


@dataclass(frozen=True, slots=True)
class Treatment:
    """
    All territories together.

    Activities are sums; doses of liver compartments are means over their masses, the dose of the lungs is the sum.
    `controlling_constraint` names a limit of all territories, else that of the first territory that one bites
    (`name: limit`), else `prescription`.
    """

    territories: tuple[Territory, ...]
    prescription_gbq: Decimal
    activity_gbq: Decimal | None
    lung_activity_gbq: Decimal | None
    absorbed_dose_gy: AbsorbedDose
    constraints: tuple[Constraint, ...]
    controlling_constraint: str
    allowed: bool | None
    warnings: tuple[str, ...]


def plan_territories(requests: Mapping[str, PlanRequest], constants: Constants) -> Treatment:
    """
    Plan each territory, then lower all alike until their lungs keep every limit together.

    The territories are disjoint parts of one liver, and the lungs are the same in every request. Raises BadCase.
    """
    if not requests:
        raise BadCase("territories", [], "one territory or more is needed")
    _check_parts(requests)
    plans = {name: _planned(name, request, constants) for name, request in requests.items()}
    before = {name: each.activity_gbq for name, each in plans.items()}
    forbidden = any(activity is None for activity in before.values())
    total = sum((activity for activity in before.values() if activity is not None), Decimal(0))
    constraints = [] if forbidden else _of_all(requests, plans, constants, total)
    controlling, smallest = limits.smallest(total, constraints)
    share = smallest / total if total else Decimal(0)
    found = tuple(
        _territory(name, requests[name], plans[name], constants, None if forbidden else share) for name in requests
    )
    return Treatment(
        territories=found,
        prescription_gbq=sum((each.prescription_gbq for each in plans.values()), Decimal(0)),
        activity_gbq=None if forbidden else smallest,
        lung_activity_gbq=_sum([each.lung_activity_gbq for each in found]),
        absorbed_dose_gy=_together(found),
        constraints=tuple(constraints),
        controlling_constraint=_first_of_one(plans) if controlling == PRESCRIPTION else controlling,
        allowed=_allowed([each.allowed for each in plans.values()]),
        warnings=tuple(dict.fromkeys(f"{name}: {text}" for name, each in plans.items() for text in each.warnings)),
    )


def doses_of_all(given: Mapping[str, tuple[PlanRequest, Decimal | None]], constants: Constants) -> AbsorbedDose:
    """Doses in Gy of all territories together when each gets this activity in GBq at injection."""
    found = []
    for name, (request, activity) in given.items():
        lung_activity, doses = doses_of(activity, request, constants)
        found.append(Territory(name, request, plan(request, constants), activity, lung_activity, doses))
    return _together(found)


def _together(territories: Sequence[Territory]) -> AbsorbedDose:
    return AbsorbedDose(
        **{name: _mean(territories, name) for name in COMPARTMENTS},
        lung=_sum([each.absorbed_dose_gy.lung for each in territories]),
    )


def _check_parts(requests: Mapping[str, PlanRequest]) -> None:
    """Several territories of a method that plans by the whole liver must be parts of it, or each would get it all."""
    treated = Decimal(0)
    for name, request in requests.items():
        if len(requests) == 1 or request.method not in {"empiric", "bsa"}:
            return
        treated += needed("treated_volume_ml", request.treated_volume_ml, by=f"{request.method} in territory {name}")
        if request.liver_volume_ml is not None and treated > request.liver_volume_ml:
            raise BadCase("treated_volume_ml", str(treated), "the territories together are larger than liver_volume_ml")


def _planned(name: str, request: PlanRequest, constants: Constants) -> Plan:
    try:
        return plan(request, constants)
    except BadCase as fault:
        raise BadCase(fault.field, fault.value, f"{fault.message} (territory {name})") from None


def _territory(name: str, request: PlanRequest, made: Plan, constants: Constants, share: Decimal | None) -> Territory:
    activity = None if share is None or made.activity_gbq is None else made.activity_gbq * share
    lung_activity, doses = doses_of(activity, request, constants)
    return Territory(name, request, made, activity, lung_activity, doses)


def _of_all(
    requests: Mapping[str, PlanRequest], plans: Mapping[str, Plan], constants: Constants, total: Decimal
) -> list[Constraint]:
    """The limits of the lungs on the sum of all territories, in the proportions planned."""
    any_request = next(iter(requests.values()))
    in_lung = _sum([each.lung_activity_gbq for each in plans.values()])
    if not in_lung:
        return []
    found = []
    if any_request.method == "mird":
        limit = mird.LUNG_ACTIVITY_LIMIT_GBQ
        found.append(Constraint("lung_activity", limit, "GBq", total * limit / in_lung, mird.SOURCE))
    lung_gy = _sum([doses_of(each.activity_gbq, requests[name], constants)[1].lung for name, each in plans.items()])
    if lung_gy:
        left = max(any_request.cumulative_lung_dose_limit_gy - (any_request.previous_lung_dose_gy or 0), Decimal(0))
        for name, limit, free in (
            ("lung_dose", any_request.lung_dose_limit_gy, any_request.lung_dose_limit_gy),
            ("cumulative_lung_dose", any_request.cumulative_lung_dose_limit_gy, left),
        ):
            found.append(Constraint(name, limit, "Gy", total * free / lung_gy, LIMITS_SOURCE))
    return found


def _sum(values: Sequence[Decimal | None]) -> Decimal | None:
    """A sum of what is known; None when one of them is not."""
    known = [value for value in values if value is not None]
    return sum(known, Decimal(0)) if len(known) == len(values) else None


def _mean(territories: Sequence[Territory], compartment: str) -> Decimal | None:
    """Mean over the masses of a compartment; None where it is not known in a territory that has it."""
    energy = mass = Decimal(0)
    for each in territories:
        dose, weight = getattr(each.absorbed_dose_gy, compartment), _mass_kg(each, compartment)
        if weight == 0:
            continue
        if dose is None or weight is None:
            return None
        energy, mass = energy + dose * weight, mass + weight
    return energy / mass if mass else None


def _mass_kg(territory: Territory, compartment: str) -> Decimal | None:
    made = territory.plan
    if compartment == "tumour":
        return made.tumour_mass_kg
    if compartment == "normal_liver":
        return made.normal_liver_mass_kg
    if territory.request.perfused_mass_kg is not None:
        return territory.request.perfused_mass_kg
    return _sum([made.tumour_mass_kg, made.normal_liver_mass_kg])


def _first_of_one(plans: Mapping[str, Plan]) -> str:
    bitten = (f"{name}: {made.controlling_constraint}" for name, made in plans.items()
              if made.controlling_constraint != PRESCRIPTION)  # fmt: skip
    return next(bitten, PRESCRIPTION)


def _allowed(answers: Sequence[bool | None]) -> bool | None:
    """A "no" of one forbids all; a limit that could not be checked leaves all open."""
    if False in answers:
        return False
    return None if None in answers else True
