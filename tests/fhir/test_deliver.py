"""Delivery to servers that offer less, answer oddly, or change under our hands."""

import json
import uuid
from decimal import Decimal

import fhir_cases as cases
import pytest

from connector.core.errors import Refused, TryLater
from connector.fhir.capabilities import read_capabilities
from connector.fhir.deliver import EhrDestination
from connector.fhir.ehr_answers import Changed
from connector.fhir.reconcile import own_identifier

ALL = ("Patient", "Observation", "CarePlan", "RiskAssessment", "DetectedIssue", "BodyStructure", "Device", "Task",
       "Provenance")  # fmt: skip


class EhrInMemory:
    """An EHR as the client shows it; `kinds` can be written, and a transaction only when `transactions`."""

    def __init__(self, kinds=ALL, *, transactions=False):
        self.kinds, self.transactions = kinds, transactions
        self.held, self.conflicts, self.writes = {}, 0, 0

    def capabilities(self):
        interactions = [{"code": code} for code in ("create", "update", "read", "search-type")]
        resources = [{"type": kind, "interaction": interactions} for kind in self.kinds]
        offers = [{"code": "transaction"}] if self.transactions else []
        return read_capabilities(
            {
                "resourceType": "CapabilityStatement",
                "fhirVersion": "4.0.1",
                "rest": [{"mode": "server", "resource": resources, "interaction": offers}],
            }
        )

    def search(self, kind, parameters):
        wanted = [token.split("|", 1)[1] for name, value in parameters if name == "identifier"
                  for token in value.split(",")]  # fmt: skip
        of_kind = [one for one in self.held.values() if one["resourceType"] == kind]
        return [one for one in of_kind if not wanted or own_identifier(one) in wanted]

    def create(self, resource, *, if_none_exist=None):
        assert (if_none_exist is None) == (resource["resourceType"] == "Provenance")
        return self._put(resource, uuid.uuid4().hex, "1")

    def update(self, resource, *, if_match):
        if self.conflicts:
            self.conflicts -= 1
            raise Changed("changed")
        held = self.held[resource["id"]]
        assert if_match == held["meta"]["versionId"]
        return self._put(resource, resource["id"], str(int(if_match) + 1))

    def transaction(self, bundle):
        self.sent = bundle
        return {"resourceType": "Bundle", "entry": self.answers}

    def _put(self, resource, uid, version):
        self.writes += 1
        meta = {**resource.get("meta", {}), "versionId": version}
        self.held[uid] = json.loads(json.dumps({**resource, "id": uid, "meta": meta}, default=float),
                                    parse_float=Decimal)  # fmt: skip
        return self.held[uid]

    def of(self, kind):
        return [one for one in self.held.values() if one["resourceType"] == kind]


def test_a_server_without_care_plans_gets_the_results_and_is_told_so():
    ehr = EhrInMemory(("Patient", "Observation", "BodyStructure", "Task"))
    delivery = EhrDestination(ehr).deliver(cases.write(cases.assessment()))
    assert "the EHR does not take CarePlan" in delivery.note
    assert len(ehr.of("Observation")) == 5
    (task,) = ehr.of("Task")
    assert task["focus"]["type"] == "CarePlan"
    assert task["focus"]["identifier"]["value"] == f"{cases.STUDY}:plan"
    for one in ehr.of("Observation"):
        assert one["device"]["identifier"]["value"] == "device:irt-connector:1.0.0"
        assert "urn:uuid" not in json.dumps(one, default=str)
    writes = ehr.writes
    EhrDestination(ehr).deliver(cases.write(cases.assessment()))
    assert ehr.writes == writes


def test_a_server_that_takes_nothing_is_refused():
    with pytest.raises(Refused, match="takes none"):
        EhrDestination(EhrInMemory(("Patient",))).deliver(cases.write(cases.assessment()))


def test_a_document_without_an_address_of_the_patient_is_refused():
    reading = cases.record(f"Patient?identifier={cases.SYSTEM}|12345")
    with pytest.raises(Refused, match="0 patients by address"):
        EhrDestination(EhrInMemory()).deliver(cases.write(cases.assessment(), reading=reading))


