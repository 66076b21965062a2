"""The judges of FHIR find what is broken and leave what is good; without that their silence means nothing."""

import copy
import json

import pytest
from judge_fhir import findings

from connector.fhir.conformance import capability_statement

PLAN = {
    "resourceType": "CarePlan",
    "status": "draft",
    "intent": "proposal",
    "subject": {"reference": "Patient/1"},
    "activity": [{"detail": {"kind": "ServiceRequest", "status": "not-started"}}],
}
RISK = {
    "resourceType": "RiskAssessment",
    "status": "preliminary",
    "subject": {"reference": "Patient/1"},
    "prediction": [{"probabilityDecimal": 12.5}],
}
SIZE = {
    "resourceType": "Observation",
    "status": "preliminary",
    "subject": {"reference": "Patient/1"},
    "code": {"coding": [{"system": "http://loinc.org", "code": "21889-1"}]},
    "valueQuantity": {"value": 12.5, "unit": "mm", "system": "http://unitsofmeasure.org", "code": "mm"},
}


@pytest.mark.parametrize("resource", [PLAN, RISK, SIZE], ids=lambda one: one["resourceType"])
def test_good_resources_pass(resource):
    assert findings(resource) == []


@pytest.mark.parametrize(
    ("resource", "change", "why"),
    [
        (PLAN, lambda one: one.update(intent="directive"), "a code outside a required binding"),
        (PLAN, lambda one: one.pop("subject"), "a missing element"),
        (PLAN, lambda one: one.update(colour="red"), "an unknown element"),
        (PLAN, lambda one: one.update(category={"text": "x"}), "an object where a list belongs"),
        (PLAN, lambda one: one["subject"].update(reference="Medication/1"), "a reference to a wrong type"),
        (PLAN, lambda one: one["activity"][0].update(reference={"reference": "ServiceRequest/1"}), "cpl-3"),
        (RISK, lambda one: one["prediction"][0].update(probabilityDecimal=140), "ras-2, also for a whole number"),
        (RISK, lambda one: one.update(occurrenceDateTime="2026-13-45"), "a day that does not exist"),
        (SIZE, lambda one: one.update(status="done"), "a wrong status"),
        (SIZE, lambda one: one.update(dataAbsentReason={"text": "x"}), "obs-6"),
        (SIZE, lambda one: one["valueQuantity"].update(units="mm"), "a misspelt element"),
        (SIZE, lambda one: one["valueQuantity"].update(value="12.5"), "a decimal in quotes"),
        (SIZE, lambda one: one["valueQuantity"].pop("system"), "qty-3"),
    ],
)
def test_broken_resources_are_found(resource, change, why):
    broken = copy.deepcopy(resource)
    change(broken)
    assert findings(broken), why


def test_a_choice_below_the_top_is_missed_only_when_it_is_missing():
    message = {"resourceType": "Communication", "status": "completed", "payload": [{"contentString": "x"}]}
    assert findings(message) == []
    message["payload"] = [{"id": "p"}]
    assert any("content[x]" in one for one in findings(message))


def test_values_of_several_parents_are_counted_for_each():
    statement = json.loads(json.dumps(capability_statement()))
    assert findings(statement) == []
    statement["rest"][0]["resource"][0]["type"] = ["Task", "Device"]
    assert findings(statement)
