"""The numbers of a plan in the contract's names, for one territory and for several."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from connector.core.dosimetry.limits import Constraint
from connector.core.dosimetry.plan import AbsorbedDose, Plan


def number(value: Decimal | None) -> float | None:
    """A decimal as JSON's number; null stays."""
    return None if value is None else float(value)


def plan_answer(result: Plan) -> dict[str, Any]:
    """One plan as `connector dose plan` prints it, without its advice."""
    given = result.given
    return {
        "activity_gbq": number(result.activity_gbq),
        "prescription_gbq": number(result.prescription_gbq),
        "lung_activity_gbq": number(result.lung_activity_gbq),
        "absorbed_dose_gy": doses_answer(result.absorbed_dose_gy),
        "constraints": constraints_answer(result.constraints),
        "controlling_constraint": result.controlling_constraint,
        "allowed": result.allowed,
        "given": None
        if given is None
        else {
            "activity_gbq": number(given.activity_gbq),
            "lung_activity_gbq": number(given.lung_activity_gbq),
            "absorbed_dose_gy": doses_answer(given.absorbed_dose_gy),
            "exceeds": list(given.exceeds),
        },
        **foundations(result),
        "warnings": list(result.warnings),
    }


def foundations(result: Plan) -> dict[str, Any]:
    """What the numbers stand on."""
    return {
        "formula": result.formula,
        "constants": constants_answer(result.constants.as_text()),
        "conflicts": list(result.conflicts),
        "sources": [str(source) for source in result.sources],
        "status": "draft for a tumour board: a physician prescribes",
    }


def doses_answer(dose: AbsorbedDose) -> dict[str, float | None]:
    """Doses by compartment; null where a compartment is not in the plan."""
    return {
        "tumour": number(dose.tumour),
        "normal_liver": number(dose.normal_liver),
        "perfused": number(dose.perfused),
        "lung": number(dose.lung),
    }


def constraints_answer(constraints: Iterable[Constraint]) -> list[dict[str, Any]]:
    """Every limit that was checked, with the activity that just keeps it."""
    return [
        {
            "name": constraint.name,
            "limit": number(constraint.limit),
            "unit": constraint.unit,
            "activity_gbq": number(constraint.activity_gbq),
            "source": str(constraint.source),
        }
        for constraint in constraints
    ]


def constants_answer(texts: Any) -> dict[str, Any]:
    """Constants with their numbers as numbers."""
    words = {"profile", "nuclide", "source", "kernel"}
    return {name: text if name in words else float(text) for name, text in texts.items()}
