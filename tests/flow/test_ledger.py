"""The ledger keeps its promises: answered means committed, complete means quiet and closed, one step at a time."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from ledger_case import Bench, assessment, complete_quiet, document, receipt

from connector.core.errors import BadCase, TryLater
from connector.core.versions import RULESET
from connector.ports import ReceiptOutcome
from connector.store import tables as t
from connector.store.commitments import Commitments
from connector.store.jobs import LeaseLost, back_off_seconds


def _rows(bench: Bench, table: sa.Table) -> list[sa.Row]:
    with bench.engine.connect() as connection:
        return list(connection.execute(sa.select(table)))


def _complete_and_claim(bench: Bench):
    bench.clock.seconds += 31
    assert complete_quiet(bench, 30) == 1
    ((job_id, _),) = bench.ledger.jobs.take_due()
    return bench.ledger.jobs.claim(job_id)


@pytest.mark.parametrize(
    ("digest", "equal_data_set", "outcome", "why"),
    [
        ("a", False, ReceiptOutcome.SAME, "the same bytes are the same instance"),
        ("b", True, ReceiptOutcome.SAME, "another transfer syntax of the same data set is the same instance"),
        ("b", False, ReceiptOutcome.CONFLICT, "the same UID with other content is kept aside"),
    ],
)
def test_a_second_receipt_of_a_uid(bench: Bench, tmp_path, digest, equal_data_set, outcome, why) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.touch()
    assert bench.inbox.receive(receipt(path=first)) is ReceiptOutcome.STORED
    if equal_data_set:
        bench.same.add(frozenset((first, second)))
    assert bench.inbox.receive(receipt(path=second, digest=digest)) is outcome, why
    assert [row.path for row in _rows(bench, t.instance)] == [str(first)], "the first one stays in use"
    alarms = [event for event in bench.desk.status()["events"] if event["kind"] == "instance_conflict"]
    assert len(alarms) == (outcome is ReceiptOutcome.CONFLICT)


def test_an_instance_whose_file_was_taken_back_comes_in_anew(bench: Bench, tmp_path) -> None:
    bench.inbox.receive(receipt(path=tmp_path / "deleted"))
    assert bench.inbox.receive(receipt(path=tmp_path / "again")) is ReceiptOutcome.STORED, "or it would be lost"
    assert [row.path for row in _rows(bench, t.instance)] == [str(tmp_path / "again")]


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
    assert _rows(bench, t.document) == [], "what was made under a lost lease is rolled back"


def test_documents_of_one_patient_go_to_the_ehr_in_order_and_one_at_a_time(bench: Bench) -> None:
    with bench.ledger.transaction() as connection:
        bench.ledger.save(connection, assessment("c", "1.2.3", "d1"), {}, [document("one", destination="ehr")])
    with bench.ledger.transaction() as connection:
        bench.ledger.save(connection, assessment("c", "1.2.3", "d2"), {}, [document("two", destination="ehr")])
    jobs = {row.position: row.id for row in _rows(bench, t.job)}
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
    jobs = {row.position: row.id for row in _rows(bench, t.job)}
    lease = bench.ledger.jobs.claim(jobs[1])
    with bench.ledger.transaction() as connection:
        bench.ledger.jobs.stop(connection, lease, state="parked", reason="422")
    assert bench.ledger.jobs.claim(jobs[2]) is not None


def test_equal_documents_are_queued_once(bench: Bench) -> None:
    for _ in range(2):
        with bench.ledger.transaction() as connection:
            bench.ledger.save(connection, assessment("c", "1.2.3", "d"), {}, [document("9.1")])
    assert len(_rows(bench, t.document)) == 1
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


def test_earlier_studies_of_the_patient_are_priors_and_other_patients_are_not(bench: Bench) -> None:
    bench.inbox.receive(receipt("1.1", study="1", date="20250101", path="/in/1"))
    bench.inbox.receive(receipt("2.1", study="2", date="20260101", path="/in/2"))
    bench.inbox.receive(receipt("3.1", study="3", date="20240101", path="/in/3", patient="P2"))
    newest, oldest = bench.ledger.study("2"), bench.ledger.study("1")
    assert newest.prior_paths == (Path("/in/1"),)
    assert newest.is_latest
    assert not oldest.is_latest
    assert oldest.latest_study_instance_uid == "2"
    assert oldest.prior_paths == (), "a later study is no prior"


def test_a_prior_we_fetched_is_compared_with_and_never_assessed_by_itself(bench: Bench) -> None:
    bench.inbox.receive(receipt("2.1", study="2", date="20260101", path="/in/2"))
    bench.inbox.receive(replace(receipt("1.1", study="1", date="20250101", path="/in/1"), is_prior=True))
    bench.inbox.receive(replace(receipt("3.1", study="3", date="20270101"), is_prior=True))
    bench.clock.seconds += 31
    assert complete_quiet(bench, 30) == 1
    study = bench.ledger.study("2")
    assert (study.prior_paths, study.studies_here) == ((Path("/in/1"),), ("2",))
    assert study.is_latest, "a study that nobody sent us to assess takes no plan away"
    bench.inbox.receive(receipt("1.2", study="1", date="20250101", path="/in/1b"))
    bench.clock.seconds += 31
    assert complete_quiet(bench, 30) == 1, "sent to us after all, it is assessed"
    bench.inbox.receive(receipt("3.1", study="3", date="20270101"))
    bench.clock.seconds += 31
    assert complete_quiet(bench, 30) == 1, "also when we hold every instance of it already"


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


def test_a_ledger_that_is_away_asks_the_sender_to_try_later(bench: Bench) -> None:
    with bench.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE instance")
    with pytest.raises(TryLater):
        bench.inbox.receive(receipt())


def test_many_receipts_at_once_are_all_committed(bench: Bench) -> None:
    receipts = [receipt(f"1.2.3.{number}", path=f"/in/{number}", digest=str(number)) for number in range(200)]
    with ThreadPoolExecutor(16) as pool:
        outcomes = set(pool.map(bench.inbox.receive, receipts))
    assert outcomes == {ReceiptOutcome.STORED}
    assert bench.desk.status()["instances"] == 200


@pytest.mark.parametrize(
    ("attempts", "retry_after_seconds", "lowest", "highest"),
    [(1, None, 0.5, 4), (4, None, 0.5, 32), (50, None, 0.5, 900), (1, 120.0, 120, 120)],
)
def test_back_off_doubles_its_ceiling_and_honours_retry_after(attempts, retry_after_seconds, lowest, highest) -> None:
    for _ in range(50):
        assert lowest <= back_off_seconds(attempts, retry_after_seconds) <= highest


def test_a_batch_is_written_in_one_order_whatever_comes_first(bench: Bench) -> None:
    # Two processes that touch the same studies in different orders would wait for each other on PostgreSQL.
    touched = []

    def note(_connection, _cursor, statement, parameters, _context, _many) -> None:
        if statement.startswith("INSERT INTO study"):
            touched.append(parameters[0])

    sa.event.listen(bench.engine, "before_cursor_execute", note)
    entries = [(receipt(f"{study}.1", study=study), Future()) for study in ("1.2.5", "1.2.3", "1.2.4")]
    bench.inbox._commit(entries)
    sa.event.remove(bench.engine, "before_cursor_execute", note)
    assert touched == ["1.2.3", "1.2.4", "1.2.5"]
    assert {future.result() for _, future in entries} == {ReceiptOutcome.STORED}


def test_a_late_instance_opens_its_study_though_another_one_is_fetched_at_the_same_moment(bench: Bench) -> None:
    bench.inbox.receive(receipt())
    bench.ledger.complete_study("1.2.3", "test")
    sent, fetched = receipt("1.2.3.2"), replace(receipt("1.2.3.3"), is_prior=True)
    bench.inbox._commit([(sent, Future()), (fetched, Future())])
    assert bench.desk.status()["studies"] == {"receiving": 1}, "else nobody would assess what was sent"


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


def test_a_fault_that_nobody_thought_of_keeps_out_one_instance_and_not_those_beside_it(bench: Bench) -> None:
    def picky(key: str) -> str:
        if key.endswith("BAD"):
            raise ValueError(key)
        return key

    bench.inbox._case_ref = picky
    good, bad = receipt(), receipt("1.2.4.1", study="1.2.4", patient="BAD")
    batch = [(one, Future()) for one in (bad, good)]
    bench.inbox._commit(batch)
    told = {one.sop_instance_uid: future.exception() for one, future in batch}
    assert told["1.2.3.1"] is None
    assert isinstance(told["1.2.4.1"], TryLater), "the sender hears A700 and sends again"
    assert "BAD" not in str(told["1.2.4.1"])
    with pytest.raises(TryLater):
        bench.inbox.receive(bad)
    assert bench.inbox.receive(receipt("1.2.3.2")) is ReceiptOutcome.STORED, "the writer lives"
    assert {row.sop_instance_uid for row in _rows(bench, t.instance)} == {"1.2.3.1", "1.2.3.2"}


def test_an_upload_that_outlives_the_inbox_is_refused_and_does_not_wait(bench: Bench) -> None:
    bench.inbox.close()
    with pytest.raises(TryLater, match="stopping"):
        bench.inbox.receive(receipt())
    assert _rows(bench, t.instance) == []


def test_two_requests_for_one_series_end_each_for_itself(bench: Bench) -> None:
    with bench.inbox.expecting(["1.2.3", "1.2.4"]):
        with bench.inbox.expecting(["1.2.3"]):
            pass
        assert bench.inbox.is_expected(["1.2.3"]), "what still comes by the first one is no new study"
        assert bench.inbox.is_expected(["1.2.9", "1.2.4"])
        assert not bench.inbox.is_expected(["1.2"])
        assert not bench.inbox.is_expected([])
        bench.clock.seconds += 4 * 3600 + 1
        assert not bench.inbox.is_expected(["1.2.3"]), "the process died that asked"
        with bench.inbox.expecting(["1.2.3"]):
            assert bench.inbox.is_expected(["1.2.3"])
        assert not bench.inbox.is_expected(["1.2.3"]), "what it left is not added to"
    assert _rows(bench, t.note) == []


def test_a_request_that_died_is_not_kept_alive_by_others(bench: Bench) -> None:
    """A study that is asked for every few hours would be expected for ever, and what is sent anew taken for a prior."""
    died = bench.inbox.expecting(["1.2.3"])
    died.__enter__()
    for _ in range(2):
        bench.clock.seconds += 2 * 3600
        with bench.inbox.expecting(["1.2.3"]):
            assert bench.inbox.is_expected(["1.2.3"])
    assert not bench.inbox.is_expected(["1.2.3"]), "four hours after the one that died began"
    with bench.inbox.expecting(["1.2.3"]):
        (note,) = _rows(bench, t.note)
        assert len(note.value.splitlines()) == 1, "what it left is taken out"
    assert _rows(bench, t.note) == []


def test_a_request_of_a_release_that_wrote_no_time_is_stale(bench: Bench) -> None:
    with bench.engine.begin() as connection:
        connection.execute(
            sa.insert(t.note).values(name="moving:1.2.3", value="0f" * 16 + "\n", changed_at=bench.clock())
        )
    assert not bench.inbox.is_expected(["1.2.3"])
    with bench.inbox.expecting(["1.2.3"]):
        assert bench.inbox.is_expected(["1.2.3"])
    assert _rows(bench, t.note) == []


def test_the_look_at_each_moved_instance_reads_no_table(bench: Bench) -> None:
    """It is asked while an archive sends: by whole names, which every database finds in the index of the key."""
    asked: list[tuple[str, object]] = []
    sa.event.listen(bench.engine, "before_cursor_execute", lambda *said: asked.append((said[2], said[3])))
    bench.inbox.is_expected(["1.2.3", "1.2.4"])
    ((statement, values),) = [each for each in asked if "note" in each[0]]
    with bench.engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    assert [row[-1] for row in plan] == ["SEARCH note USING INDEX sqlite_autoindex_note_1 (name=?)"]


def test_a_fault_after_the_commit_gives_no_stored_file_away(bench: Bench, monkeypatch) -> None:
    """Each of the batch is tried again, and is there already: taken for a duplicate, its only file would be dropped."""
    record_all, faults = bench.inbox._record_all, [MemoryError()]

    def committed_and_failed(receipts):
        outcomes = record_all(receipts)
        if faults:
            raise faults.pop()
        return outcomes

    monkeypatch.setattr(bench.inbox, "_record_all", committed_and_failed)
    batch = [(receipt(one), Future()) for one in ("1.2.3.1", "1.2.3.2")]
    bench.inbox._commit(batch)
    assert [future.result() for _, future in batch] == [ReceiptOutcome.STORED] * 2


def test_studies_are_written_before_series_in_one_order_whatever_came(bench: Bench, tmp_path: Path) -> None:
    """Two processes that wrote them in two orders would wait for each other, and PostgreSQL would refuse one batch."""
    known = replace(receipt("1.2.3.1"), is_prior=True)
    bench.inbox.receive(known)
    written = []

    def note(_connection, _cursor, statement, *_rest) -> None:
        written.append(statement.split()[2 if statement.startswith("INSERT") else 1])

    sa.event.listen(bench.engine, "before_cursor_execute", note)
    new, again = receipt("1.2.4.1", study="1.2.4"), replace(known, is_prior=False, path=tmp_path / "again.dcm")
    batch = [(one, Future()) for one in (new, again)]
    bench.inbox._commit(batch)
    assert {one.sop_instance_uid: future.result() for one, future in batch}["1.2.3.1"] is ReceiptOutcome.SAME
    assert [name for name in written if name in {"study", "series"}] == ["study", "study", "series", "series"]
    states = {row.study_instance_uid: row.state for row in _rows(bench, t.study)}
    assert states == {"1.2.3": "receiving", "1.2.4": "receiving"}, "what was a prior is sent to be assessed"
