"""`connector dose plan`: reads a case, asks the core for the plan, and answers in the contract's names."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field

from connector.contract.dose_plan_advice import AdviceCase, advice
from connector.contract.reading import Exact, parse, versions
from connector.core.dosimetry.constants import DEFAULT_PROFILE, YTTRIUM_PROFILES, constants_for, with_energy
from connector.core.dosimetry.plan import Plan, plan
from connector.core.dosimetry.ranges import RANGES, check
from connector.core.dosimetry.request import PlanRequest


def _limited(field: str) -> Any:
    """Print the core's range of a field in the schema; the core alone enforces it."""
    return Field(default=None, json_schema_extra={**RANGES[field].as_schema()})


class PlanCase(AdviceCase):
    """A case of `connector dose plan`; units are in the names, masses and volumes as in the manual."""

    method: Literal["empiric", "bsa", "mird", "partition"]
    device: Literal["resin", "glass"]
    tumour_volume_ml: Annotated[Exact | None, _limited("tumour_volume_ml")] = None
    liver_volume_ml: Annotated[Exact | None, _limited("liver_volume_ml")] = None
    treated_volume_ml: Annotated[Exact | None, _limited("treated_volume_ml")] = None
    treated_tumour_volume_ml: Annotated[Exact | None, _limited("treated_tumour_volume_ml")] = None
    height_m: Annotated[Exact | None, _limited("height_m")] = None
    weight_kg: Annotated[Exact | None, _limited("weight_kg")] = None
    perfused_mass_kg: Annotated[Exact | None, _limited("perfused_mass_kg")] = None
    tumour_mass_kg: Annotated[Exact | None, _limited("tumour_mass_kg")] = None
    normal_liver_mass_kg: Annotated[Exact | None, _limited("normal_liver_mass_kg")] = None
    tumour_to_normal_ratio: Annotated[Exact | None, _limited("tumour_to_normal_ratio")] = None
    lung_shunt_fraction: Annotated[Exact | None, _limited("lung_shunt_fraction")] = None
    residual_fraction: Annotated[Exact, _limited("residual_fraction")] = Decimal(0)
    lung_mass_kg: Annotated[Exact | None, _limited("lung_mass_kg")] = None
    lung_mass_convention: Literal["1kg"] | None = None
    previous_lung_dose_gy: Annotated[Exact | None, _limited("previous_lung_dose_gy")] = None
    prescribed_dose_gy: Annotated[Exact | None, _limited("prescribed_dose_gy")] = None
    prescribed_to: Literal["perfused", "normal_liver", "tumour"] | None = None
    lung_dose_limit_gy: Annotated[Exact, _limited("lung_dose_limit_gy")] = Decimal(30)
    cumulative_lung_dose_limit_gy: Annotated[Exact, _limited("cumulative_lung_dose_limit_gy")] = Decimal(50)
    normal_liver_dose_limit_gy: Annotated[Exact | None, _limited("normal_liver_dose_limit_gy")] = None
    constants: Annotated[str, Field(json_schema_extra={"enum": sorted(YTTRIUM_PROFILES)})] = DEFAULT_PROFILE
    energy_per_activity_j_gbq: Annotated[Exact | None, _limited("energy_per_activity_j_gbq")] = None


def run(case: Any) -> dict[str, Any]:
    """Answer one parsed case. Raises BadCase with the field, its value and what to do."""
    read = parse(PlanCase, case)
    constants = constants_for(read.constants)
    if read.energy_per_activity_j_gbq is not None:
        check("energy_per_activity_j_gbq", read.energy_per_activity_j_gbq)
        constants = with_energy(constants, read.energy_per_activity_j_gbq)
    other = {"constants", "energy_per_activity_j_gbq", *AdviceCase.model_fields}
    request = PlanRequest(**read.model_dump(exclude=other))
    result = plan(request, constants)
    return {**_answer(result), **advice(read, request, result), "versions": versions()}


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _answer(result: Plan) -> dict[str, Any]:
    dose = result.absorbed_dose_gy
    return {
        "activity_gbq": _number(result.activity_gbq),
        "prescription_gbq": _number(result.prescription_gbq),
        "lung_activity_gbq": _number(result.lung_activity_gbq),
        "absorbed_dose_gy": {
            "tumour": _number(dose.tumour),
            "normal_liver": _number(dose.normal_liver),
            "perfused": _number(dose.perfused),
            "lung": _number(dose.lung),
        },
        "constraints": [
            {
                "name": constraint.name,
                "limit": _number(constraint.limit),
                "unit": constraint.unit,
                "activity_gbq": _number(constraint.activity_gbq),
                "source": str(constraint.source),
            }
            for constraint in result.constraints
        ],
        "controlling_constraint": result.controlling_constraint,
        "allowed": result.allowed,
        "formula": result.formula,
        "constants": constants_answer(result.constants.as_text()),
        "warnings": list(result.warnings),
        "sources": [str(source) for source in result.sources],
        "status": "draft for a tumour board: a physician prescribes",
    }


def constants_answer(texts: Any) -> dict[str, Any]:
    """Constants with their numbers as numbers."""
    words = {"profile", "nuclide", "source", "kernel"}
    return {name: text if name in words else float(text) for name, text in texts.items()}


SCHEMAS = {"dose-plan": PlanCase}
