"""An EHR asks the running service about a patient: discovery, prefetch, signed calls, a suggestion taken, feedback."""

import json
import time
import uuid
from pathlib import Path  # noqa: TC003 - beside the fixtures it annotates
from urllib.parse import urlsplit

import httpx
import pytest
from cds_case import ISSUER, Ehr
from cds_schema import ANSWER, DISCOVERY, faults
from state_peers import free_port

from connector.demo.archive import Archive
from connector.demo.case import DemoCase
from connector.demo.feed import read_study, send_study
from connector.demo.run import settings_for
from connector.dicom.pacs_association import Pacs
from connector.service import Service


class CdsClient:
    """What an EHR does: reads the services, fills their templates from its own FHIR server, signs every call."""

    def __init__(self, base: str, fhir: str) -> None:
        self.base, self.fhir, self.ehr = base, fhir, Ehr()
        self.services = {one["hook"]: one for one in self.discover()["services"]} if base else {}

    def discover(self) -> dict:
        answer = httpx.get(f"{self.base}/cds-services").raise_for_status().json()
        assert faults(answer, DISCOVERY) == []
        return answer

    def post(self, path: str, body: dict) -> httpx.Response:
        url = f"{self.base}/cds-services/{path}"
        return httpx.post(url, json=body, headers={"Authorization": f"Bearer {self.ehr.token(url)}"})

    def ask(self, hook: str, patient_id: str, **context: object) -> list[dict]:
        service = self.services[hook]
        prefetch = {
            key: httpx.get(f"{self.fhir}/{template.replace('{{context.patientId}}', patient_id)}").json()
            for key, template in service["prefetch"].items()
        }
        answer = self.post(
            service["id"],
            {
                "hook": hook, "hookInstance": str(uuid.uuid4()), "fhirServer": self.fhir, "prefetch": prefetch,
                "context": {"userId": "Practitioner/1", "patientId": patient_id, **context},
            },
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        assert faults(answer.json(), ANSWER) == []
        return answer.json()["cards"]


@pytest.fixture(scope="module")
def scene(tmp_path_factory, demo_case: DemoCase):
    """The service with the record and the first study of the bundled case; its cards are made."""
    folder: Path = tmp_path_factory.mktemp("cds")
    port = free_port()
    with Archive(folder / "pacs") as archive:
        for entry in json.loads(demo_case.bundle.read_bytes())["entry"]:
            archive.records.put(entry["resource"])
        client = CdsClient("", archive.fhir_url)
        (folder / "ehr.json").write_text(json.dumps({"keys": [client.ehr.jwk]}))
        settings = settings_for(folder, archive, demo_case.patient_issuers).model_copy(
            update={
                "http_port": port, "public_url": f"http://127.0.0.1:{port}",
                "cds_issuers": f"{ISSUER}={folder / 'ehr.json'}",
            }
        )  # fmt: skip
        with Service(settings) as service:
            client.base = settings.public_url
            client.services = {one["hook"]: one for one in client.discover()["services"]}
            us = Pacs(host="127.0.0.1", port=service.dicom_port, ae_title="CONNECTOR", calling_ae_title="DEMO")
            send_study(us, read_study(demo_case.studies[0]))
            patient_id = archive.records.search("Patient", [])[0]["id"]
            end = time.monotonic() + 60
            while not client.ask("patient-view", patient_id):
                assert time.monotonic() < end, service.app.desk.status()["waiting"]
                time.sleep(0.2)
            yield client, patient_id, service


def test_the_chart_shows_the_draft_and_the_clinicians_answer_comes_back(scene):
    client, patient_id, service = scene
    (card,) = client.ask("patient-view", patient_id)
    assert card["summary"].startswith("Draft for the tumour board: ")
    assert "not a clinical decision" in card["detail"]
    taken = card["suggestions"][0]
    (action,) = taken["actions"]
    resource = action["resource"]
    made = httpx.post(f"{client.fhir}/{resource['resourceType']}", json=resource)
    assert made.status_code == 201, "the EHR creates what the clinician took"
    assert resource["subject"]["reference"] == f"Patient/{patient_id}"
    told = {"card": card["uuid"], "outcome": "accepted", "acceptedSuggestions": [{"id": taken["uuid"]}],
            "outcomeTimestamp": "2026-01-31T10:05:31Z"}  # fmt: skip
    assert client.post(f"{client.services['patient-view']['id']}/feedback", {"feedback": [told]}).status_code == 200
    (kept,) = service.app.desk.status()["feedback"]
    assert (kept["outcome"], kept["suggestions"]) == ("accepted", [taken["label"]])
    events = service.app.desk.status()["events"]
    assert any(one["kind"] == "card_accepted" and taken["label"] in one["detail"] for one in events), "the logbook too"


def test_an_order_of_an_assessed_treatment_shows_what_the_draft_says(scene):
    client, patient_id, _ = scene
    order = {
        "resourceType": "ServiceRequest", "id": "draft-1", "status": "draft", "intent": "order",
        "subject": {"reference": f"Patient/{patient_id}"},
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "107963000"}]},
    }  # fmt: skip
    orders = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": order}]}
    cards = client.ask("order-select", patient_id, selections=["ServiceRequest/draft-1"], draftOrders=orders)
    assert [card["summary"].split(": ")[1].split(" ")[0] for card in cards][1:] == ["surgery"]


def test_the_url_of_the_call_is_the_address_that_was_signed_for(scene):
    client, _, _ = scene
    url = f"{client.base}/cds-services/{client.services['patient-view']['id']}"
    other = url.replace(urlsplit(url).netloc, "elsewhere.test")
    answer = httpx.post(url, json={}, headers={"Authorization": f"Bearer {client.ehr.token(other)}"})
    assert (answer.status_code, "another address" in answer.text) == (401, True)
