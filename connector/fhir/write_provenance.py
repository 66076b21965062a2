"""Writes the Provenance: which software made the resources from which inputs; appended for each change."""

from connector.fhir.write_resource import AI_ASSERTED, Case, Resource, reference_to
from connector.fhir.write_risk_assessment import basis


def write_provenance(case: Case, targets: list[Resource]) -> Resource:
    """
    One Provenance over all targets; what is delivered names only those that changed.

    `recorded` is the day of the assessment, since no other clock enters a document.
    """
    author = {"system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type", "code": "author"}
    return {
        "resourceType": "Provenance",
        "target": [reference_to(target) for target in targets],
        "recorded": f"{case.day}T00:00:00Z",
        "reason": [{"coding": [AI_ASSERTED]}],
        "agent": [{"type": {"coding": [author]}, "who": case.device}],
        "entity": [{"role": "source", "what": what} for what in basis(case)],
    }
