"""A case with its files, from receipt to delivery, and a tidying of it by a clock moved by hand."""

from pathlib import Path

import sqlalchemy as sa
from ledger_case import Bench, assessment, complete_quiet, document, receipt

from connector.store import tables as t
from connector.store.tidy import Policy, Tidied, Tidy

EVERYTHING = Policy(instances_days=30, documents_days=30, rows_days=90, events_days=365)


def tidy(bench: Bench, policy: Policy = EVERYTHING, *, dry_run: bool = False) -> Tidied:
    return Tidy(bench.engine, bench.ledger.trail, policy, now=bench.clock).run(dry_run=dry_run)


def file_of(tmp_path: Path, name: str) -> Path:
    path = tmp_path / "inbox" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"pixels")
    return path


def receive(bench: Bench, tmp_path: Path, instance: str, *, study: str = "1.2.3", patient: str = "P1") -> Path:
    path = file_of(tmp_path, f"{instance}.dcm")
    bench.inbox.receive(receipt(instance, study=study, patient=patient, path=path))
    return path


def assess(bench: Bench, study: str = "1.2.3", identity: str = "2.25.7", *, deliver: bool = True) -> Path:
    """Complete a study, assess it with one document, and deliver that."""
    bench.clock.seconds += 31
    complete_quiet(bench, 30)
    lease = next(
        lease
        for job, _ in bench.ledger.jobs.take_due()
        if (lease := bench.ledger.jobs.claim(job)) and lease.ref == study
    )
    row = bench.ledger.study(study)
    assert row
    with bench.ledger.transaction() as connection:
        bench.ledger.save(
            connection, assessment(row.case_ref, study, identity), "{}", [document(identity, study=study)]
        )
        bench.ledger.jobs.done(connection, lease)
    if deliver:
        ((job, _),) = bench.ledger.jobs.take_due()
        sending = bench.ledger.jobs.claim(job)
        assert sending
        with bench.ledger.transaction() as connection:
            bench.ledger.delivered(connection, sending, "")
    with bench.engine.connect() as connection:
        return Path(
            connection.execute(sa.select(t.document.c.path).where(t.document.c.identity == identity)).scalar_one()
        )


def count(bench: Bench, table: sa.Table) -> int:
    with bench.engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
