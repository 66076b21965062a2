"""Which way an EHR is written: chosen from what it declares, kept, told, and corrected by how it answers."""

import json
from base64 import b64decode

import fhir_cases as cases
import pytest
from ehr_in_memory import ALL, EhrInMemory
from judge_fhir import findings

from connector.core.errors import BadCase, Refused, TryLater
from connector.fhir.deliver import EhrDestination
from connector.fhir.ladder import DENIED_SECONDS, WAY_NOTE, Ladder, Rung, choose
from connector.fhir.memory import ProcessMemory
from connector.fhir.reconcile import own_identifier
from connector.fhir.vendors import vendor_for, vendors

OURS = "BodyStructure CarePlan DetectedIssue Device Observation Provenance RiskAssessment Task"
EVERY, READ = ("create", "update", "read", "search-type"), ("read", "search-type")
# What the public statements of two products declare for the types that we write (2026).
EPIC = {
    "Observation": EVERY, "DocumentReference": EVERY, "BodyStructure": EVERY, "CarePlan": READ, "Device": READ,
    "Task": ("update", *READ), "Communication": ("create", *READ), "Provenance": ("read",),
}  # fmt: skip
ORACLE = {
    "Observation": EVERY, "DocumentReference": EVERY, "CarePlan": READ, "Device": READ,
    "Communication": ("create", "patch", *READ), "Provenance": ("create", "read"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("kinds", "software", "wanted", "rung", "writes", "why"),
    [
        (ALL, "", "auto", "full", OURS, "everything is declared"),
        (EPIC, "Epic", "auto", "results", "BodyStructure Communication DocumentReference Observation",
         "no plan, no risk, and a Task cannot be created: a message tells the board"),
        (ORACLE, "Oracle Health", "auto", "results", "DocumentReference Observation Provenance",
         "a message could not be found again, so none is written"),
        ({**dict.fromkeys(ALL, EVERY), "RiskAssessment": READ}, "", "auto", "results",
         "BodyStructure CarePlan DetectedIssue Device Observation Provenance Task", "one of the two is not enough"),
        ({"DocumentReference": EVERY, "Task": EVERY, "Provenance": ("create",)}, "", "auto", "document",
         "DocumentReference", "a task without a result says nothing"),
        ({"Patient": EVERY, "Task": EVERY}, "", "auto", "nothing", "", "no result and no document"),
        ({"Observation": ("create", "update")}, "", "auto", "nothing", "", "what cannot be looked up is not written"),
        (ALL, "", "results", "results", "BodyStructure DetectedIssue Device Observation Provenance Task",
         "a site keeps plans out of its EHR"),
        (EPIC, "Epic", "document", "document", "DocumentReference", "a site wants the report only"),
        ({"Patient": READ}, "", "full", "full", OURS.replace("Device", "Device DocumentReference"),
         "a site knows more than its server's statement"),
    ],
)  # fmt: skip
def test_the_highest_rung_that_the_server_declares(kinds, software, wanted, rung, writes, why):
    way = choose(EhrInMemory(kinds).capabilities(), vendor_for(software), wanted=wanted)
    assert (way.rung, " ".join(sorted(way.kinds))) == (rung, writes), why
    assert way.forced == (wanted != "auto")


def test_the_way_is_kept_and_told_once_and_follows_the_statement():
    ehr, memory = EhrInMemory(EPIC, software="Epic"), ProcessMemory()
    assert Ladder(ehr, memory).way().rung is Rung.RESULTS
    kept = json.loads(memory.recall(WAY_NOTE))
    assert kept["vendor"] == "epic"
    assert kept["says"].startswith("Epic: results are written")
    assert not memory.remember(WAY_NOTE, memory.recall(WAY_NOTE)), "no news"
    ehr.kinds = ALL
    assert Ladder(ehr, memory).way().rung is Rung.FULL
    assert json.loads(memory.recall(WAY_NOTE))["rung"] == "full"


def test_what_a_server_declares_and_refuses_is_left_out_for_a_day():
    ehr, memory, now = EhrInMemory(refused=("DetectedIssue",)), ProcessMemory(), [0.0]
    note = EhrDestination(ehr, memory).deliver(cases.write(cases.assessment())).note
    assert "does not take DetectedIssue" in note
    assert len(ehr.of("CarePlan")) == 1
    assert len(ehr.of("Observation")) == 5, "nothing was written twice on the way down"
    ladder = Ladder(ehr, memory, now=lambda: now[0])
    ladder.deny("Task", "405")
    assert "Task" not in ladder.way().kinds
    now[0] = DENIED_SECONDS + 1
    assert "Task" in ladder.way().kinds


def test_another_statement_is_believed_again():
    ehr, memory = EhrInMemory(), ProcessMemory()
    ladder = Ladder(ehr, memory)
    ladder.deny("Task", "405")
    ehr.kinds = (*ALL, "DocumentReference")
    assert "Task" in ladder.way().kinds


def test_a_transaction_that_is_declared_and_refused_goes_entry_by_entry():
    ehr = EhrInMemory(transactions=True, refused=("transaction",))
    EhrDestination(ehr).deliver(cases.write(cases.assessment()))
    assert len(ehr.of("CarePlan")) == 1


def test_a_server_that_refuses_everything_stops_and_says_so():
    with pytest.raises(Refused, match="takes none"):
        EhrDestination(EhrInMemory(refused=ALL)).deliver(cases.write(cases.assessment()))


def test_a_server_that_drops_identifiers_gets_one_stray_and_no_second():
    ehr, memory = EhrInMemory(strips=("DetectedIssue",)), ProcessMemory()
    for _ in range(3):
        EhrDestination(ehr, memory).deliver(cases.write(cases.assessment()))
    assert len(ehr.of("DetectedIssue")) == 1
    assert len(ehr.of("CarePlan")) == 1


REPORTED = {"contentType": "application/pdf", "data": "JVBERi0=", "title": "pages"}


@pytest.mark.parametrize(("kinds", "software"), [(EPIC, "Epic"), (ORACLE, "Oracle Health")])
def test_results_and_a_document_stand_in_for_plan_and_risk(kinds, software):
    ehr = EhrInMemory(kinds, software=software, parameters=("patient", "code", "date"))
    document = cases.write(cases.assessment())
    EhrDestination(ehr).deliver(document)
    (held,) = ehr.of("DocumentReference")
    (inside,) = [one["attachment"] for one in held["content"]]
    bundle = json.loads(b64decode(inside["data"]))
    kinds_inside = {one["resource"]["resourceType"] for one in bundle["entry"]}
    assert (inside["contentType"], bundle["type"]) == ("application/fhir+json", "collection")
    assert kinds_inside >= {"CarePlan", "RiskAssessment", "DetectedIssue", "Observation"}
    assert findings(bundle) == []
    assert own_identifier(held) == f"{cases.STUDY}:report"
    assert len(ehr.of("Observation")) == 5
    assert not [kind for kind, asked in ehr.asked if "identifier" in asked and kind != "BodyStructure"]
    writes = ehr.writes
    EhrDestination(ehr).deliver(document)
    assert ehr.writes == writes, "nothing changed, so nothing was written"


def test_the_board_gets_a_message_where_no_task_can_be_made():
    ehr = EhrInMemory(EPIC, software="Epic", parameters=("patient", "code"))
    EhrDestination(ehr).deliver(cases.write(cases.assessment(), board="Organization/board"))
    (message,) = ehr.of("Communication")
    (held,) = ehr.of("DocumentReference")
    assert message["about"] == [{"reference": f"DocumentReference/{held['id']}"}]
    assert message["recipient"] == [{"reference": "Organization/board"}]
    assert findings(json.loads(json.dumps(message, default=float))) == []
    EhrDestination(ehr).deliver(cases.write(cases.assessment(input_digest="ef" * 32), board="Organization/board"))
    assert len(ehr.of("Communication")) == 2, "a changed result is another message"
    assert len(ehr.of("DocumentReference")) == 1, "and the same document"


def test_the_pages_stay_the_first_content():
    ehr = EhrInMemory({"DocumentReference": EVERY})
    with_pages = cases.write(cases.assessment(), report=lambda _: b"%PDF-")
    EhrDestination(ehr).deliver(with_pages)
    (held,) = ehr.of("DocumentReference")
    assert [one["attachment"]["contentType"] for one in held["content"]] == ["application/pdf", "application/fhir+json"]
    assert findings(json.loads(json.dumps(held, default=float))) == []


def test_an_older_study_delivered_late_tells_nobody_where_no_plan_is_written():
    ehr = EhrInMemory({"Observation": EVERY, "Task": EVERY})
    EhrDestination(ehr).deliver(cases.write(cases.later()))
    EhrDestination(ehr).deliver(cases.write(cases.assessment()))
    (task,) = ehr.of("Task")
    assert own_identifier(task).startswith("2.25.1002:"), "the later study's"
    assert task["status"] == "requested"


def test_a_provenance_that_was_not_written_is_made_up_for():
    ehr, memory = EhrInMemory(lost=("CarePlan",)), ProcessMemory()
    document = cases.write(cases.assessment())
    with pytest.raises(TryLater):
        EhrDestination(ehr, memory).deliver(document)
    assert ehr.of("Provenance") == []
    EhrDestination(ehr, memory).deliver(document)
    (told,) = ehr.of("Provenance")
    ours = {f"{one['resourceType']}/{one['id']}" for one in ehr.held.values()} - {f"Provenance/{told['id']}"}
    assert {one["reference"] for one in told["target"]} == ours


def test_a_provenance_whose_answer_was_lost_is_not_written_again():
    ehr, memory = EhrInMemory(lost=("Provenance",), parameters=("identifier", "patient", "target")), ProcessMemory()
    document = cases.write(cases.assessment())
    with pytest.raises(TryLater):
        EhrDestination(ehr, memory).deliver(document)
    EhrDestination(ehr, memory).deliver(document)
    assert len(ehr.of("Provenance")) == 1


def test_a_delivery_that_takes_too_long_stops_before_another_worker_may_begin():
    ticks = iter(range(0, 10_000, 100))
    slow = EhrDestination(EhrInMemory(), within_seconds=450, clock=lambda: float(next(ticks)))
    with pytest.raises(TryLater, match="too slowly"):
        slow.deliver(cases.write(cases.assessment()))


@pytest.mark.parametrize(
    ("said", "name"),
    [("Epic", "epic"), ("Oracle Health", "oracle_health"), ("Cerner Millennium", "oracle_health"),
     ("HAPI FHIR Server", "plain"), ("", "plain")],
)  # fmt: skip
def test_a_product_is_known_by_the_name_it_gives_itself(said, name):
    assert vendor_for(said).name == name


def test_a_product_that_is_set_wins_and_an_unknown_one_is_an_error():
    assert vendor_for("HAPI", "epic").name == "epic"
    with pytest.raises(BadCase, match="auto, epic, oracle_health, plain"):
        vendor_for("", "epik")


@pytest.mark.parametrize("name", sorted(vendors()))
def test_every_difference_says_what_we_do_and_who_says_so(name):
    vendor = vendors()[name]
    assert vendor.name == name, "as its file"
    assert all(one.what and one.so_we and one.source for one in vendor.differences)
    assert name == "plain" or vendor.differences
