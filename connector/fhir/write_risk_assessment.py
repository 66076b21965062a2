"""Writes the RiskAssessment: what may go wrong, by which rules, and on which inputs that stands."""

import re
from decimal import Decimal

from connector.core.assessment import Risk
from connector.fhir.identity import CODE_SYSTEM
from connector.fhir.write_resource import Case, Resource, concept, dicom_reference, new, reference_to, study_reference

_REFERENCE = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64}(/_history/[A-Za-z0-9.-]{1,64})?")
_UID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")


def write_risk_assessment(case: Case, measured: list[Resource]) -> Resource:
    """
    One RiskAssessment for each result; R4 has no draft of it, so it is preliminary.

    `measured` are our own resources it stands on. Without a published risk it has no prediction and is still valid.
    """
    assessment = case.assessment
    risks = assessment.selection.risks if assessment.selection else ()
    condition = case.record.references.get("condition.liver_metastases")
    return new(
        "RiskAssessment",
        case.of_result("risk"),
        says=[
            f"Risks of treatment by rule set {assessment.ruleset}, unverified",
            *(f"{_outcome(risk)}: {risk.probability_percent} %" for risk in risks),
        ],
        status="preliminary",
        method={
            "coding": [{"system": CODE_SYSTEM, "code": assessment.ruleset}],
            "text": f"Rule set {assessment.ruleset}",
        },
        code={"text": "Risks of locoregional and systemic treatment of metastases of thyroid cancer"},
        subject=case.subject,
        occurrenceDateTime=case.day,
        condition={"reference": condition} if condition else None,
        performer=case.device,
        basis=[*basis(case), *(reference_to(resource) for resource in measured)],
        prediction=[_prediction(risk) for risk in risks],
        note=[{"text": need} for need in assessment.needs],
    )


def basis(case: Case) -> list[Resource]:
    """Every input by resource and version, or by DICOM UID."""
    origins = sorted({part for origin in case.assessment.inputs for part in origin.split()})
    references = [{"reference": origin} for origin in origins if _REFERENCE.fullmatch(origin)]
    study = case.assessment.study_instance_uid
    uids = [origin for origin in origins if _UID.fullmatch(origin) and origin != study]
    return [study_reference(case), *references, *(dicom_reference(uid, "DICOM object") for uid in uids)]


def _outcome(risk: Risk) -> str:
    return f"{risk.outcome.replace('_', ' ')} after {risk.modality}"


def _prediction(risk: Risk) -> Resource:
    low, high = risk.interval_percent
    return {
        "outcome": concept(text=_outcome(risk), local=f"{risk.modality}-{risk.outcome}".replace(" ", "-")),
        # In percent up to 100, and a decimal even when whole (invariant ras-2).
        "probabilityDecimal": Decimal(risk.probability_percent),
        "rationale": f"pooled proportion, 95 % interval {low} to {high} %, n = {risk.n}: {'; '.join(risk.sources)}",
    }
