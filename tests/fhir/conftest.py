"""Small builders of R4 resources, so that a test row shows only what it is about, and the door of CDS Hooks."""

import json
from decimal import Decimal

import cds_case
import pytest

from connector.core.case import Identifier
from connector.fhir.identity import canonical_json
from connector.fhir.read_bundle import BundleRecordSource

SYSTEM = "urn:oid:1.2.36.146.595.217.0.1"
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"


def patient(**more):
    return {
        "resourceType": "Patient",
        "id": "p1",
        "identifier": [
            {
                "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]},
                "system": SYSTEM,
                "value": "12345",
            }
        ],
        "name": [{"use": "official", "family": "Muster", "given": ["Eva", "Maria"]}],
        "gender": "female",
        "birthDate": "1961-03-04",
        **more,
    }


def observation(code, value=None, unit=None, *, system=LOINC, on="2026-01-10", status="final", uid="o1", **more):
    resource = {
        "resourceType": "Observation",
        "id": uid,
        "meta": {"versionId": "3"},
        "status": status,
        "code": {"coding": [{"system": system, "code": code}]},
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": on,
        **more,
    }
    if value is not None:
        resource["valueQuantity"] = {"value": value, "unit": unit, "system": UCUM, "code": unit}
    return resource


def coded(kind, *codes, uid="c1", **more):
    """A resource of a kind with a code, about the patient."""
    about = "patient" if kind == "AllergyIntolerance" else "subject"
    return {
        "resourceType": kind,
        "id": uid,
        "code": {"coding": [{"system": system, "code": code} for system, code in codes]},
        about: {"reference": "Patient/p1"},
        **more,
    }


def bundle(*resources, with_patient=True):
    held = [patient(), *resources] if with_patient else list(resources)
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in held]}


@pytest.fixture
def bench(tmp_path):
    """A CDS Hooks door with an EHR that may come in."""
    made = cds_case.make_bench(tmp_path)
    yield made
    made.engine.dispose()


@pytest.fixture
def fhir():
    """The builders."""

    class Builders:
        pass

    for builder in (patient, observation, coded, bundle):
        setattr(Builders, builder.__name__, staticmethod(builder))
    Builders.system = SYSTEM
    return Builders


@pytest.fixture
def read():
    """Read the record of the one patient from resources, as JSON that came over a wire."""

    def parse(*resources):
        content = json.loads(canonical_json(bundle(*resources)), parse_float=Decimal)
        return BundleRecordSource(content).read([Identifier("12345", SYSTEM)])

    return parse
