"""What was made of a wrong patient's images stands nowhere as true, and a clinician's work is never written over."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import fhir_cases as cases
import pytest
from ehr_in_memory import ALL, EhrInMemory
from judge_fhir import findings

from connector.core.errors import Refused
from connector.fhir.deliver import EhrDestination
from connector.fhir.identity import canonical_json
from connector.fhir.reconcile import own_identifier
from connector.fhir.serve import Kept, id_of, retracted, shelved
from connector.fhir.write_retraction import RetractionWriter, is_marked
from connector.ports import Withdrawal

AT = datetime(2026, 4, 8, 9, 30, tzinfo=UTC)
FIRST = cases.write(cases.assessment(), report=lambda _: b"%PDF-")
CHANGED = cases.write(
    cases.assessment(input_digest="ef" * 32, selection=cases.selection(preferred="TAE")), report=lambda _: b"%PDF-"
)
LATER = cases.write(cases.later(), report=lambda _: b"%PDF-")
KINDS = (*ALL, "DocumentReference")


def taken_back(*documents, others=(), study=cases.STUDY):
    (document,) = RetractionWriter().withdraw(Withdrawal(study, AT, "olga", documents, others))
    return document


def delivered(*documents, kinds=KINDS):
    ehr = EhrInMemory(kinds)
    for one in documents:
        EhrDestination(ehr).deliver(one)
    return ehr


def standing(ehr, study):
    """Resources of the study that do not stand as entered in error; a Provenance is no statement."""
    ours = [one for one in ehr.held.values() if (own_identifier(one) or "").startswith(f"{study}:")]
    return [one for one in ours if not is_marked(one)]


def test_everything_of_the_study_is_entered_in_error_with_a_provenance_that_names_it():
    ehr = delivered(FIRST, CHANGED)
    made = {f"{one['resourceType']}/{one['id']}" for one in standing(ehr, cases.STUDY)}
    before = len(ehr.of("Provenance"))
    EhrDestination(ehr).deliver(taken_back(FIRST, CHANGED))
    assert standing(ehr, cases.STUDY) == []
    statuses = {
        one["resourceType"]: one["status"] for one in ehr.held.values() if own_identifier(one) and "status" in one
    }
    assert statuses.pop("Device") == "active", "the software did not change"
    assert set(statuses) == {"CarePlan", "DetectedIssue", "DocumentReference", "Observation", "RiskAssessment", "Task"}
    assert set(statuses.values()) == {"entered-in-error"}
    assert {one["active"] for one in ehr.of("BodyStructure")} == {False}
    (plan,) = ehr.of("CarePlan")
    assert {one.get("status", one.get("lifecycleStatus")) for one in plan["contained"]} == {"entered-in-error"}
    assert "Do not use it" in plan["text"]["div"]
    provenance = ehr.of("Provenance")[before:]
    assert [one["activity"]["coding"][0]["code"] for one in provenance] == ["NULLIFY"]
    assert {one["reference"] for one in provenance[0]["target"]} >= made
    assert [one["who"].get("display") for one in provenance[0]["agent"]][1] == "olga"


def test_taken_back_again_nothing_is_written():
    ehr = delivered(FIRST)
    EhrDestination(ehr).deliver(taken_back(FIRST))
    writes = ehr.writes
    EhrDestination(ehr).deliver(taken_back(FIRST))
    assert ehr.writes == writes


def test_what_never_arrived_is_not_made_to_be_taken_back():
    ehr = EhrInMemory(KINDS)
    EhrDestination(ehr).deliver(taken_back(FIRST))
    assert ehr.writes == 0


def surely(*documents):
    """The same, of documents that arrived for certain."""
    arrived = frozenset(one.identity for one in documents)
    (document,) = RetractionWriter().withdraw(Withdrawal(cases.STUDY, AT, "olga", documents, arrived=arrived))
    return document


def test_what_surely_arrived_and_is_found_nowhere_is_parked_for_a_person():
    """After a merge in the EHR all of it may stand under another patient, where no search for this one finds it."""
    ehr = EhrInMemory(KINDS)
    with pytest.raises(Refused, match="merged the patient into another one") as parked:
        EhrDestination(ehr).deliver(surely(FIRST))
    assert "Patient/" not in str(parked.value), "the reason is logged"
    assert ehr.writes == 0


def test_what_is_found_in_part_is_retracted_and_the_rest_is_told():
    ehr = delivered(FIRST)
    for one in ehr.of("RiskAssessment"):
        del ehr.held[one["id"]]
    for _ in range(2):  # replayed it says the same, and parks nothing: what is marked was found
        note = EhrDestination(ehr).deliver(surely(FIRST)).note
        assert "not found in the EHR, so not retracted there: RiskAssessment" in note
        assert standing(ehr, cases.STUDY) == []


@pytest.mark.parametrize("kind", ["CarePlan", "Observation", "RiskAssessment", "DocumentReference"])
def test_what_a_clinician_touched_is_left_and_asked_of_a_person_once(kind):
    ehr = delivered(FIRST)
    touched = ehr.of(kind)[0]
    ehr.held[touched["id"]] = touched = {**touched, "status": "final", "note": [{"text": "seen by the board"}]}
    for _ in range(2):
        note = EhrDestination(ehr).deliver(taken_back(FIRST)).note
        assert ehr.held[touched["id"]] == touched
        assert f"{kind}/{touched['id']}" in note
        (task,) = [one for one in ehr.of("Task") if one["status"] == "requested"]
        assert (task["focus"], task["priority"]) == ({"reference": f"{kind}/{touched['id']}"}, "urgent")
        assert f"{kind}/{touched['id']}" in task["description"]
    assert [one["id"] for one in standing(ehr, cases.STUDY) if one["resourceType"] != "Task"] == [touched["id"]]


@pytest.mark.parametrize("kind", ["CarePlan", "Observation", "RiskAssessment", "Task"])
def test_what_the_ehr_does_not_let_us_mark_is_asked_of_a_person_and_never_left_out_silently(kind):
    """A server that declares `update` and answers 405: the draft on a wrong patient's images still stands there."""
    ehr = delivered(FIRST)
    ehr.fixed = {kind}
    note = EhrDestination(ehr).deliver(taken_back(FIRST)).note
    left = [one for one in standing(ehr, cases.STUDY) if "retraction" not in own_identifier(one)]
    assert {one["resourceType"] for one in left} == {kind}
    (asked,) = [one for one in ehr.of("Task") if "retraction" in own_identifier(one)]
    assert [one["id"] for one in left if f"{kind}/{one['id']}" not in asked["description"]] == []
    assert f"a person must retract it there: {kind}/" in note


