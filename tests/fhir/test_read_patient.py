"""Whose record a Bundle is: one patient, found by identifier, and what is refused or listed."""

from datetime import date

import pytest

from connector.core.case import Identifier
from connector.core.errors import ImpossibleInput
from connector.fhir.read_bundle import BundleRecordSource


@pytest.mark.parametrize(
    ("names", "family", "why"),
    [
        ([{"use": "maiden", "family": "Old"}, {"use": "usual", "family": "Now"}], "Now", "a maiden name is history"),
        ([{"family": "Only"}], "Only", "a name without use"),
        ([{"use": "old", "family": "Old"}], None, "no name in use"),
        ([], None, "no name"),
    ],
)
def test_which_name_counts(fhir, names, family, why):
    assert source(fhir.patient(name=names)).read([Identifier("12345", None)]).identity.family_name == family, why


def test_a_partial_birth_date_is_not_known(fhir):
    assert source(fhir.patient(birthDate="1961-03")).read([Identifier("12345", None)]).identity.birth_date is None


def test_who_the_patient_is(read):
    identity = read().identity
    assert identity.identifiers[0].type_code == "MR"
    assert (identity.family_name, identity.given_name) == ("Muster", "Eva Maria")
    assert (identity.birth_date, identity.sex) == (date(1961, 3, 4), "F")


def source(*resources):
    return BundleRecordSource(
        {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources]}
    )


@pytest.mark.parametrize(
    ("wanted", "found", "why"),
    [
        (Identifier("12345", "urn:oid:1.2.36.146.595.217.0.1"), True, "value and system"),
        (Identifier("12345", None), True, "value among medical record numbers"),
        (Identifier("12345", "urn:oid:1.2.3"), False, "the same number at another hospital is another person"),
        (Identifier("012345", None), False, "a leading zero is another number"),
    ],
)
def test_the_patient_is_found_by_identifier(fhir, wanted, found, why):
    if found:
        assert source(fhir.patient()).read([wanted]).patient_reference == "Patient/p1", why
    else:
        with pytest.raises(ImpossibleInput, match="no patient"):
            source(fhir.patient()).read([wanted])


def test_two_patients_are_refused_and_not_named(fhir):
    with pytest.raises(ImpossibleInput, match="several patients") as fault:
        source(fhir.patient(), fhir.patient(id="p2")).read([Identifier("12345", None)])
    assert "Muster" not in str(fault.value)
    assert "12345" not in str(fault.value)


def test_a_record_that_was_merged_gives_way(fhir):
    merged = fhir.patient(id="p0", link=[{"type": "replaced-by", "other": {"reference": "Patient/p1"}}])
    kept = fhir.patient(identifier=[])
    assert source(merged, kept).read([Identifier("12345", None)]).patient_reference == "Patient/p1"
    with pytest.raises(ImpossibleInput, match="merged"):
        source(merged).read([Identifier("12345", None)])


def test_a_resource_about_someone_else_is_refused(fhir):
    other = fhir.observation("1751-7", 40, "g/L", subject={"reference": "Patient/p2"})
    with pytest.raises(ImpossibleInput, match="not in the Bundle"):
        source(fhir.patient(), other).read([Identifier("12345", None)])


@pytest.mark.parametrize(
    ("resource", "why"),
    [
        ({"resourceType": "Procedure", "occurrenceDateTime": "2025-01-01"}, "R5"),
        ({"resourceType": "MedicationRequest", "medication": {"concept": {"text": "x"}}}, "R5"),
        ({"resourceType": "Condition", "clinicalStatus": "active"}, "STU3"),
        ({"resourceType": "MedicationStatement", "taken": "y"}, "STU3"),
        ({"resourceType": "AllergyIntolerance", "verificationStatus": "confirmed"}, "STU3"),
        ({}, "no resource"),
    ],
)
def test_another_release_is_refused(fhir, resource, why):
    with pytest.raises(ImpossibleInput, match=why):
        source(fhir.patient(), resource)


@pytest.mark.parametrize(
    "content",
    [None, [], {}, {"resourceType": "Patient"}, {"resourceType": "Bundle"}, {"resourceType": "Bundle", "type": "x"},
     {"resourceType": "Bundle", "type": "collection", "entry": {}}],
)  # fmt: skip
def test_what_is_no_bundle_is_refused(content):
    with pytest.raises(ImpossibleInput, match="Bundle"):
        BundleRecordSource(content)


@pytest.mark.parametrize(
    "resource",
    [
        {"resourceType": "Observation", "status": "final", "code": None},
        {"resourceType": "Observation", "status": "final", "code": {"coding": "1751-7"}},
        {"resourceType": "Observation", "status": "final",
         "code": {"coding": [{"system": "http://loinc.org", "code": "1751-7"}]},
         "effectiveDateTime": "2026-01-01", "valueQuantity": [1]},
        {"resourceType": "Condition", "code": "C73"},
        {"resourceType": "Procedure", "status": "completed"},
        {"resourceType": "MedicationRequest", "status": "active", "medicationReference": {"reference": 4}},
        {"resourceType": "AllergyIntolerance"},
    ],
)  # fmt: skip
def test_malformed_resources_state_nothing_and_stop_nothing(fhir, read, resource):
    whole = fhir.observation("89247-1", uid="good", valueInteger=1)
    about = {"patient": {"reference": "Patient/p1"}, "subject": {"reference": "Patient/p1"}}
    assert set(read({"id": "bad", **resource, **about}, whole).facts) == {"sex", "ecog_ps"}
