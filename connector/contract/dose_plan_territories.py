"""A case of several territories: what is of each stands in it, what is of the patient stands once."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from connector.contract.dose_plan_advice import ends, uncertainty_answer
from connector.contract.dose_plan_answer import constraints_answer, doses_answer, foundations, number
from connector.contract.dose_plan_given import limited
from connector.contract.reading import CaseModel, Exact, Line
from connector.core.dosimetry.constants import Constants
from connector.core.dosimetry.request import PlanRequest
from connector.core.dosimetry.territories import Territory, plan_territories
from connector.core.dosimetry.uncertainty import (
    RelativeUncertainty,
    activity_interval,
    dose_intervals,
    treatment_intervals,
)
from connector.core.errors import BadCase

# Of one territory: taken from the case by several, the same liver would be treated several times.
_OF_ONE = ("treated_volume_ml", "treated_tumour_volume_ml", "perfused_mass_kg", "tumour_mass_kg",
           "normal_liver_mass_kg", "given_activity_gbq")  # fmt: skip


class TerritoryCase(CaseModel):
    """
    Fields of one perfused territory; one that is left out is that of the case.

    Sizes and a given activity of several territories stand in each of them and not in the case.
    """

    name: Line
    treated_volume_ml: Annotated[Exact | None, limited("treated_volume_ml")] = None
    treated_tumour_volume_ml: Annotated[Exact | None, limited("treated_tumour_volume_ml")] = None
    perfused_mass_kg: Annotated[Exact | None, limited("perfused_mass_kg")] = None
    tumour_mass_kg: Annotated[Exact | None, limited("tumour_mass_kg")] = None
    normal_liver_mass_kg: Annotated[Exact | None, limited("normal_liver_mass_kg")] = None
    tumour_to_normal_ratio: Annotated[Exact | None, limited("tumour_to_normal_ratio")] = None
    lung_shunt_fraction: Annotated[Exact | None, limited("lung_shunt_fraction")] = None
    residual_fraction: Annotated[Exact | None, limited("residual_fraction")] = None
    prescribed_dose_gy: Annotated[Exact | None, limited("prescribed_dose_gy")] = None
    prescribed_to: Literal["perfused", "normal_liver", "tumour"] | None = None
    normal_liver_dose_limit_gy: Annotated[Exact | None, limited("normal_liver_dose_limit_gy")] = None
    given_activity_gbq: Annotated[Exact | None, limited("given_activity_gbq")] = None


def answer(
    territories: Sequence[TerritoryCase], asked: Mapping[str, Any], constants: Constants, known: RelativeUncertainty
) -> dict[str, Any]:
    """Plan all territories and give the case's answer, with that of each. Raises BadCase."""
    treatment = plan_territories(_requests(territories, asked), constants)
    first = treatment.territories[0].plan
    activity, doses = treatment_intervals(treatment, constants, known)
    return {
        "activity_gbq": number(treatment.activity_gbq),
        "prescription_gbq": number(treatment.prescription_gbq),
        "lung_activity_gbq": number(treatment.lung_activity_gbq),
        "absorbed_dose_gy": doses_answer(treatment.absorbed_dose_gy),
        "constraints": constraints_answer(treatment.constraints),
        "controlling_constraint": treatment.controlling_constraint,
        "allowed": treatment.allowed,
        "interval_gbq": None if activity is None else ends(activity),
        "interval_gy": {name: ends(each) for name, each in doses.items()},
        "territories": [_territory(each, constants, known) for each in treatment.territories],
        "uncertainty": uncertainty_answer(known),
        **foundations(first),
        "warnings": list(treatment.warnings),
    }


def _requests(territories: Sequence[TerritoryCase], asked: Mapping[str, Any]) -> dict[str, PlanRequest]:
    for field in _OF_ONE:
        if len(territories) > 1 and asked.get(field) is not None:
            raise BadCase(field, str(asked[field]), "is of one territory: give it in each of them, not for all")
    requests: dict[str, PlanRequest] = {}
    for number_of, each in enumerate(territories):
        if each.name in requests:
            raise BadCase(f"territories.{number_of}.name", each.name, "is given twice: name each territory differently")
        own = {name: value for name, value in each.model_dump(exclude={"name"}).items() if value is not None}
        try:
            requests[each.name] = PlanRequest(**{**asked, **own})
        except BadCase as fault:
            raise BadCase(f"territories.{number_of}.{fault.field}", fault.value, fault.message) from None
    return requests


def _territory(territory: Territory, constants: Constants, known: RelativeUncertainty) -> dict[str, Any]:
    made = territory.plan
    needed = activity_interval(territory.request, constants, known, made)
    doses = dose_intervals(territory.activity_gbq, territory.request, constants, known)
    return {
        "name": territory.name,
        "activity_gbq": number(territory.activity_gbq),
        "prescription_gbq": number(made.prescription_gbq),
        "lung_activity_gbq": number(territory.lung_activity_gbq),
        "absorbed_dose_gy": doses_answer(territory.absorbed_dose_gy),
        "constraints": constraints_answer(made.constraints),
        "controlling_constraint": made.controlling_constraint,
        "allowed": made.allowed,
        "interval_gbq": None if needed is None else ends(needed),
        "interval_gy": {name: ends(each) for name, each in doses.items()},
    }
