"""Reads draft orders of an ordering session: which treatments of ours are about to be ordered for the patient."""

from collections.abc import Collection
from typing import Any

from connector.fhir.read_medications import therapy_named
from connector.fhir.read_procedures import treatment_named
from connector.fhir.record_notes import Unusable
from connector.fhir.resource import Json, codings, has_code, items, members, patient_of, reference_of
from connector.terminology import Concept

# An embolisation whose code does not tell which: every one of them is meant.
_EMBOLISATIONS = frozenset({"TAE", "TACE", "TARE"})
_EMBOLISATION_CODES = frozenset(
    (code.system, code.code)
    for code in (
        Concept("57238002", "SCT", "Selective embolization of artery"),
        Concept("16736007", "SCT", "Transcatheter embolization"),
    )
)


def treatments_selected(draft_orders: Json, selections: Collection[str], patient: str) -> frozenset[str]:
    """
    Modalities that the newly selected orders name; orders about another patient or nobody name none.

    `selections` are references into the Bundle of draft orders (`ServiceRequest/17`), `patient` is `Patient/17`.
    """
    found: set[str] = set()
    for entry in members(draft_orders, "entry"):
        order = items(entry, "resource")
        if reference_of(order) in selections and patient_of(order) == patient:
            found |= _named(order)
    return frozenset(found)


def _named(order: Json) -> set[str]:
    if order.get("resourceType") == "MedicationRequest" and therapy_named(_medication(order)):
        return {"systemic_therapy"}
    if has_code(order.get("code"), _EMBOLISATION_CODES):
        return set(_EMBOLISATIONS)
    if not any(True for concept in _concepts(order) for _ in codings(concept)):
        return set()
    try:
        modality, _ = treatment_named(order)
    except Unusable:
        return set()
    return {modality}


def _concepts(order: Json) -> list[Any]:
    return [order.get("code"), order.get("medicationCodeableConcept")]


def _medication(order: Json) -> Json:
    return items(order, "medicationCodeableConcept")
