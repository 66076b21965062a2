"""`connector dose fit`: a time course to a dose, or the limits on radioiodine, in the contract's names."""

from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import Field

from connector.contract.dose_fit_tissue import TissueCase, tissue_answer
from connector.contract.dose_plan_answer import constants_answer
from connector.contract.reading import CaseModel, Exact, parse, versions
from connector.core.dosimetry import kinetics, systemic
from connector.core.dosimetry.constants import constants_for
from connector.core.dosimetry.photons import SOURCE as PHOTON_SOURCE
from connector.core.dosimetry.ranges import PERCENT, RANGES, check
from connector.core.dosimetry.systemic import ActivityLimit
from connector.core.errors import BadCase

Nuclide = Literal["I-131", "Lu-177", "Y-90", "Tc-99m", "Ho-166"]
ZERO_OR_MORE = {"minimum": 0}
ABOVE_ZERO = {"exclusiveMinimum": 0}
FRACTION = {"minimum": 0, "maximum": 1}
HOURS_OF_RETENTION = 48
# A retention above 1 is a measurement that is off; above this it is a percentage.
PERCENT_FROM = Decimal(2)


class Sample(CaseModel):
    """One measurement: hours after administration, and the value in the case's quantity, not corrected for decay."""

    hours: Annotated[Exact, Field(json_schema_extra=ZERO_OR_MORE)]
    value: Annotated[Exact, Field(json_schema_extra=ZERO_OR_MORE)]


class FitCase(TissueCase):
    """A time course; `weights` multiply the squared misfits, one for each sample."""

    nuclide: Nuclide
    samples: list[Sample]
    quantity: Literal["retained_fraction", "activity_mbq"]
    model: Literal["mono", "bi", "uptake_clearance", "single_point"]
    mass_g: Annotated[Exact | None, Field(json_schema_extra=ABOVE_ZERO)] = None
    administered_activity_mbq: Annotated[Exact | None, Field(json_schema_extra=ABOVE_ZERO)] = None
    weights: list[Exact] | None = None


class IodineLimit(CaseModel):
    """What every limit may hold: its nuclide, once more."""

    nuclide: Literal["I-131"] = "I-131"


class BloodLimit(IodineLimit):
    """2 Gy to the blood; without blood samples the height and sex give the blood's share of the body."""

    limit: Literal["blood"]
    residence_time_total_body_h: Annotated[Exact, Field(json_schema_extra=ZERO_OR_MORE)]
    weight_kg: Annotated[Exact, Field(json_schema_extra={**RANGES["weight_kg"].as_schema()})]
    residence_time_per_ml_h: Annotated[Exact | None, Field(json_schema_extra=ZERO_OR_MORE)] = None
    height_m: Annotated[Exact | None, Field(json_schema_extra={**RANGES["height_m"].as_schema()})] = None
    sex: Literal["male", "female"] | None = None


class RetentionLimit(IodineLimit):
    """120 mCi (80 mCi with diffuse lung metastases) retained at 48 h; the fraction includes physical decay."""

    limit: Literal["retention_48h"]
    retained_fraction_48h: Annotated[Exact, Field(json_schema_extra={"exclusiveMinimum": 0, "maximum": 1})]
    diffuse_lung_metastases: bool | None = None


class CumulativeLimit(IodineLimit):
    """600 mCi (22.2 GBq) over a lifetime."""

    limit: Literal["cumulative"]
    previous_activity_gbq: Annotated[Exact, Field(json_schema_extra=ZERO_OR_MORE)]
    proposed_activity_gbq: Annotated[Exact | None, Field(json_schema_extra=ABOVE_ZERO)] = None


AnyLimit = Annotated[BloodLimit | RetentionLimit | CumulativeLimit, Field(discriminator="limit")]


class LimitsCase(CaseModel):
    """One or several limits on radioiodine; the smallest activity controls."""

    nuclide: Literal["I-131"]
    limits: Annotated[list[AnyLimit], Field(min_length=1)]


_LIMITS: dict[str, type[BloodLimit | RetentionLimit | CumulativeLimit]] = {
    "blood": BloodLimit,
    "retention_48h": RetentionLimit,
    "cumulative": CumulativeLimit,
}


def run(case: Any) -> dict[str, Any]:
    """Answer one parsed case. Raises BadCase with the field, its value and what to do."""
    if isinstance(case, dict) and "limits" in case:
        limits = parse(LimitsCase, case).limits
        return _limits([(f"limits.{number}.", limit) for number, limit in enumerate(limits)])
    if isinstance(case, dict) and "limit" in case:
        return _limits([("", _single_limit(case))])
    return _fit(parse(FitCase, case))


