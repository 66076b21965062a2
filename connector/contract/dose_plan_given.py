"""Other words for what a plan needs: an assayed activity, and ratios of activities instead of concentrations."""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from connector.contract.reading import CaseModel, Exact
from connector.core.dosimetry import compartments, delivery
from connector.core.dosimetry.constants import Constants
from connector.core.dosimetry.ranges import RANGES, check, needed
from connector.core.dosimetry.request import PlanRequest
from connector.core.errors import BadCase

# A case holds 20 digits at most, and a ratio made here is held to the same.
RATIO_QUANTUM = Decimal("1E-18")


def limited(field: str) -> Any:
    """Print the core's range of a field in the schema; the core alone enforces it."""
    return Field(default=None, json_schema_extra={**RANGES[field].as_schema()})


class Assays(CaseModel):
    """A vial measured before the injection, and what was left measured after it; hours are 0 or more."""

    assayed_gbq: Exact
    hours_from_assay_to_injection: Exact = Decimal(0)
    residue_gbq: Exact = Decimal(0)
    hours_from_injection_to_residue: Exact = Decimal(0)


class GivenCase(CaseModel):
    """
    An activity whose doses are asked for, and the other definitions of ratio and shunt.

    `given_activity_gbq` is at injection, residue included; `administration` gives the net activity from two assays.
    `tumour_to_normal_activity_ratio` is A_T/A_N and `tumour_lung_shunt_fraction` A_L/(A_T + A_L) (Kao 2014): each is
    turned into the ratio of concentrations and the shunt of all activity.
    """

    given_activity_gbq: Annotated[Exact | None, limited("given_activity_gbq")] = None
    administration: Assays | None = None
    tumour_to_normal_activity_ratio: Annotated[Exact | None, limited("tumour_to_normal_activity_ratio")] = None
    tumour_lung_shunt_fraction: Annotated[Exact | None, limited("tumour_lung_shunt_fraction")] = None


def given_as_net(case: GivenCase, constants: Constants) -> dict[str, Any]:
    """Fields of the request, with the net activity of an administration as given and no further residue."""
    asked = {name: getattr(case, name) for name in PlanRequest.__slots__ if hasattr(case, name)}
    assays = case.administration
    if assays is None:
        return asked
    if case.given_activity_gbq is not None:
        raise BadCase("given_activity_gbq", str(case.given_activity_gbq), "administration is given too: leave one out")
    if asked["residual_fraction"]:
        raise BadCase(
            "residual_fraction", str(asked["residual_fraction"]), "administration tells the residue: leave it out"
        )
    for field in Assays.model_fields:
        value = getattr(assays, field)
        if value < 0 or (field == "assayed_gbq" and value == 0):
            raise BadCase(f"administration.{field}", str(value), "out of range: an activity above 0, hours 0 or more")
    net = delivery.net_activity_gbq(
        before_gbq=assays.assayed_gbq,
        hours_from_before_to_injection=assays.hours_from_assay_to_injection,
        residue_gbq=assays.residue_gbq,
        hours_from_injection_to_residue=assays.hours_from_injection_to_residue,
        half_life_h=constants.half_life_h,
    )
    return {**asked, "given_activity_gbq": net}


def concentrations(case: GivenCase, asked: dict[str, Any]) -> dict[str, Any]:
    """Fields of the request with T/N as a ratio of concentrations and the shunt of all activity. Raises BadCase."""
    ratio, shunt = case.tumour_to_normal_activity_ratio, case.tumour_lung_shunt_fraction
    check("tumour_to_normal_activity_ratio", ratio)
    check("tumour_lung_shunt_fraction", shunt)
    if shunt is not None:
        _only_one("tumour_lung_shunt_fraction", shunt, "lung_shunt_fraction", asked)
        of_all = compartments.lung_shunt_from_tumour_to_lung(
            tumour_lung_shunt_fraction=shunt,
            activity_ratio=needed("tumour_to_normal_activity_ratio", ratio, by="tumour_lung_shunt_fraction"),
        )
        asked = {**asked, "lung_shunt_fraction": of_all.quantize(RATIO_QUANTUM)}
    if ratio is not None:
        _only_one("tumour_to_normal_activity_ratio", ratio, "tumour_to_normal_ratio", asked)
        by_mass = compartments.concentration_ratio(
            activity_ratio=ratio,
            tumour_mass_kg=_positive_mass("tumour_mass_kg", asked),
            normal_liver_mass_kg=_positive_mass("normal_liver_mass_kg", asked),
        )
        asked = {**asked, "tumour_to_normal_ratio": by_mass.quantize(RATIO_QUANTUM)}
    return asked


def _only_one(field: str, value: Decimal, other: str, asked: dict[str, Any]) -> None:
    if asked.get(other) is not None:
        raise BadCase(field, str(value), f"{other} is given too: leave out one of the two")


def _positive_mass(field: str, asked: dict[str, Any]) -> Decimal:
    mass = needed(field, asked.get(field), by="tumour_to_normal_activity_ratio")
    if mass <= 0:
        raise BadCase(field, str(mass), "a ratio of activities needs a mass above 0: use tumour_to_normal_ratio")
    return mass
