"""The documents of a case, found by the resources in them, however old they are."""

from ledger_case import assessment, document, receipt

from connector.store.acts import REJECT, RESTORE, Act, Acts
from connector.store.shelf import SqlShelf


def ids(content):
    """What a made-up document holds: its words."""
    return content.decode().split("-")


def save(bench, case_ref, *documents, study="1.2.3", digest="d"):
    bench.clock.seconds += 1
    with bench.ledger.transaction() as connection:
        bench.ledger.save(connection, assessment(case_ref, study, digest), "{}", documents)


def test_a_case_is_found_by_any_resource_of_its_documents(bench):
    shelf = SqlShelf(bench.engine, resource_ids=ids)
    assert shelf.case_of("plan") is None
    save(bench, "case1", document("plan-risk", kind="fhir", destination="ehr"), document("picture", kind="sr"))
    assert (shelf.case_of("plan"), shelf.case_of("risk"), shelf.case_of("picture")) == ("case1", "case1", None)


def test_each_document_is_indexed_once(bench):
    asked = []
    shelf = SqlShelf(bench.engine, resource_ids=lambda content: asked.append(content) or ids(content))
    save(bench, "case1", document("plan-risk", kind="fhir", destination="ehr"))
    for wanted in ("plan", "none", "none"):
        shelf.case_of(wanted)
    assert asked == [b"plan-risk"]
    save(bench, "case2", document("other", kind="fhir", destination="ehr", study="1.2.4"), study="1.2.4", digest="e")
    assert shelf.case_of("other") == "case2"
    assert asked == [b"plan-risk", b"other"]


def test_documents_come_oldest_first_and_one_that_is_tidied_away_is_left_out(bench):
    shelf = SqlShelf(bench.engine, resource_ids=ids)
    for number in (1, 2, 3):
        save(bench, "case1", document(f"plan-{number}", kind="fhir", destination="ehr"), digest=str(number))
    assert [content for content, *_ in shelf.documents_of("case1")] == [b"plan-1", b"plan-2", b"plan-3"]
    for file in (bench.ledger.outbox._folder).iterdir():
        if file.read_bytes() == b"plan-1":
            file.unlink()
    assert [content for content, *_ in shelf.documents_of("case1")] == [b"plan-2", b"plan-3"]


def test_a_patient_is_found_by_the_reference_in_the_ehr(bench):
    shelf = SqlShelf(bench.engine, resource_ids=ids)
    bench.inbox.receive(receipt())
    with bench.ledger.transaction() as connection:
        bench.desk.follow(connection, case_ref="case1", record_reference="Patient/17")
    assert shelf.cases_of_record("Patient/17") == ["case1"]
    assert shelf.cases_of_record("Patient/1") == []


def test_documents_of_a_wrong_patients_study_are_told_as_such_until_that_is_taken_back(bench):
    shelf = SqlShelf(bench.engine, resource_ids=ids)
    case_ref = bench.inbox.receive(receipt()) and bench.ledger.study("1.2.3").case_ref
    save(bench, case_ref, document("plan", kind="fhir", destination="ehr"))
    told = lambda: [(content, wrong) for content, _, wrong in shelf.documents_of(case_ref)]  # noqa: E731 - short
    assert told() == [(b"plan", False)]
    assert Acts(bench.ledger).act(Act(REJECT, "1.2.3", "somebody", "another's", "k1")).done
    assert told() == [(b"plan", True)]
    assert Acts(bench.ledger).act(Act(RESTORE, "1.2.3", "somebody", "a mistake", "k2")).done
    assert told() == [(b"plan", False)]
