"""Delivery to servers that offer less, answer oddly, or change under our hands."""

import json

import fhir_cases as cases
import pytest
from ehr_in_memory import EhrInMemory

from connector.core.errors import Refused, TryLater
from connector.fhir.deliver import EhrDestination
from connector.fhir.memory import ProcessMemory
from connector.fhir.reconcile import Plan, own_identifier


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


class Limited(EhrInMemory):
    """Takes so many writes at a time and then says 429."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def create(self, resource, *, if_none_exist=None):
        if self.writes == self.most:
            raise TryLater("the EHR is busy (status 429)", 7.0)
        return super().create(resource, if_none_exist=if_none_exist)


def test_a_try_that_wrote_something_says_so_and_the_next_one_goes_on_from_there():
    ehr, memory = Limited(0), ProcessMemory()
    for most, progressed in ((0, False), (4, True), (4, False), (9, True)):
        ehr.most = most
        with pytest.raises(TryLater) as fault:
            EhrDestination(ehr, memory).deliver(cases.write(cases.assessment()))
        assert (fault.value.progressed, fault.value.retry_after_seconds) == (progressed, 7.0)
    ehr.most = 100
    EhrDestination(ehr, memory).deliver(cases.write(cases.assessment()))
    assert len(ehr.held) == ehr.writes == len(cases.bundle_of(cases.write(cases.assessment()))["entry"]), (
        "none was written twice"
    )


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
        assert ehr.of("CarePlan")[0]["contained"][0]["code"]["text"] == "TAE"
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


LATER = cases.write(cases.later())


def test_a_later_study_revokes_the_untouched_draft_and_names_it():
    ehr = EhrInMemory()
    EhrDestination(ehr).deliver(cases.write(cases.assessment()))
    EhrDestination(ehr).deliver(LATER)
    plans = {one["status"]: one for one in ehr.of("CarePlan")}
    assert plans["draft"]["replaces"] == [{"reference": f"CarePlan/{plans['revoked']['id']}"}]
    assert sorted(one["status"] for one in ehr.of("Task")) == ["cancelled", "requested"]
    writes = ehr.writes
    EhrDestination(ehr).deliver(LATER)
    assert ehr.writes == writes, "the plan still names what it replaced, so nothing changed"


def test_a_study_of_the_same_day_does_not_revive_a_plan_that_was_superseded():
    ehr = EhrInMemory()
    first = cases.write(cases.assessment())
    EhrDestination(ehr).deliver(first)
    EhrDestination(ehr).deliver(cases.write(cases.later(on=cases.DAY)))
    assert "later study" in EhrDestination(ehr).deliver(first).note
    assert sorted(one["status"] for one in ehr.of("CarePlan")) == ["draft", "revoked"]


@pytest.mark.parametrize("order", [("first", "later"), ("later", "first")])
def test_whatever_the_order_of_delivery_the_later_study_stands(order):
    documents = {"first": cases.write(cases.assessment()), "later": LATER}
    ehr = EhrInMemory()
    for name in order:
        EhrDestination(ehr).deliver(documents[name])
    (draft,) = [one for one in ehr.of("CarePlan") if one["status"] == "draft"]
    assert draft["period"]["start"] == "2026-07-01"


@pytest.mark.parametrize(
    "touch", [{"status": "active"}, {"title": "x"}, {"activity": []}, {"replaces": [{"reference": "CarePlan/0"}]}]
)
def test_a_touched_plan_is_kept_and_the_board_is_told_once(touch):
    ehr = EhrInMemory()
    EhrDestination(ehr).deliver(cases.write(cases.assessment()))
    (plan,) = ehr.of("CarePlan")
    plan.update(touch)
    before = dict(plan)
    note = EhrDestination(ehr).deliver(CHANGED).note
    assert "kept" in note
    assert "Task" in note
    assert ehr.of("CarePlan") == [before]
    (task,) = [one for one in ehr.of("Task") if one["status"] == "requested"]
    assert task["focus"]["reference"] == f"CarePlan/{plan['id']}"
    assert "TAE: preferred" in task["description"]
    writes = ehr.writes
    EhrDestination(ehr).deliver(CHANGED)
    assert ehr.writes == writes


def test_an_active_plan_of_an_earlier_study_is_kept_beside_the_new_draft():
    ehr = EhrInMemory()
    EhrDestination(ehr).deliver(cases.write(cases.assessment()))
    ehr.of("CarePlan")[0]["status"] = "active"
    assert "kept beside" in EhrDestination(ehr).deliver(LATER).note
    assert sorted(one["status"] for one in ehr.of("CarePlan")) == ["active", "draft"]


def test_what_a_changed_result_no_longer_says_is_retired_unless_someone_confirmed_it():
    ehr = EhrInMemory()
    EhrDestination(ehr).deliver(cases.write(cases.assessment()))
    sizes = [one for one in ehr.of("Observation") if "size" in own_identifier(one)]
    sizes[0]["status"] = "final"
    lost = cases.assessment(time_points=(), response=None, dose=None, input_digest="ef" * 32,
                            selection=cases.selection(excluded_by=()))  # fmt: skip
    EhrDestination(ehr).deliver(cases.write(lost))
    assert sorted(one["status"] for one in ehr.of("Observation")) == ["entered-in-error"] * 4 + ["final"]
    assert [one["status"] for one in ehr.of("DetectedIssue")] == ["cancelled"]


def test_what_is_no_longer_said_is_retired_also_where_only_results_are_written():
    """Such an EHR takes no RiskAssessment: a size that was taken back must not stand there as before."""
    ehr = EhrInMemory()
    EhrDestination(ehr, wanted="results").deliver(cases.write(cases.assessment()))
    assert {one["status"] for one in ehr.of("Observation")} == {"preliminary"}
    assert ehr.of("RiskAssessment") == []
    lost = cases.assessment(time_points=(), response=None, dose=None, input_digest="ef" * 32)
    EhrDestination(ehr, wanted="results").deliver(cases.write(lost))
    assert {one["status"] for one in ehr.of("Observation")} == {"entered-in-error"}


def test_results_of_another_study_are_not_retired():
    ehr = EhrInMemory()
    EhrDestination(ehr).deliver(cases.write(cases.assessment()))
    EhrDestination(ehr).deliver(LATER)
    assert {one["status"] for one in ehr.of("Observation")} == {"preliminary"}
    assert {one["status"] for one in ehr.of("DetectedIssue")} == {"preliminary"}


def test_our_resource_under_another_patient_stops_everything():
    ehr = EhrInMemory()
    EhrDestination(ehr).deliver(cases.write(cases.assessment()))
    writes = ehr.writes
    with pytest.raises(Refused, match="another patient") as fault:
        EhrDestination(ehr).deliver(cases.write(cases.assessment(), reading=cases.record("Patient/p2")))
    assert ehr.writes == writes
    assert "p2" not in str(fault.value)


def test_a_result_that_comes_late_changes_nothing_back():
    ehr = EhrInMemory()
    newer = cases.assessment(assessed_on=cases.date(2026, 4, 9), input_digest="ef" * 32)
    EhrDestination(ehr).deliver(cases.write(newer))
    writes = ehr.writes
    assert "later result" in EhrDestination(ehr).deliver(cases.write(cases.assessment())).note
    assert ehr.writes == writes


def test_a_device_made_twice_by_two_patients_at_once_stops_nobody():
    ehr = EhrInMemory()
    document = cases.write(cases.assessment())
    EhrDestination(ehr).deliver(document)
    (device,) = ehr.of("Device")
    ehr.held["0"] = {**device, "id": "0"}
    writes = ehr.writes
    EhrDestination(ehr).deliver(document)
    assert ehr.writes == writes


def test_a_long_story_is_told_short():
    plan = Plan(notes=[f"note {number}" for number in range(8)])
    assert plan.note.endswith("note 5; and 2 more")
