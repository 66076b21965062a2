"""What a fitted dose means for its tissue, in the contract's names: effect, limits, what came before, how sure."""

from decimal import Decimal
from typing import Any, Literal

from connector.contract.reading import CaseModel, Exact
from connector.core.dosimetry import tolerance
from connector.core.dosimetry.kinetics import Fit
from connector.core.dosimetry.ranges import check_uncertainty
from connector.core.dosimetry.tolerance import ToleranceLimit
from connector.core.errors import BadCase


class TissueCase(CaseModel):
    """
    Fields of a time course that change no fit.

    `previous_absorbed_dose_gy` is of earlier radionuclide treatments, `ebrt_dose_gy` of radiotherapy to the same place.
    Uncertainties are relative and standard.
    """

    tissue: Literal["lesion", "kidney", "marrow"] | None = None
    kidney_risk_factors: bool | None = None
    previous_absorbed_dose_gy: Exact = Decimal(0)
    ebrt_dose_gy: Exact | None = None
    mass_uncertainty_fraction: Exact = Decimal(0)
    calibration_uncertainty_fraction: Exact = Decimal(0)


def tissue_answer(
    case: TissueCase,
    fitted: Fit,
    dose_gy: float | None,
    *,
    photon_dose_gy: float | None,
    nuclide: str,
    administered_gbq: float | None,
) -> tuple[dict[str, Any], list[str]]:
    """
    Give the answer's fields and warnings; a limit counts the photons too, a wanted dose of electrons alone must do.

    Raises BadCase for a dose below 0 or a fraction that is none.
    """
    _check(case)
    uncertainty = tolerance.relative_uncertainty(
        fitted,
        mass_fraction=float(case.mass_uncertainty_fraction),
        calibration_fraction=float(case.calibration_uncertainty_fraction),
    )
    answer: dict[str, Any] = {
        "interval_gy": _interval(dose_gy, uncertainty),
        "biologically_effective_dose_gy": None,
        "limits": [],
        "controlling_limit": None,
        "cumulative": None,
        "findings": [],
    }
    if dose_gy is None:
        return answer, ["the limits of the tissue wait for a dose: mass_g is missing"] if case.tissue else []
    warnings: list[str] = []
    previous = case.previous_absorbed_dose_gy
    # The sphere's photons are no measure of marrow, which lies all through the body.
    total = dose_gy if case.tissue == "marrow" else dose_gy + (photon_dose_gy or 0.0)
    tissue = None if case.tissue is None else tolerance.tissue_of(case.tissue)
    effect = None if tissue is None else tolerance.protracted_bed_gy(total, fitted.phases, tissue=tissue)
    limits: list[ToleranceLimit] = []
    if case.tissue == "kidney":
        limits = tolerance.kidney_limits(
            total,
            effect,
            previous_gy=previous,
            administered_gbq=administered_gbq,
            risk_factors=case.kidney_risk_factors,
        )
        warnings.append(tolerance.KIDNEY_CAUTION)
        if case.kidney_risk_factors is None:
            warnings.append("kidney_risk_factors was not given: the stricter BED of 28 Gy was taken")
        if effect is None:
            warnings.append("a single point tells no dose rate: the BED of the kidneys is not known")
        elif previous > 0:
            warnings.append(tolerance.EARLIER_EFFECT)
    elif case.tissue == "marrow":
        limits = tolerance.marrow_limits(total, previous_gy=previous, administered_gbq=administered_gbq)
    answer |= {
        "biologically_effective_dose_gy": effect,
        "limits": [_limit(each) for each in limits],
        "controlling_limit": _controlling(limits),
        "cumulative": _cumulative(case, total),
    }
    if case.tissue == "lesion" and nuclide == "I-131":
        answer["findings"] = [_lesion(dose_gy)]
    if case.ebrt_dose_gy is not None:
        warnings.append("external and systemic doses are noted side by side: they differ in rate and are not one dose")
    return answer, warnings


def _check(case: TissueCase) -> None:
    for field in ("previous_absorbed_dose_gy", "ebrt_dose_gy"):
        value = getattr(case, field)
        if value is not None and value < 0:
            raise BadCase(field, str(value), "out of range: give Gy, 0 or more")
    for field in ("mass_uncertainty_fraction", "calibration_uncertainty_fraction"):
        check_uncertainty(field, getattr(case, field))


def _interval(dose_gy: float | None, uncertainty: float | None) -> list[float] | None:
    if dose_gy is None or uncertainty is None:
        return None
    spread = tolerance.COVERAGE * uncertainty * dose_gy
    return [max(dose_gy - spread, 0.0), dose_gy + spread]


def _limit(limit: ToleranceLimit) -> dict[str, Any]:
    return {
        "name": limit.name,
        "limit_gy": float(limit.limit_gy),
        "reached_gy": float(limit.reached_gy),
        "kept": limit.kept,
        "activity_gbq": limit.activity_gbq,
        "source": str(limit.source),
    }


def _controlling(limits: list[ToleranceLimit]) -> str | None:
    """The limit that is reached most; None without limits."""
    return max(limits, key=lambda each: each.reached_gy / each.limit_gy).name if limits else None


def _cumulative(case: TissueCase, dose_gy: float) -> dict[str, float | None]:
    previous = case.previous_absorbed_dose_gy
    return {
        "this_gy": dose_gy,
        "previous_gy": float(previous),
        "radionuclide_sum_gy": float(tolerance.exactly(dose_gy) + previous),
        "ebrt_gy": None if case.ebrt_dose_gy is None else float(case.ebrt_dose_gy),
    }


def _lesion(dose_gy: float) -> dict[str, Any]:
    return {
        "recommended": f">= {tolerance.LESION_TARGET_GY} Gy",
        "dose_gy": dose_gy,
        "met": tolerance.exactly(dose_gy) >= tolerance.LESION_TARGET_GY,
        "source": str(tolerance.LESION_SOURCE),
    }
