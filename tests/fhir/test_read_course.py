"""When treatments began, and laboratory values with their limits: what response and adverse events stand on."""

from datetime import date
from decimal import Decimal

import pytest

from connector.core.response.adverse_events import Analyte
from connector.fhir.identity import MODALITY_SYSTEM
from connector.fhir.observation_codes import GRADED_CODES
from connector.fhir.read_record import is_read, read_record
from connector.fhir.resource import LOINC

PATIENT = {"resourceType": "Patient", "id": "1"}
SUBJECT = {"reference": "Patient/1"}
UCUM = "http://unitsofmeasure.org"
DAY = date(2026, 1, 5)


def read(*resources):
    numbered = [{"id": f"r{place}", "subject": SUBJECT, **one} for place, one in enumerate(resources)]
    return read_record(numbered, patient=PATIENT)


def procedure(code="TACE", **fields):
    coding = {"system": MODALITY_SYSTEM, "code": code}
    return {"resourceType": "Procedure", "status": "completed", "code": {"coding": [coding]}} | fields


def order(kind="MedicationRequest", status="active", **fields):
    coding = {"system": "http://www.whocc.no/atc", "code": "L01EX08"}
    return {"resourceType": kind, "status": status, "medicationCodeableConcept": {"coding": [coding]}} | fields


ON = {"performedDateTime": "2026-01-05"}


@pytest.mark.parametrize(
    ("resources", "expected", "why"),
    [
        ([procedure(**ON)], [("TACE", DAY)], "a dated procedure"),
        ([procedure(performedPeriod={"start": "2026-01-05", "end": "2026-01-09"})], [("TACE", DAY)], "its first day"),
        ([procedure(performedPeriod={"end": "2026-01-09"})], [("TACE", None)], "an end says no beginning"),
        ([procedure(performedDateTime="2026-01")], [("TACE", None)], "a month is no day"),
        ([procedure(status="in-progress", **ON)], [], "not done"),
        ([procedure("lung_RFA", **ON)], [("lung_RFA", DAY)], "of the lung"),
        ([procedure("bone_ablation", **ON)], [], "of a site that response does not follow"),
        ([order(authoredOn="2026-01-05")], [("lenvatinib", DAY)], "one order was the beginning"),
        ([order(authoredOn="2026-01-05"), order(authoredOn="2026-03-05")], [("lenvatinib", None)], "one is a renewal"),
        ([order(authoredOn="2026-03-05"),
          order("MedicationStatement", effectivePeriod={"start": "2026-01-05"})], [("lenvatinib", DAY)], "stated"),
        ([order("MedicationStatement", effectiveDateTime="2026-01-05")], [("lenvatinib", DAY)], "stated as a day"),
        ([order("MedicationStatement", dateAsserted="2026-01-05")], [("lenvatinib", None)], "when it was said"),
        ([order(status="stopped", authoredOn="2026-01-05")], [("lenvatinib", DAY)], "it was given once"),
        ([order(status="draft", authoredOn="2026-01-05")], [], "it was never given"),
        ([order(intent="plan", authoredOn="2026-01-05")], [], "only planned"),
    ],
)  # fmt: skip
def test_the_beginning_of_a_treatment(resources, expected, why):
    assert [(one.value, one.observed_on) for one in read(*resources).treatments] == expected, why


def test_radioiodine_begins_with_its_administration():
    iodine = {"coding": [{"system": "http://www.whocc.no/atc", "code": "V10XA01"}]}
    given = {"resourceType": "MedicationAdministration", "status": "completed", "medicationCodeableConcept": iodine}
    assert [(one.value, one.observed_on) for one in read(given | {"effectiveDateTime": "2026-01-05"}).treatments] == [
        ("RAI", DAY)
    ]


def quantity(value, unit="U/L"):
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def result(value=Decimal(50), unit="U/L", code="1742-6", **fields):
    return {
        "resourceType": "Observation", "status": "final", "code": {"coding": [{"system": LOINC, "code": code}]},
        "effectiveDateTime": "2026-01-05", "valueQuantity": quantity(value, unit),
    } | fields  # fmt: skip


NORMAL = {
    "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/referencerange-meaning", "code": "normal"}]}
}
TREATED = {
    "type": {
        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/referencerange-meaning", "code": "treatment"}]
    }
}
HIGH = {"high": quantity(Decimal(40))}


@pytest.mark.parametrize(
    ("resource", "expected", "why"),
    [
        (result(), ("alt", 50, None, None), "no limits"),
        (result(referenceRange=[HIGH]), ("alt", 50, None, 40), "an upper limit"),
        (result(referenceRange=[{"low": {"value": Decimal(10)}, "high": {"value": Decimal(40)}}]), ("alt", 50, 10, 40),
         "limits have the unit of the result when they name none"),
        (result(referenceRange=[HIGH | NORMAL, HIGH | TREATED]), ("alt", 50, None, 40), "the normal one"),
        (result(referenceRange=[HIGH, HIGH]), ("alt", 50, None, None), "which one applies is not said"),
        (result(referenceRange=[{"high": quantity(Decimal(40), "mg/dL")}]), ("alt", 50, None, None),
         "of another dimension"),
        (result(Decimal(1), "mg/dL", "1975-2", referenceRange=[{"high": quantity(Decimal("1.2"), "mg/dL")}]),
         ("bilirubin", Decimal("17.1"), None, Decimal("20.5")), "value and limit in one unit"),
        (result(Decimal(12), "g/dL", "718-7"), ("haemoglobin_g_l", 120, None, None), "grams a litre"),
        (result(Decimal(150), "10*3/uL", "777-3"), ("platelets_1e9_l", 150, None, None), "billions a litre"),
    ],
)  # fmt: skip
def test_a_laboratory_value_with_its_limits(resource, expected, why):
    (lab,) = read(resource).labs
    found = (lab.analyte, lab.value, lab.lower_normal, lab.upper_normal)
    assert [one if one is None or isinstance(one, str) else round(one, 1) for one in found] == list(expected), why
    assert lab.observed_on == DAY


@pytest.mark.parametrize(
    ("resource", "why"),
    [
        (result(status="preliminary"), "not final"),
        (result(code="9999-9"), "not graded"),
        (result(valueQuantity={}), "no value"),
        (result(effectiveDateTime="2026"), "no day"),
        (result(unit="mg/dL"), "an activity in another dimension"),
        (result(valueQuantity=quantity(Decimal(50)) | {"comparator": "<"}), "only a bound"),
    ],
)
def test_a_value_that_cannot_be_graded_is_left_out(resource, why):
    assert read(resource).labs == (), why


def test_values_are_in_order_of_date():
    late, early = result(), result(Decimal(20), effectiveDateTime="2025-12-01")
    assert [lab.value for lab in read(late, early).labs] == [20, 50]


@pytest.mark.parametrize("analyte", Analyte)
def test_news_of_every_graded_value_asks_for_a_new_assessment(analyte):
    for system, code in GRADED_CODES[analyte]:
        assert is_read({"code": {"coding": [{"system": system, "code": code}]}})