CHANGED = cases.write(cases.assessment(input_digest="ef" * 32, selection=cases.selection(preferred="TAE")))


@pytest.mark.parametrize(("conflicts", "delivered"), [(1, True), (2, True), (3, False)])
def test_a_version_that_changes_under_us_is_read_again_up_to_three_times(conflicts, delivered):
    ehr = EhrInMemory()
    EhrDestination(ehr).deliver(cases.write(cases.assessment()))
    ehr.conflicts = conflicts
    if delivered:
        EhrDestination(ehr).deliver(CHANGED)
        assert ehr.of("CarePlan")[0]["activity"][0]["detail"]["code"]["text"] == "TAE"
    else:
        with pytest.raises(TryLater, match="three times"):
            EhrDestination(ehr).deliver(CHANGED)


@pytest.mark.parametrize(
    ("status", "failure"),
    [("201 Created", None), ("429 Too Many Requests", TryLater), ("503", TryLater), ("422 Unprocessable", Refused)],
)
def test_a_failure_inside_the_answer_of_a_transaction_counts(status, failure):
    ehr = EhrInMemory(transactions=True)
    ehr.answers = [{"response": {"status": "200 OK"}}, {"response": {"status": status}}]
    if failure is None:
        EhrDestination(ehr).deliver(cases.write(cases.assessment()))
    else:
        with pytest.raises(failure):
            EhrDestination(ehr).deliver(cases.write(cases.assessment()))


def test_a_transaction_creates_unless_it_exists_and_replaces_only_the_version_that_was_read():
    ehr = EhrInMemory()
    EhrDestination(ehr).deliver(cases.write(cases.assessment()))
    ehr.transactions, ehr.answers = True, []
    EhrDestination(ehr).deliver(CHANGED)
    requests = {entry["resource"]["resourceType"]: entry["request"] for entry in ehr.sent["entry"]}
    (plan,) = ehr.of("CarePlan")
    assert requests["CarePlan"] == {"method": "PUT", "url": f"CarePlan/{plan['id']}", "ifMatch": 'W/"1"'}
    assert requests["RiskAssessment"]["method"] == "POST"
    assert requests["RiskAssessment"]["ifNoneExist"].endswith(f"{'ef' * 8}:risk")
    assert requests["Provenance"] == {"method": "POST", "url": "Provenance"}
    (provenance,) = [one["resource"] for one in ehr.sent["entry"] if one["resource"]["resourceType"] == "Provenance"]
    changed = {entry["fullUrl"] for entry in ehr.sent["entry"] if "fullUrl" in entry} - {
        ehr.sent["entry"][-1]["fullUrl"]
    }
    assert len(provenance["target"]) == len(ehr.sent["entry"]) - 1, "the plan, the new ones and the retired task"
    assert {one["reference"] for one in provenance["target"]} >= changed


def test_a_resource_held_twice_stops_the_delivery():
    ehr = EhrInMemory()
    EhrDestination(ehr).deliver(cases.write(cases.assessment()))
    (plan,) = ehr.of("CarePlan")
    ehr.held["double"] = {**plan, "id": "double"}
    with pytest.raises(Refused, match="twice"):
        EhrDestination(ehr).deliver(cases.write(cases.assessment()))


def test_a_server_that_lost_our_tag_is_never_overwritten():
    ehr = EhrInMemory()
    EhrDestination(ehr).deliver(cases.write(cases.assessment()))
    for one in ehr.held.values():
        one["meta"].pop("tag", None)
    (before,) = ehr.of("CarePlan")
    note = EhrDestination(ehr).deliver(CHANGED).note
    assert "CarePlan was edited or activated" in note
    assert ehr.of("CarePlan") == [before]


def test_a_server_without_versions_is_never_overwritten():
    ehr = EhrInMemory()
    EhrDestination(ehr).deliver(cases.write(cases.assessment()))
    for one in ehr.held.values():
        del one["meta"]["versionId"]
    with pytest.raises(Refused, match="no version"):
        EhrDestination(ehr).deliver(CHANGED)
