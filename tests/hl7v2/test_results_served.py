"""Results of a laboratory that are kept here are found at our own FHIR endpoint, about the patient of the EHR."""

import pytest
from hl7_case import make_door, oru, with_images
from judge_fhir import findings
from starlette.applications import Starlette
from starlette.testclient import TestClient

from connector.fhir.serve import resource_ids
from connector.fhir.serve_door import serve_routes
from connector.store.shelf import SqlShelf


@pytest.fixture
def served(tmp_path):
    door = make_door(tmp_path)
    shelf = SqlShelf(door.bench.engine, resource_ids=resource_ids, results=door.book.results_of)
    viewed = []
    routes = serve_routes(
        shelf, ehr_url="https://ehr.test/r4", authorise=lambda _: True, viewed=lambda *one: viewed.append(one)
    )
    client = TestClient(Starlette(routes=routes))
    client.door, client.viewed = door, viewed
    yield client
    door.bench.inbox.close()
    door.bench.engine.dispose()


def test_a_kept_result_is_read_by_its_id_and_listed_by_its_patient(served):
    case_ref = with_images(served.door)
    assert served.door.code(oru()) == "AA"
    (one,) = served.get("/fhir/Observation?patient=Patient/1").json()["entry"]
    assert one["resource"]["subject"] == {"reference": "https://ehr.test/r4/Patient/1"}
    assert one["resource"]["valueQuantity"]["value"] == 17
    assert findings(one["resource"]) == []
    assert served.get(f"/fhir/Observation/{one['resource']['id']}").json() == one["resource"]
    assert served.viewed[-1] == (f"Observation/{one['resource']['id']}", case_ref)
    assert served.get("/fhir/CarePlan?patient=Patient/1").json()["total"] == 0


def test_a_result_of_somebody_whose_record_is_not_known_is_served_to_nobody(served):
    served.door.send(oru())
    (kept,) = served.door.results()
    assert served.get(f"/fhir/Observation/{kept['id']}").status_code == 404
