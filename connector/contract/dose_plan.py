"""`connector dose plan`: reads a case, asks the core for the plan, and answers in the contract's names."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field

from connector.contract import dose_plan_territories as several
from connector.contract.dose_plan_advice import AdviceCase, advice, uncertainty_of
from connector.contract.dose_plan_answer import plan_answer
from connector.contract.dose_plan_given import GivenCase, concentrations, given_as_net, limited
from connector.contract.reading import Exact, parse, versions
from connector.core.dosimetry.constants import DEFAULT_PROFILE, YTTRIUM_PROFILES, constants_for, with_energy
from connector.core.dosimetry.plan import plan
from connector.core.dosimetry.ranges import check
from connector.core.dosimetry.request import Device, Method, PlanRequest


class PlanCase(AdviceCase, GivenCase):
    """A case of `connector dose plan`; units are in the names, masses and volumes as in the manual."""

    method: Method
    device: Device
    tumour_volume_ml: Annotated[Exact | None, limited("tumour_volume_ml")] = None
    liver_volume_ml: Annotated[Exact | None, limited("liver_volume_ml")] = None
    treated_volume_ml: Annotated[Exact | None, limited("treated_volume_ml")] = None
    treated_tumour_volume_ml: Annotated[Exact | None, limited("treated_tumour_volume_ml")] = None
    height_m: Annotated[Exact | None, limited("height_m")] = None
    weight_kg: Annotated[Exact | None, limited("weight_kg")] = None
    perfused_mass_kg: Annotated[Exact | None, limited("perfused_mass_kg")] = None
    tumour_mass_kg: Annotated[Exact | None, limited("tumour_mass_kg")] = None
    normal_liver_mass_kg: Annotated[Exact | None, limited("normal_liver_mass_kg")] = None
    tumour_to_normal_ratio: Annotated[Exact | None, limited("tumour_to_normal_ratio")] = None
    lung_shunt_fraction: Annotated[Exact | None, limited("lung_shunt_fraction")] = None
    residual_fraction: Annotated[Exact, limited("residual_fraction")] = Decimal(0)
    lung_mass_kg: Annotated[Exact | None, limited("lung_mass_kg")] = None
    lung_mass_convention: Literal["1kg"] | None = None
    previous_lung_dose_gy: Annotated[Exact | None, limited("previous_lung_dose_gy")] = None
    prescribed_dose_gy: Annotated[Exact | None, limited("prescribed_dose_gy")] = None
    prescribed_to: Literal["perfused", "normal_liver", "tumour"] | None = None
    lung_dose_limit_gy: Annotated[Exact, limited("lung_dose_limit_gy")] = Decimal(30)
    cumulative_lung_dose_limit_gy: Annotated[Exact, limited("cumulative_lung_dose_limit_gy")] = Decimal(50)
    normal_liver_dose_limit_gy: Annotated[Exact | None, limited("normal_liver_dose_limit_gy")] = None
    constants: Annotated[str, Field(json_schema_extra={"enum": sorted(YTTRIUM_PROFILES)})] = DEFAULT_PROFILE
    energy_per_activity_j_gbq: Annotated[Exact | None, limited("energy_per_activity_j_gbq")] = None
    territories: Annotated[list[several.TerritoryCase], Field(min_length=1)] | None = None


def run(case: Any) -> dict[str, Any]:
    """Answer one parsed case. Raises BadCase with the field, its value and what to do."""
    read = parse(PlanCase, case)
    constants = constants_for(read.constants)
    if read.energy_per_activity_j_gbq is not None:
        check("energy_per_activity_j_gbq", read.energy_per_activity_j_gbq)
        constants = with_energy(constants, read.energy_per_activity_j_gbq)
    asked = concentrations(read, given_as_net(read, constants))
    if read.territories is not None:
        return {**several.answer(read.territories, asked, constants, uncertainty_of(read)), "versions": versions()}
    request = PlanRequest(**asked)
    result = plan(request, constants)
    return {**plan_answer(result), **advice(read, request, result), "versions": versions()}


SCHEMAS = {"dose-plan": PlanCase}
