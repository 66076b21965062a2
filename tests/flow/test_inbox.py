"""What comes in is kept: once, in one order, with its priors, and never lost by a fault beside it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from ledger_case import Bench, complete_quiet, receipt, received_together
from state_peers import wait_until

from connector.core.errors import TryLater
from connector.ports import ReceiptOutcome
from connector.store import tables as t


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
    assert [row.path for row in bench.rows(t.instance)] == [str(first)], "the first one stays in use"
    alarms = [event for event in bench.desk.status()["events"] if event["kind"] == "instance_conflict"]
    assert len(alarms) == (outcome is ReceiptOutcome.CONFLICT)


def test_an_instance_whose_file_was_taken_back_comes_in_anew(bench: Bench, tmp_path) -> None:
    bench.inbox.receive(receipt(path=tmp_path / "deleted"))
    assert bench.inbox.receive(receipt(path=tmp_path / "again")) is ReceiptOutcome.STORED, "or it would be lost"
    assert [row.path for row in bench.rows(t.instance)] == [str(tmp_path / "again")]


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


def test_a_batch_is_written_in_one_order_whatever_comes_first(bench: Bench) -> None:
    # Two processes that touch the same studies in different orders would wait for each other on PostgreSQL.
    touched = []

    def note(_connection, _cursor, statement, parameters, _context, _many) -> None:
        if statement.startswith("INSERT INTO study"):
            touched.append(parameters[0])

    sa.event.listen(bench.engine, "before_cursor_execute", note)
    told = received_together(bench.inbox, [receipt(f"{study}.1", study=study) for study in ("1.2.5", "1.2.3", "1.2.4")])
    sa.event.remove(bench.engine, "before_cursor_execute", note)
    assert touched == ["1.2.3", "1.2.4", "1.2.5"]
    assert set(told.values()) == {ReceiptOutcome.STORED}


def test_a_late_instance_opens_its_study_though_another_one_is_fetched_at_the_same_moment(bench: Bench) -> None:
    bench.inbox.receive(receipt())
    bench.ledger.complete_study("1.2.3", "test")
    sent, fetched = receipt("1.2.3.2"), replace(receipt("1.2.3.3"), is_prior=True)
    received_together(bench.inbox, [sent, fetched])
    assert bench.desk.status()["studies"] == {"receiving": 1}, "else nobody would assess what was sent"


def test_a_fault_that_nobody_thought_of_keeps_out_one_instance_and_not_those_beside_it(bench: Bench) -> None:
    def picky(key: str) -> str:
        if key.endswith("BAD"):
            raise ValueError(key)
        return key

    bench.inbox._case_ref = picky
    good, bad = receipt(), receipt("1.2.4.1", study="1.2.4", patient="BAD")
    told = received_together(bench.inbox, [bad, good])
    assert told["1.2.3.1"] is ReceiptOutcome.STORED
    assert isinstance(told["1.2.4.1"], TryLater), "the sender hears A700 and sends again"
    assert "BAD" not in str(told["1.2.4.1"])
    with pytest.raises(TryLater):
        bench.inbox.receive(bad)
    assert bench.inbox.receive(receipt("1.2.3.2")) is ReceiptOutcome.STORED, "the writer lives"
    assert {row.sop_instance_uid for row in bench.rows(t.instance)} == {"1.2.3.1", "1.2.3.2"}


def test_a_connection_is_kept_for_a_burst_and_given_back_when_nobody_sends(bench: Bench) -> None:
    taken: list[object] = []
    sa.event.listen(bench.engine, "checkout", lambda *_: taken.append(_))
    for number in range(20):
        bench.inbox.receive(receipt(f"1.2.3.{number}"))
    assert len(taken) == 1, "to take one for each batch costs as much as to write it"
    wait_until(lambda: bench.inbox._commits._held is None, seconds=10, what="the return of the connection")
    assert bench.inbox.receive(receipt("1.2.3.99")) is ReceiptOutcome.STORED
    assert len(taken) == 2, "one that was idle is tried before it is used: the database may have been started anew"


def test_an_upload_that_outlives_the_inbox_is_refused_and_does_not_wait(bench: Bench) -> None:
    bench.inbox.close()
    with pytest.raises(TryLater, match="stopping"):
        bench.inbox.receive(receipt())
    assert bench.rows(t.instance) == []


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
    assert bench.rows(t.note) == []


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
        (note,) = bench.rows(t.note)
        assert len(note.value.splitlines()) == 1, "what it left is taken out"
    assert bench.rows(t.note) == []


def test_a_request_of_a_release_that_wrote_no_time_is_stale(bench: Bench) -> None:
    with bench.engine.begin() as connection:
        connection.execute(
            sa.insert(t.note).values(name="moving:1.2.3", value="0f" * 16 + "\n", changed_at=bench.clock())
        )
    assert not bench.inbox.is_expected(["1.2.3"])
    with bench.inbox.expecting(["1.2.3"]):
        assert bench.inbox.is_expected(["1.2.3"])
    assert bench.rows(t.note) == []


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
    commits = bench.inbox._commits
    written, faults = commits._written, [MemoryError()]

    def committed_and_failed(receipts):
        outcomes = written(receipts)
        if len(receipts) > 1 and faults:
            raise faults.pop()
        return outcomes

    monkeypatch.setattr(commits, "_written", committed_and_failed)
    told = received_together(bench.inbox, [receipt(one) for one in ("1.2.3.1", "1.2.3.2")])
    assert (list(told.values()), faults) == ([ReceiptOutcome.STORED] * 2, [])


def test_studies_are_written_before_series_in_one_order_whatever_came(bench: Bench, tmp_path: Path) -> None:
    """Two processes that wrote them in two orders would wait for each other, and PostgreSQL would refuse one batch."""
    known = replace(receipt("1.2.3.1"), is_prior=True)
    bench.inbox.receive(known)
    written = []

    def note(_connection, _cursor, statement, *_rest) -> None:
        written.append(statement.split()[2 if statement.startswith("INSERT") else 1])

    sa.event.listen(bench.engine, "before_cursor_execute", note)
    new, again = receipt("1.2.4.1", study="1.2.4"), replace(known, is_prior=False, path=tmp_path / "again.dcm")
    told = received_together(bench.inbox, [new, again])
    assert told["1.2.3.1"] is ReceiptOutcome.SAME
    assert [name for name in written if name in {"study", "series"}] == ["study", "study", "series", "series"]
    states = {row.study_instance_uid: row.state for row in bench.rows(t.study)}
    assert states == {"1.2.3": "receiving", "1.2.4": "receiving"}, "what was a prior is sent to be assessed"


@pytest.mark.parametrize("tell", ["association_opened", "association_alive", "association_closed"])
def test_a_ledger_that_is_away_is_told_of_associations_later(bench: Bench, tell: str) -> None:
    """What a listener answers with A700, and not as a fault of its own."""
    with bench.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE association RENAME TO away")
    with pytest.raises(TryLater, match="send again"):
        getattr(bench.inbox, tell)("a1")