def _single_limit(case: dict[str, Any]) -> BloodLimit | RetentionLimit | CumulativeLimit:
    """A limit that stands in the case itself, beside the nuclide."""
    if case.get("nuclide") != "I-131":
        raise BadCase("nuclide", case.get("nuclide"), "the limits are those of radioiodine: I-131 is needed")
    model = _LIMITS.get(case["limit"]) if isinstance(case["limit"], str) else None
    if model is None:
        raise BadCase("limit", case["limit"], f"unknown: use one of {', '.join(_LIMITS)}")
    return parse(model, case)


def _above_zero(field: str, value: Decimal | None) -> None:
    if value is not None and value <= 0:
        raise BadCase(field, str(value), "out of range: give a value above 0")


def _zero_or_more(field: str, value: Decimal | None) -> None:
    if value is not None and value < 0:
        raise BadCase(field, str(value), "out of range: give 0 or more")


def _fraction(field: str, value: Decimal) -> None:
    _zero_or_more(field, value)
    if value > 1:
        raise BadCase(field, str(value), PERCENT)


def _of_body(place: str, field: str, value: Decimal | None) -> None:
    """Refuse a height or weight of no person, with the place of the limit before its name."""
    try:
        check(field, value)
    except BadCase as fault:
        raise BadCase(f"{place}{field}", fault.value, fault.message) from None


def _retention(field: str, value: Decimal) -> None:
    _zero_or_more(field, value)
    if 1 < value <= PERCENT_FROM:
        message = f"{PERCENT}; if not, more is left than was given: divide all by the first measurement"
        raise BadCase(field, str(value), message)
    _fraction(field, value)


def _fit(case: FitCase) -> dict[str, Any]:
    fractions = case.quantity == "retained_fraction"
    _above_zero("mass_g", case.mass_g)
    _above_zero("administered_activity_mbq", case.administered_activity_mbq)
    for number, sample in enumerate(case.samples):
        _zero_or_more(f"samples.{number}.hours", sample.hours)
        if fractions:
            _retention(f"samples.{number}.value", sample.value)
    if fractions and case.model in {"mono", "bi"}:
        _refuse_rising(case.samples)
    fitted = kinetics.fit(
        [float(sample.hours) for sample in case.samples],
        [float(sample.value) for sample in case.samples],
        model=case.model,
        physical_half_life_h=float(constants_for(nuclide_name=case.nuclide).half_life_h),
        weights=None if case.weights is None else [float(weight) for weight in case.weights],
    )
    dose, photons, warnings = _dose(case, fitted)
    administered = case.administered_activity_mbq
    meaning, doubts = tissue_answer(
        case,
        fitted,
        dose,
        photon_dose_gy=photons,
        nuclide=case.nuclide,
        administered_gbq=None if administered is None else float(administered) / 1000,
    )
    return {
        "time_integrated_activity": fitted.time_integrated,
        "unit": "h" if fractions else "MBq h",
        "effective_half_life_h": fitted.effective_half_life_h,
        "fit": {
            "model": fitted.model,
            "components": [
                {
                    "amplitude": phase.amplitude,
                    "decay_constant_per_h": phase.decay_constant_per_h,
                    "half_life_h": phase.half_life_h,
                }
                for phase in fitted.phases
            ],
            "residuals": list(fitted.residuals),
            "time_integrated_activity_standard_uncertainty": fitted.standard_uncertainty,
        },
        "extrapolated_fraction": fitted.extrapolated_fraction,
        "absorbed_dose_gy": dose,
        "photon_self_dose_gy": photons,
        "retained_fraction_48h": _retained(case, fitted),
        **meaning,
        "constants": constants_answer(constants_for(nuclide_name=case.nuclide).as_text()),
        "warnings": [*fitted.warnings, *warnings, *doubts],
        "sources": [str(PHOTON_SOURCE)] if photons else [],
        "versions": versions(),
    }


def _refuse_rising(samples: list[Sample]) -> None:
    for number, (earlier, later) in enumerate(pairwise(samples), start=1):
        if later.value > earlier.value:
            raise BadCase(
                f"samples.{number}.value",
                str(later.value),
                f"retention rises from {earlier.value}: normalise to the first measurement, or fit uptake_clearance",
            )


def _retained(case: FitCase, fitted: kinetics.Fit) -> float | None:
    """Fraction of what was given that is left after 48 h, decay included; None where it cannot be told."""
    if not fitted.phases:
        return None
    left = fitted.at(HOURS_OF_RETENTION)
    if case.quantity == "retained_fraction":
        return left
    return None if case.administered_activity_mbq is None else left / float(case.administered_activity_mbq)


