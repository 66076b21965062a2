"""The ledger keeps its promises: complete means quiet and closed, one step at a time, and each document once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from ledger_case import Bench, assessment, complete_quiet, document, receipt

from connector.core.errors import BadCase
from connector.core.versions import RULESET
from connector.store import tables as t
from connector.store.commitments import Commitments
from connector.store.jobs import LeaseLost, back_off_seconds


def _complete_and_claim(bench: Bench):
    bench.clock.seconds += 31
    assert complete_quiet(bench, 30) == 1
    ((job_id, _),) = bench.ledger.jobs.take_due()
    return bench.ledger.jobs.claim(job_id)


@pytest.mark.parametrize(
    ("quiet_for", "complete", "why"),
    [(29.9, 0, "just short of the quiet time"), (30, 1, "exactly the quiet time"), (30.1, 1, "past it")],
)
def test_a_study_completes_after_its_quiet_time(bench: Bench, quiet_for, complete, why) -> None:
    bench.inbox.receive(receipt())
    bench.clock.seconds += quiet_for
    assert complete_quiet(bench, 30) == complete, why


def test_a_study_waits_for_the_association_that_feeds_it(bench: Bench) -> None:
    bench.inbox.association_opened("A")
    bench.inbox.receive(receipt(association="A"))
    bench.clock.seconds += 40
    bench.inbox.association_alive("A")
    assert complete_quiet(bench, 30) == 0, "the sender may only be slow"
    bench.inbox.association_closed("A")
    assert complete_quiet(bench, 30) == 1


def test_a_killed_listener_does_not_hold_a_study_for_ever(bench: Bench) -> None:
    bench.inbox.association_opened("A")
    bench.inbox.receive(receipt(association="A"))
    bench.clock.seconds += 61
    assert complete_quiet(bench, 30) == 1, "nobody has said for a minute that the association lives"


def test_a_late_instance_opens_the_study_and_asks_for_a_new_assessment(bench: Bench) -> None:
    bench.inbox.receive(receipt())
    lease = _complete_and_claim(bench)
    bench.inbox.receive(receipt("1.2.3.2", path="/in/late"))
    bench.clock.seconds += 31
    assert complete_quiet(bench, 30) == 1
    with bench.ledger.transaction() as connection:
        bench.ledger.jobs.done(connection, lease)
    assert bench.desk.status()["jobs"] == {"assess.due": 1}, "asked again while it ran: due again, not done"


def _save_and_finish(bench: Bench, lease) -> None:
    with bench.ledger.transaction() as connection:
        bench.ledger.save(connection, assessment("c", "1.2.3", "d"), {}, [document("9.1")])
        bench.ledger.jobs.done(connection, lease)


def test_a_job_is_claimed_once_however_many_messages_name_it(bench: Bench) -> None:
    bench.inbox.receive(receipt())
    bench.clock.seconds += 31
    complete_quiet(bench, 30)
    ((job_id, _),) = bench.ledger.jobs.take_due()
    with ThreadPoolExecutor(8) as pool:
        leases = list(pool.map(lambda _: bench.ledger.jobs.claim(job_id), range(16)))
    assert sum(lease is not None for lease in leases) == 1


def test_a_lease_that_ran_out_is_given_to_another_and_the_first_cannot_finish(bench: Bench) -> None:
    bench.inbox.receive(receipt())
    first = _complete_and_claim(bench)
    assert bench.ledger.jobs.claim(first.job_id) is None
    bench.clock.seconds += 61
    ((job_id, _),) = bench.ledger.jobs.take_due()
    second = bench.ledger.jobs.claim(job_id)
    assert second is not None
    with pytest.raises(LeaseLost):
        _save_and_finish(bench, first)
    assert bench.rows(t.document) == [], "what was made under a lost lease is rolled back"


def test_documents_of_one_patient_go_to_the_ehr_in_order_and_one_at_a_time(bench: Bench) -> None:
    with bench.ledger.transaction() as connection:
        bench.ledger.save(connection, assessment("c", "1.2.3", "d1"), {}, [document("one", destination="ehr")])
    with bench.ledger.transaction() as connection:
        bench.ledger.save(connection, assessment("c", "1.2.3", "d2"), {}, [document("two", destination="ehr")])
    jobs = {row.position: row.id for row in bench.rows(t.job)}
    assert bench.ledger.jobs.claim(jobs[2]) is None, "the earlier one goes first"
    first = bench.ledger.jobs.claim(jobs[1])
    assert bench.ledger.jobs.claim(jobs[2]) is None, "and while it runs the other waits"
    with bench.ledger.transaction() as connection:
        bench.ledger.delivered(connection, first, "")
    assert bench.ledger.jobs.claim(jobs[2]) is not None


def test_a_parked_plan_does_not_block_the_patients_next_one(bench: Bench) -> None:
    for digest in ("d1", "d2"):
        with bench.ledger.transaction() as connection:
            bench.ledger.save(connection, assessment("c", "1.2.3", digest), {}, [document(digest, destination="ehr")])
    jobs = {row.position: row.id for row in bench.rows(t.job)}
    lease = bench.ledger.jobs.claim(jobs[1])
    with bench.ledger.transaction() as connection:
        bench.ledger.jobs.stop(connection, lease, state="parked", reason="422")
    assert bench.ledger.jobs.claim(jobs[2]) is not None


def test_equal_documents_are_queued_once(bench: Bench) -> None:
    for _ in range(2):
        with bench.ledger.transaction() as connection:
            bench.ledger.save(connection, assessment("c", "1.2.3", "d"), {}, [document("9.1")])
    assert len(bench.rows(t.document)) == 1
    assert bench.ledger.has_assessment("1.2.3", "d", RULESET)
    assert not bench.ledger.has_assessment("1.2.3", "d", "older rules")


def test_the_newest_document_of_a_kind_is_the_predecessor(bench: Bench) -> None:
    for digest, uid in (("d1", "9.1"), ("d2", "9.2")):
        bench.clock.seconds += 1
        with bench.ledger.transaction() as connection:
            bench.ledger.save(connection, assessment("c", "1.2.3", digest), {}, [document(uid)])
    assert [each.identity for each in bench.ledger.predecessors("1.2.3")] == ["9.2"]


def test_messages_are_sent_again_only_when_they_count_as_lost(bench: Bench) -> None:
    bench.inbox.receive(receipt())
    bench.clock.seconds += 31
    complete_quiet(bench, 30)
    assert len(bench.ledger.jobs.take_due()) == 1
    assert bench.ledger.jobs.take_due() == [], "a message is on its way"
    bench.clock.seconds += 31
    assert len(bench.ledger.jobs.take_due()) == 1, "it must have been lost"


def test_an_operator_replays_and_releases(bench: Bench) -> None:
    bench.inbox.receive(receipt())
    lease = _complete_and_claim(bench)
    with bench.ledger.transaction() as connection:
        bench.ledger.jobs.stop(connection, lease, state="set_aside", reason="sex contradicts")
    assert bench.desk.status()["waiting"][0]["reason"] == "sex contradicts"
    bench.desk.release("1.2.3", by="operator")
    assert bench.ledger.study("1.2.3").identity_released
    assert bench.desk.status()["jobs"] == {"assess.due": 1}
    with pytest.raises(BadCase, match="no such study"):
        bench.desk.release("9.9.9", by="operator")
    with pytest.raises(BadCase, match="nothing parked"):
        bench.desk.replay("9.9.9")
    assert bench.desk.replay("all") == 0


def test_what_the_pacs_does_not_keep_is_delivered_again(bench: Bench) -> None:
    with bench.ledger.transaction() as connection:
        (job_id,) = bench.ledger.save(connection, assessment("c", "1.2.3", "d"), {}, [document("9.1")])
    lease = bench.ledger.jobs.claim(job_id)
    with bench.ledger.transaction() as connection:
        bench.ledger.delivered(connection, lease, "")
    bench.clock.seconds += 1
    Commitments(bench.ledger).told(["9.9"], {"9.1": 0x0112, "9.8": 0x0110})
    assert bench.desk.status()["jobs"] == {"deliver.due": 1}
    kinds = [event["kind"] for event in bench.desk.status()["events"]]
    assert sorted(kinds) == ["committed", "not_committed", "not_committed"]


def test_a_followed_patient_is_looked_at_when_the_turn_comes(bench: Bench) -> None:
    bench.inbox.receive(receipt())
    case_ref = bench.ledger.study("1.2.3").case_ref
    with bench.ledger.transaction() as connection:
        bench.desk.follow(connection, case_ref=case_ref, record_reference="Patient/1")
    (followed,) = bench.desk.followed(not_since=bench.clock() - 60, studied_after=bench.clock() - 1)
    assert (followed.record_reference, followed.latest_study_instance_uid) == ("Patient/1", "1.2.3")
    assert bench.desk.begin_look(followed)
    assert bench.desk.looked(followed, seen_until="2026-01-01T00:00:00Z", changed=True)
    assert bench.desk.status()["jobs"] == {"assess.due": 1}, "a change asks for a new assessment"
    assert bench.desk.followed(not_since=bench.clock() - 60, studied_after=0) == [], "not again so soon"
    bench.clock.seconds += 61
    assert bench.desk.followed(not_since=bench.clock() - 60, studied_after=bench.clock()) == [], "an old study"


@pytest.mark.parametrize(
    ("attempts", "retry_after_seconds", "lowest", "highest"),
    [(1, None, 0.5, 4), (4, None, 0.5, 32), (50, None, 0.5, 900), (1, 120.0, 120, 120)],
)
def test_back_off_doubles_its_ceiling_and_honours_retry_after(attempts, retry_after_seconds, lowest, highest) -> None:
    for _ in range(50):
        assert lowest <= back_off_seconds(attempts, retry_after_seconds) <= highest


def test_a_failed_statement_does_not_say_what_it_was_asked_with(bench):
    with bench.engine.begin() as connection, pytest.raises(sa.exc.SQLAlchemyError) as fault:
        connection.execute(sa.text("SELECT * FROM nothing WHERE name = :name"), {"name": "LESION^TEST"})
    assert "LESION" not in str(fault.value)


def test_a_document_of_equal_content_goes_to_the_ehr_again_after_another_and_to_the_pacs_once(bench):
    """A correction that is taken back: the EHR holds what came between, the PACS keeps every instance."""

    def send(digest, *documents):
        bench.clock.seconds += 1
        with bench.ledger.transaction() as connection:
            return len(bench.ledger.save(connection, assessment("case1", "1.2.3", digest), {}, documents))

    first = document("fhir-a", kind="fhir", destination="ehr"), document("2.25.1")
    assert send("a", *first) == 2
    assert send("b", document("fhir-b", kind="fhir", destination="ehr")) == 1
    assert send("c", *first) == 1
    rows = {row["identity"]: row for row in bench.desk.documents()}
    assert not bench.ledger.is_superseded(rows["fhir-a"]["id"]), "it is the newest again"
    assert bench.ledger.is_superseded(rows["fhir-b"]["id"])


def test_a_delivery_that_is_asked_for_again_stands_behind_those_that_wait(bench):
    def ask(ref, position):
        with bench.ledger.transaction() as connection:
            return bench.ledger.jobs.ask(connection, kind="deliver", ref=ref, serial="ehr:case1", position=position)

    first = ask("a", 1)
    lease = bench.ledger.jobs.claim(first)
    with bench.ledger.transaction() as connection:
        bench.ledger.jobs.done(connection, lease)
    second = ask("b", 2)
    assert ask("a", 3) == first
    assert bench.ledger.jobs.claim(first) is None, "an EHR keeps what comes last"
    assert bench.ledger.jobs.claim(second)
