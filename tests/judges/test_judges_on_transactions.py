"""What outside judges say of every FHIR resource we write."""

import fhir_cases as cases
import pytest
from judge_fhir import findings

ASSESSMENTS = {
    "everything": cases.assessment(),
    "no response, no dose": cases.assessment(response=None, dose=None),
    "nothing decided": cases.assessment(
        response=None, dose=None, selection=None, time_points=(), needs=(), warnings=()
    ),
    "cannot decide": cases.assessment(selection=cases.selection("cannot_decide", excluded_by=())),
    "not evaluable": cases.assessment(response=cases.response("NE")),
    "beside RECIST": cases.beside_recist(),
    "mRECIST": cases.assessment(response=cases.response("NON-CR/NON-PD", criteria="mrecist")),
}


@pytest.mark.parametrize("name", ASSESSMENTS)
def test_every_resource_is_clean(name):
    reading = cases.record(condition__liver_metastases="Condition/c1")
    document = cases.write(ASSESSMENTS[name], reading=reading, board="Organization/board")
    assert findings(cases.bundle_of(document)) == []


def test_a_patient_known_by_identifier_is_clean_too():
    reading = cases.record(patient_reference=f"Patient?identifier={cases.SYSTEM}|12345")
    assert findings(cases.bundle_of(cases.write(cases.assessment(), reading=reading))) == []