def test_the_request_to_retract_waits_when_the_patients_other_study_is_assessed_anew():
    """That follows every mark at once, and its review Task takes the place of open review Tasks only."""
    ehr = delivered(FIRST, LATER)
    (risk,) = [one for one in ehr.of("RiskAssessment") if own_identifier(one).startswith("2.25.1002:")]
    ehr.held[risk["id"]] = {**risk, "status": "final"}
    EhrDestination(ehr).deliver(taken_back(LATER, others=(FIRST,), study="2.25.1002"))
    EhrDestination(ehr).deliver(CHANGED)
    (asked,) = [one for one in ehr.of("Task") if "retraction" in own_identifier(one)]
    reviews = [one["status"] for one in ehr.of("Task") if one is not asked]
    assert (asked["status"], reviews.count("requested")) == ("requested", 1)


def test_a_mark_that_is_taken_back_ends_its_request_and_a_second_mark_asks_again():
    ehr = delivered(FIRST)
    (plan,) = ehr.of("CarePlan")
    ehr.held[plan["id"]] = {**plan, "status": "active"}
    EhrDestination(ehr).deliver(taken_back(FIRST))
    EhrDestination(ehr).deliver(CHANGED)
    asked = [one for one in ehr.of("Task") if "retraction" in own_identifier(one)]
    assert [one["status"] for one in asked] == ["cancelled"]
    again = Withdrawal(cases.STUDY, AT.replace(hour=11), "olga", (FIRST, CHANGED))
    EhrDestination(ehr).deliver(*RetractionWriter().withdraw(again))
    asked = [one for one in ehr.of("Task") if "retraction" in own_identifier(one)]
    assert sorted(one["status"] for one in asked) == ["cancelled", "requested"]


