"""What a plan's answer says beyond the plan: the guideline's rows, how sure the doses are, and the vial to order."""

from decimal import Decimal
from typing import Any, Literal

from connector.contract.reading import CaseModel, Exact
from connector.core.dosimetry import bsa, delivery, thresholds
from connector.core.dosimetry.plan import Plan
from connector.core.dosimetry.ranges import check
from connector.core.dosimetry.request import PlanRequest
from connector.core.dosimetry.thresholds import Finding
from connector.core.dosimetry.uncertainty import (
    COVERAGE,
    Interval,
    RelativeUncertainty,
    activity_interval,
    dose_intervals,
)
from connector.core.dosimetry.uncertainty import SOURCE as UNCERTAINTY_SOURCE
from connector.core.errors import BadCase


class AdviceCase(CaseModel):
    """Fields that change no number of the plan; every one may be left out. Uncertainties are relative and standard."""

    intent: Literal["segmentectomy", "lobectomy", "unilobar", "bilobar"] | None = None
    tumour_type: Literal["HCC", "ICC", "mCRC"] | None = None
    bilirubin_mg_dl: Exact | None = None
    pretreated_or_compromised: bool | None = None
    whole_normal_liver_mass_kg: Exact | None = None
    hours_after_calibration: Exact | None = None
    volume_uncertainty_fraction: Exact = Decimal(0)
    ratio_uncertainty_fraction: Exact = Decimal(0)
    shunt_uncertainty_fraction: Exact = Decimal(0)
    lung_mass_uncertainty_fraction: Exact = Decimal(0)
    calibration_uncertainty_fraction: Exact = Decimal(0)


def advice(case: AdviceCase, request: PlanRequest, plan: Plan) -> dict[str, Any]:
    """Findings, intervals and delivery of one plan. Raises BadCase."""
    check("whole_normal_liver_mass_kg", case.whole_normal_liver_mass_kg)
    check("bilirubin_mg_dl", case.bilirubin_mg_dl)
    surface = None
    if request.height_m is not None and request.weight_kg is not None:
        surface = float(bsa.body_surface_m2(height_m=request.height_m, weight_kg=request.weight_kg))
    return {
        "body_surface_m2": surface,
        "findings": [_finding(each) for each in _findings(case, request, plan)],
        **_uncertainty(case, request, plan),
        "delivery": _delivery(case, request, plan),
    }


def _findings(case: AdviceCase, request: PlanRequest, plan: Plan) -> tuple[Finding, ...]:
    if case.intent is None:
        return ()
    if case.tumour_type is None:
        raise BadCase(
            "tumour_type",
            None,
            "is needed by intent: HCC, ICC or mCRC; the guideline has no row for thyroid metastases",
        )
    rows = thresholds.recommendations(
        device=request.device,
        tumour_type=case.tumour_type,
        intent=case.intent,
        bilirubin_mg_dl=case.bilirubin_mg_dl,
        pretreated_or_compromised=case.pretreated_or_compromised,
    )
    doses = {
        thresholds.PERFUSED: plan.absorbed_dose_gy.perfused,
        thresholds.TUMOUR: plan.absorbed_dose_gy.tumour,
        thresholds.NORMAL_PERFUSED: plan.absorbed_dose_gy.normal_liver,
        thresholds.WHOLE_NORMAL: _whole_normal(case, plan),
    }
    return thresholds.findings(rows, doses)


def _whole_normal(case: AdviceCase, plan: Plan) -> Decimal | None:
    dose, mass = plan.absorbed_dose_gy.normal_liver, plan.normal_liver_mass_kg
    whole = case.whole_normal_liver_mass_kg
    if dose is None or mass is None or whole is None:
        return None
    if whole < mass:
        raise BadCase("whole_normal_liver_mass_kg", str(whole), f"is smaller than its perfused part of {mass} kg")
    return thresholds.whole_normal_liver_dose_gy(dose, normal_perfused_mass_kg=mass, whole_normal_mass_kg=whole)


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "compartment": finding.threshold.compartment,
        "recommended": finding.threshold.bounds,
        "dose_gy": None if finding.dose_gy is None else float(finding.dose_gy),
        "met": finding.met,
        "level_of_evidence": finding.threshold.evidence,
        "note": finding.threshold.note,
        "source": str(finding.threshold.source),
    }


def _uncertainty(case: AdviceCase, request: PlanRequest, plan: Plan) -> dict[str, Any]:
    """Intervals of the activity and of every dose, and what went into them and what did not."""
    known = uncertainty_of(case)
    activity = activity_interval(request, plan.constants, known, plan)
    doses = dose_intervals(plan.activity_gbq, request, plan.constants, known)
    answer: dict[str, Any] = {
        "interval_gbq": None if activity is None else ends(activity),
        "interval_gy": {name: ends(each) for name, each in doses.items()},
        "uncertainty": uncertainty_answer(known),
    }
    if plan.given is not None:
        given = dose_intervals(plan.given.activity_gbq, request, plan.constants, known)
        answer["given_interval_gy"] = {name: ends(each) for name, each in given.items()}
    return answer


def uncertainty_of(case: AdviceCase) -> RelativeUncertainty:
    """The case's relative standard uncertainties. Raises BadCase for one that is no fraction."""
    return RelativeUncertainty(
        volume=case.volume_uncertainty_fraction,
        ratio=case.ratio_uncertainty_fraction,
        shunt=case.shunt_uncertainty_fraction,
        lung_mass=case.lung_mass_uncertainty_fraction,
        calibration=case.calibration_uncertainty_fraction,
    )


def uncertainty_answer(known: RelativeUncertainty) -> dict[str, Any]:
    """What the intervals of an answer hold, and what they do not."""
    return {
        "coverage_factor": float(COVERAGE),
        "relative_standard": {name: float(getattr(known, name)) for name in known.__slots__},
        "not_known": [name for name in known.__slots__ if not getattr(known, name)],
        "source": str(UNCERTAINTY_SOURCE),
    }


def ends(interval: Interval) -> list[float]:
    """Both ends of an interval."""
    return [float(interval.low), float(interval.high)]


def _delivery(case: AdviceCase, request: PlanRequest, plan: Plan) -> dict[str, Any] | None:
    if plan.activity_gbq is None:
        return None
    fewest, most = delivery.microsphere_count(plan.activity_gbq, device=request.device)
    answer: dict[str, Any] = {
        "microspheres_million": [float(fewest / 10**6), float(most / 10**6)],
        "microspheres_usual_million": [float(each) for each in delivery.USUAL_MILLION[request.device]],
        "activity_per_microsphere_bq": [float(each) for each in delivery.SPHERE_BQ[request.device]],
        "note": "activity per microsphere differs between papers: the certificate of the vial holds",
        "source": str(delivery.REVIEW_TABLE_1),
    }
    hours = case.hours_after_calibration
    if hours is None:
        return answer
    half_life = plan.constants.half_life_h
    ordered = delivery.calibrated_activity_gbq(plan.activity_gbq, hours_after_calibration=hours, half_life_h=half_life)
    answer["calibrated_activity_gbq"] = float(ordered)
    if request.device == "glass":
        vial = delivery.smallest_glass_vial(plan.activity_gbq, hours_after_calibration=hours, half_life_h=half_life)
        answer["vial_gbq"] = None if vial is None else float(vial.calibrated_gbq)
        answer["vial_source"] = str(delivery.GLASS_VIALS_SOURCE)
    return answer
