"""Reading a record by searches: the one patient, every page, and what the EHR does not offer."""

import pytest

from connector.core.case import Identifier
from connector.core.errors import ImpossibleInput, TryLater
from connector.fhir.capabilities import read_capabilities
from connector.fhir.read_ehr import EhrRecordSource
from connector.fhir.read_record import READ_TYPES

MINE = Identifier("12345", "urn:oid:1.2.36.146.595.217.0.1")


class Ehr:
    """Answers searches and reads from a list; matches identifiers as loosely as some servers do."""

    def __init__(self, *resources, kinds=READ_TYPES):
        self.held, self.kinds, self.asked = resources, kinds, []

    def capabilities(self):
        offered = [{"type": kind, "interaction": [{"code": "search-type"}]} for kind in self.kinds]
        rest = [{"mode": "server", "resource": offered}]
        return read_capabilities({"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "rest": rest})

    def first_pages(self, _searches):
        return {}

    def search(self, kind, parameters, *, first=None):
        assert first is None
        self.asked.append((kind, dict(parameters)))
        return [one for one in self.held if one["resourceType"] == kind]

    def read(self, reference):
        kind, uid = reference.split("/")
        return next(one for one in self.held if (one["resourceType"], one["id"]) == (kind, uid))


def test_the_record_of_the_one_patient(fhir):
    ehr = Ehr(fhir.patient(), fhir.observation("1751-7", 40, "g/L"))
    reading = EhrRecordSource(ehr).read([MINE])
    assert reading.patient_reference == "Patient/p1"
    assert reading.facts["albumin_g_l"].value == 40
    assert ehr.asked[0] == ("Patient", {"identifier": "urn:oid:1.2.36.146.595.217.0.1|12345"})
    assert ("Observation", {"patient": "Patient/p1", "_count": "100"}) in ehr.asked


def test_a_loose_match_of_the_server_is_not_the_patient(fhir):
    other = fhir.patient(id="p2", identifier=[{"system": MINE.system, "value": "012345"}])
    assert EhrRecordSource(Ehr(other, fhir.patient())).read([MINE]).patient_reference == "Patient/p1"
    with pytest.raises(ImpossibleInput, match="no patient"):
        EhrRecordSource(Ehr(other)).read([MINE])


def test_an_identifier_that_is_no_longer_in_use_is_not_the_patient(fhir):
    old = fhir.patient(identifier=[{"use": "old", "system": MINE.system, "value": "12345"}])
    with pytest.raises(ImpossibleInput, match="no patient"):
        EhrRecordSource(Ehr(old)).read([MINE])


def test_two_patients_are_refused(fhir):
    with pytest.raises(ImpossibleInput, match="several patients"):
        EhrRecordSource(Ehr(fhir.patient(), fhir.patient(id="p2"))).read([MINE])


def test_a_merge_is_followed_to_the_record_that_lives(fhir):
    merged = fhir.patient(id="p0", link=[{"type": "replaced-by", "other": {"reference": "Patient/p9"}}])
    kept = fhir.patient(id="p9", identifier=[])
    assert EhrRecordSource(Ehr(merged, kept)).read([MINE]).patient_reference == "Patient/p9"


def test_merges_in_a_circle_are_refused(fhir):
    one = fhir.patient(id="p0", link=[{"type": "replaced-by", "other": {"reference": "Patient/p9"}}])
    two = fhir.patient(id="p9", identifier=[], link=[{"type": "replaced-by", "other": {"reference": "Patient/p0"}}])
    with pytest.raises(ImpossibleInput, match="merged"):
        EhrRecordSource(Ehr(one, two)).read([MINE])


def test_a_merge_into_something_else_is_refused(fhir):
    odd = fhir.patient(link=[{"type": "replaced-by", "other": {"reference": "Person/1"}}])
    with pytest.raises(ImpossibleInput, match="no patient"):
        EhrRecordSource(Ehr(odd)).read([MINE])


def test_what_the_ehr_does_not_offer_is_listed(fhir):
    reading = EhrRecordSource(Ehr(fhir.patient(), kinds=("Observation", "Condition"))).read([MINE])
    unread = {one.where for one in reading.skipped}
    assert unread == set(READ_TYPES) - {"Observation", "Condition"}


def test_a_result_about_someone_else_is_listed_and_not_used(fhir):
    odd = fhir.observation("1751-7", 40, "g/L", subject={"reference": "Patient/p2"})
    reading = EhrRecordSource(Ehr(fhir.patient(), odd)).read([MINE])
    assert "albumin_g_l" not in reading.facts
    assert "another patient" in reading.skipped[0].reason


def test_a_medication_behind_a_reference_is_fetched(fhir):
    order = {
        "resourceType": "MedicationRequest", "id": "m1", "status": "active", "intent": "order",
        "subject": {"reference": "Patient/p1"}, "medicationReference": {"reference": "Medication/d1"},
    }  # fmt: skip
    drug = {"resourceType": "Medication", "id": "d1", "code": {"text": "Lenvatinib 10 mg"}}
    reading = EhrRecordSource(Ehr(fhir.patient(), order, drug)).read([MINE])
    assert reading.facts["systemic_therapy_current"].value == "lenvatinib"


def test_separators_in_an_identifier_are_escaped(fhir):
    ehr = Ehr(fhir.patient())
    with pytest.raises(ImpossibleInput):
        EhrRecordSource(ehr).read([Identifier("1|2,3$4\\5", None)])
    assert ehr.asked[0][1]["identifier"] == "1\\|2\\,3\\$4\\\\5"


def test_an_ehr_that_is_away_is_tried_later():
    class Away(Ehr):
        def search(self, *_):
            raise TryLater("away")

    with pytest.raises(TryLater):
        EhrRecordSource(Away()).read([MINE])
