"""The audit trail: told with the deed, due to every repository until it has taken it, and how long work took."""

from pathlib import Path

import sqlalchemy as sa
from ledger_case import Bench, assessment, complete_quiet, document, make_bench, receipt

from connector.store import tables as t
from connector.store.commitments import Commitments
from connector.store.engine import migrate, open_ledger
from connector.traceparent import ids_of


def bench_with(tmp_path: Path, *repositories: str) -> Bench:
    return make_bench(f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path, audit_repositories=repositories)


def receive(bench: Bench, *instances: str, study: str = "1.2.3") -> None:
    for instance in instances:
        bench.inbox.receive(receipt(instance, study=study))
    bench.clock.seconds += 31
    complete_quiet(bench, 30)


def test_an_event_is_due_to_each_repository_until_it_has_taken_it(tmp_path: Path) -> None:
    bench = bench_with(tmp_path, "syslog", "fhir")
    bench.desk.audit(kind="viewed", ref="1.2.3", actor="alice", case_ref="abc")
    (seen,) = bench.ledger.trail.due("syslog")
    assert (seen.kind, seen.ref, seen.actor, seen.case_ref) == ("viewed", "1.2.3", "alice", "abc")
    bench.ledger.trail.taken("syslog", seen.event_id)
    assert bench.ledger.trail.due("syslog") == []
    assert [one.event_id for one in bench.ledger.trail.due("fhir")] == [seen.event_id]
    bench.clock.seconds += 5
    assert bench.ledger.trail.waiting() == {"fhir": (1, 5.0), "syslog": (0, 0.0)}
    bench.ledger.trail.taken("fhir", seen.event_id)
    assert bench.ledger.trail.waiting() == {"fhir": (0, 0.0), "syslog": (0, 0.0)}


def test_what_only_tells_how_work_goes_is_due_to_nobody(tmp_path: Path) -> None:
    bench = bench_with(tmp_path, "syslog")
    with bench.ledger.transaction() as connection:
        bench.ledger.tell(connection, kind="not_used", ref="1.2.3", detail="no unit")
    assert bench.ledger.trail.due("syslog") == []
    assert bench.desk.status()["events"][0]["kind"] == "not_used"


def test_without_a_repository_nothing_is_kept_for_one(tmp_path: Path) -> None:
    bench = bench_with(tmp_path)
    bench.desk.audit(kind="viewed", ref="1.2.3", actor="alice")
    assert bench.ledger.trail.waiting() == {}


def test_a_reception_is_told_once_with_its_sender_and_whom_it_is_about(tmp_path: Path) -> None:
    bench = bench_with(tmp_path, "syslog")
    receive(bench, "1.2.3.1", "1.2.3.2")
    (told,) = bench.ledger.trail.due("syslog")
    assert (told.kind, told.actor, told.detail) == ("received", "SENDER", "2 instances")
    assert (told.study_instance_uid, told.instances) == ("1.2.3", (("1.2.840.10008.5.1.4.1.1.2", 2),))
    assert (told.patient_id, told.issuer_of_patient_id) == ("P1", "TEST")


def test_a_delivery_names_its_study_patient_and_destination(tmp_path: Path) -> None:
    bench = bench_with(tmp_path, "syslog")
    receive(bench, "1.2.3.1")
    with bench.ledger.transaction() as connection:
        (job,) = bench.ledger.save(connection, assessment("c", "1.2.3", "d"), "{}", [document("2.25.7")])
    lease = bench.ledger.jobs.claim(job)
    assert lease
    with bench.ledger.transaction() as connection:
        bench.ledger.delivered(connection, lease, "")
        bench.ledger.tell(connection, kind="delivered", ref="2.25.7", detail="sr")
    told = bench.ledger.trail.due("syslog")[-1]
    assert (told.kind, told.destination, told.study_instance_uid, told.patient_id) == (
        "delivered", "pacs", "1.2.3", "P1",
    )  # fmt: skip
    assert told.instances == (("1.2.840.10008.5.1.4.1.1.88.34", 1),)


def test_the_time_to_delivery_counts_from_the_last_instance_and_stays_that_of_the_first_delivery(tmp_path) -> None:
    bench = bench_with(tmp_path)
    bench.inbox.receive(receipt("1.2.3.1"))
    bench.clock.seconds += 31  # the quiet time counts too: the board waits through it
    complete_quiet(bench, 30)
    ((assess, _),) = bench.ledger.jobs.take_due()
    lease = bench.ledger.jobs.claim(assess)
    assert lease
    with bench.ledger.transaction() as connection:
        bench.ledger.save(
            connection, assessment("c", "1.2.3", "d"), "{}", [document("2.25.7")],
            caused_at=lease.caused_at, traceparent=lease.traceparent,
        )  # fmt: skip
        bench.ledger.jobs.done(connection, lease)
    bench.clock.seconds += 9
    for took in (40.0, 40.0):
        ((deliver, _),) = bench.ledger.jobs.take_due()
        sending = bench.ledger.jobs.claim(deliver)
        assert sending
        with bench.ledger.transaction() as connection:
            bench.ledger.delivered(connection, sending, "")
        with bench.engine.connect() as connection:
            assert connection.execute(sa.select(t.document.c.took_seconds)).scalar_one() == took
        bench.clock.seconds += 1000
        Commitments(bench.ledger).told([], {"2.25.7": 0x0112})  # the PACS lost it: it is delivered once more


def test_the_steps_of_a_study_belong_to_one_trace_and_a_late_instance_begins_another(tmp_path) -> None:
    bench = bench_with(tmp_path)
    receive(bench, "1.2.3.1")
    first = _trace_of_study(bench)
    ((job, _),) = bench.ledger.jobs.take_due()
    lease = bench.ledger.jobs.claim(job)
    assert lease
    assert ids_of(lease.traceparent) == ids_of(first)
    with bench.ledger.transaction() as connection:
        bench.ledger.jobs.done(connection, lease)
    receive(bench, "1.2.3.2")
    assert ids_of(_trace_of_study(bench)) != ids_of(first)
    assert ids_of("00-not-a-trace") is None


def _trace_of_study(bench: Bench) -> str:
    with bench.engine.connect() as connection:
        return connection.execute(sa.select(t.study.c.traceparent)).scalar_one()


def test_the_tables_made_by_migrations_are_those_of_the_code(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    migrate(url)
    engine = open_ledger(url)
    there = sa.inspect(engine)
    for table in t.metadata.sorted_tables:
        columns = {column["name"] for column in there.get_columns(table.name)}
        assert columns == {column.name for column in table.columns}, table.name
        indexes = {index["name"] for index in there.get_indexes(table.name)}
        assert {index.name for index in table.indexes} <= indexes, table.name
    engine.dispose()
