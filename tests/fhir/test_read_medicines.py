"""Which treatments medicines in a record tell of: chemotherapy, kinase inhibitors, and whether they go on."""

import pytest
from record_case import ATC, value


def test_chemotherapy_and_a_contained_medicine(read):
    order = medicine("a", "L01DB01", state="completed")
    contained = medicine("b")
    del contained["medicationCodeableConcept"]
    contained["medicationReference"] = {"reference": "#drug"}
    contained["contained"] = [{"resourceType": "Medication", "id": "drug", "code": {"text": "sorafenib"}}]
    reading = read(order, contained)
    assert value(reading, "prior_chemotherapy") is True
    assert value(reading, "systemic_therapy_current") == "sorafenib"


def medicine(uid, code=None, text=None, state="active", kind="MedicationRequest", **more):
    concept = {"text": text} if text else {"coding": [{"system": ATC, "code": code}]}
    order = {"intent": "order", "authoredOn": "2025-11-01"} if kind == "MedicationRequest" else {}
    return {
        "resourceType": kind, "id": uid, "status": state, "subject": {"reference": "Patient/p1"},
        "medicationCodeableConcept": concept, **order, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("orders", "expected", "why"),
    [
        ([medicine("a", "L01EX08")], "lenvatinib", "by ATC"),
        ([medicine("a", text="Vandetanib 300 mg tablet")], "vandetanib", "by ingredient"),
        ([medicine("a", "L01EX22")], "selective_ret", "selpercatinib"),
        ([medicine("a", "L01EK01")], "other", "another kinase inhibitor"),
        ([medicine("a", "C09AA05")], None, "an antihypertensive is no systemic therapy"),
        ([medicine("a", "L01EX08", state="completed")], None, "ended"),
        ([medicine("a", "L01EX08", state="cancelled")], None, "never given"),
        ([medicine("a", "L01EX08", intent="proposal")], None, "only proposed"),
        ([medicine("a", "L01EX08"), medicine("b", "L01EX02")], None, "two at once are for a person to clear up"),
        ([medicine("a", "L01EX08"), medicine("b", "L01EX08", kind="MedicationStatement")], "lenvatinib", "told twice"),
    ],
)
def test_systemic_therapy(read, orders, expected, why):
    assert value(read(*orders), "systemic_therapy_current") == expected, why


def test_a_held_kinase_inhibitor_is_interrupted(read):
    reading = read(medicine("a", "L01EX08", state="on-hold"))
    assert value(reading, "systemic_therapy_current") == "lenvatinib"
    assert value(reading, "tki_interruption_planned") is True


def test_a_medicine_behind_a_reference(read):
    order = medicine("a")
    del order["medicationCodeableConcept"]
    order["medicationReference"] = {"reference": "Medication/m"}
    drug = {"resourceType": "Medication", "id": "m", "code": {"text": "cabozantinib"}}
    assert value(read(order, drug), "systemic_therapy_current") == "cabozantinib"