def test_where_no_task_can_be_made_a_message_asks():
    kinds = {kind: ("create", "update", "read", "search-type") for kind in KINDS if kind != "Task"}
    ehr = delivered(FIRST, kinds={**kinds, "Communication": ("create", "search-type")})
    (plan,) = ehr.of("CarePlan")
    ehr.held[plan["id"]] = {**plan, "status": "active"}
    EhrDestination(ehr).deliver(taken_back(FIRST))
    assert sorted(one["status"] for one in ehr.of("Communication")) == ["completed", "completed"]
    assert f"CarePlan/{plan['id']}" in ehr.of("Communication")[-1]["payload"][0]["contentString"]


def test_the_plan_that_the_wrong_one_had_replaced_is_a_draft_again():
    ehr = delivered(FIRST, LATER)
    EhrDestination(ehr).deliver(taken_back(LATER, others=(FIRST,), study="2.25.1002"))
    assert {own_identifier(one).split(":")[0]: one["status"] for one in ehr.of("CarePlan")} == {
        cases.STUDY: "draft", "2.25.1002": "entered-in-error",
    }  # fmt: skip
    assert [one.get("active", True) for one in ehr.of("BodyStructure")] == [True] * 3, "the earlier study has them too"
    # What is told of the earlier study from now on is not held back by the wrong later one.
    note = EhrDestination(ehr).deliver(CHANGED).note
    assert "later study" not in note
    (draft,) = [one for one in ehr.of("CarePlan") if one["status"] == "draft"]
    assert draft["contained"][0]["code"]["text"] == "TAE"


def test_a_plan_of_another_study_that_stands_stays_the_only_one():
    newest = cases.write(cases.later("2.25.1003", cases.date(2026, 8, 1)), report=lambda _: b"%PDF-")
    ehr = delivered(FIRST, LATER, newest)
    EhrDestination(ehr).deliver(taken_back(LATER, others=(FIRST, newest), study="2.25.1002"))
    assert sorted(one["status"] for one in ehr.of("CarePlan")) == ["draft", "entered-in-error", "revoked"]


def test_when_the_mark_is_taken_back_the_same_resources_stand_again():
    ehr = delivered(FIRST)
    EhrDestination(ehr).deliver(taken_back(FIRST))
    EhrDestination(ehr).deliver(FIRST)
    assert {one["status"] for one in ehr.of("Observation")} == {"preliminary"}
    assert [one["status"] for one in ehr.of("CarePlan")] == ["draft"]
    assert {one.get("active", True) for one in ehr.of("BodyStructure")} == {True}


def test_a_correction_that_is_taken_back_stands_again_as_it_was():
    """A result, another one, and the first again: what the second one retired is said again."""
    one, other = (
        cases.write(cases.assessment(input_digest=digest * 32, selection=cases.selection(excluded_by=by)))
        for digest, by in (("ab", ("TARE-07",)), ("ef", ("TARE-08",)))
    )
    ehr = delivered(one, other, one)
    rules = {issue["code"]["coding"][0]["code"]: issue["status"] for issue in ehr.of("DetectedIssue")}
    assert rules == {"TARE-07": "preliminary", "TARE-08": "cancelled"}
    assert len([task for task in ehr.of("Task") if task["status"] == "requested"]) == 1


def test_a_retraction_is_clean_and_the_same_bytes_for_the_same_mark():
    document = taken_back(FIRST)
    assert findings(cases.bundle_of(document)) == []
    assert document == taken_back(FIRST)
    ehr = delivered(FIRST, document)
    assert [found for one in ehr.held.values() for found in findings(_plain(one))] == []


def test_two_patients_in_the_ehr_have_a_retraction_each():
    other = cases.write(cases.assessment(), reading=cases.record("Patient/p2"))
    first = cases.write(cases.assessment(input_digest="01" * 32))
    made = RetractionWriter().withdraw(Withdrawal(cases.STUDY, AT, "olga", [first, replace(other)]))
    assert len(made) == 2


def test_our_own_endpoint_answers_who_knows_an_id_and_lists_nothing_of_it():
    wrong = [Kept(LATER.content, 2.0, is_rejected=True)]
    held = shelved([Kept(FIRST.content, 1.0), *wrong])
    assert shelved([Kept(FIRST.content, 1.0)]) == held
    place = f"CarePlan/{id_of('CarePlan', '2.25.1002:plan')}"
    found = retracted(wrong, held)
    assert found[place]["status"] == "entered-in-error"
    assert {one["resourceType"] for one in found.values()} & {"Device", "BodyStructure"} == set()
    assert [fault for one in found.values() for fault in findings(_plain(one))] == []


def _plain(resource):
    return json.loads(canonical_json(resource))