def _dose(case: FitCase, fitted: kinetics.Fit) -> tuple[float | None, float | None, list[str]]:
    """Dose in Gy by electrons, by the mass's own photons (None where they are not known), and warnings."""
    if case.mass_g is None:
        return None, None, []
    area = fitted.time_integrated
    if case.quantity == "retained_fraction":
        if case.administered_activity_mbq is None:
            return None, None, ["no dose from fractions: administered_activity_mbq is missing"]
        area *= float(case.administered_activity_mbq)
    dose = systemic.electron_dose_gy(nuclide_name=case.nuclide, time_integrated_mbq_h=area, mass_g=case.mass_g)
    photons = systemic.photon_self_dose_gy(nuclide_name=case.nuclide, time_integrated_mbq_h=area, mass_g=case.mass_g)
    if photons is None:
        return dose, None, ["absorbed_dose_gy is of electrons: photons are left out, and not known for this mass"]
    if photons > 0:
        told = (
            "absorbed_dose_gy is of electrons that stay in the mass: photons are left out; from a sphere of this mass "
            f"its own add {photons / dose:.1%} (photon_self_dose_gy; limits count it), and activity around it more"
        )
        return dose, photons, [told]
    return dose, photons, []


def _limits(limits: list[tuple[str, BloodLimit | RetentionLimit | CumulativeLimit]]) -> dict[str, Any]:
    found = [_limit(limit, place) for place, limit in limits]
    smallest = systemic.controlling(found)
    proposed = [limit.proposed_activity_gbq for _, limit in limits if isinstance(limit, CumulativeLimit)]
    largest_proposed = max((activity for activity in proposed if activity is not None), default=None)
    return {
        "maximum_activity_gbq": float(smallest.activity_gbq),
        "controlling_constraint": smallest.name,
        "constraints": [_limit_answer(limit) for limit in found],
        "proposed_activity_allowed": None if largest_proposed is None else largest_proposed <= smallest.activity_gbq,
        "warnings": [limit.warning for limit in found if limit.warning],
        "sources": [str(limit.source) for limit in found],
        "status": "draft for a tumour board: a physician prescribes",
        "versions": versions(),
    }


def _limit(limit: BloodLimit | RetentionLimit | CumulativeLimit, place: str) -> ActivityLimit:
    if isinstance(limit, BloodLimit):
        return _blood(limit, place)
    if isinstance(limit, RetentionLimit):
        _above_zero(f"{place}retained_fraction_48h", limit.retained_fraction_48h)
        _fraction(f"{place}retained_fraction_48h", limit.retained_fraction_48h)
        return systemic.retention_limit(
            retained_fraction_48h=limit.retained_fraction_48h, diffuse_lung_metastases=limit.diffuse_lung_metastases
        )
    _zero_or_more(f"{place}previous_activity_gbq", limit.previous_activity_gbq)
    _above_zero(f"{place}proposed_activity_gbq", limit.proposed_activity_gbq)
    return systemic.cumulative_limit(previous_activity_gbq=limit.previous_activity_gbq)


def _blood(limit: BloodLimit, place: str) -> ActivityLimit:
    _above_zero(f"{place}residence_time_total_body_h", limit.residence_time_total_body_h)
    # Centimetres for metres would give a blood volume of hundreds of litres and a limit many times too high.
    _of_body(place, "weight_kg", limit.weight_kg)
    _of_body(place, "height_m", limit.height_m)
    _zero_or_more(f"{place}residence_time_per_ml_h", limit.residence_time_per_ml_h)
    per_ml = limit.residence_time_per_ml_h
    if per_ml is None:
        if limit.height_m is None or limit.sex is None:
            raise BadCase(
                f"{place}residence_time_per_ml_h",
                None,
                "is needed and missing: add it, or height_m and sex to take 14 % of the body's",
            )
        volume = systemic.blood_volume_ml(sex=limit.sex, height_m=limit.height_m, weight_kg=limit.weight_kg)
        per_ml = systemic.residence_time_per_ml_from_body_h(
            residence_time_total_body_h=limit.residence_time_total_body_h, blood_volume=volume
        )
    return systemic.blood_limit(
        from_body_alone=limit.residence_time_per_ml_h is None,
        dose_per_activity_gy_gbq=systemic.blood_dose_per_activity_gy_gbq(
            residence_time_per_ml_h=per_ml,
            residence_time_total_body_h=limit.residence_time_total_body_h,
            weight_kg=limit.weight_kg,
        ),
    )


def _limit_answer(limit: ActivityLimit) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "name": limit.name,
        "limit": float(limit.limit),
        "unit": limit.unit,
        "activity_gbq": float(limit.activity_gbq),
    }
    if limit.dose_per_activity_gy_gbq is not None:
        answer["dose_per_activity_gy_gbq"] = float(limit.dose_per_activity_gy_gbq)
    return answer


SCHEMAS = {"dose-fit": FitCase, "dose-fit-limits": LimitsCase}
