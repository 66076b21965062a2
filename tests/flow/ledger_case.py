"""A ledger with a clock that tests move, and receipts to put into it."""

import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

from connector.batches import Waiting
from connector.core.assessment import Assessment
from connector.core.errors import ConnectorError
from connector.core.versions import RULESET
from connector.ports import Document, Receipt, ReceiptOutcome
from connector.routing import every_study
from connector.store import open_ledger
from connector.store.completeness import Completeness
from connector.store.desk import Desk
from connector.store.engine import migrate
from connector.store.inbox import SqlInbox
from connector.store.ledger import SqlLedger
from connector.store.procedure_steps import SqlProcedureSteps

# Where a receipt's file is, for tests that look at none: one that a tidying may take.
_RECEIVED = tempfile.TemporaryDirectory(prefix="received-")


@dataclass
class Clock:
    """Seconds since the epoch, moved by hand."""

    seconds: float = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Bench:
    """Everything the ledger offers, over one database."""

    engine: sa.Engine
    clock: Clock
    ledger: SqlLedger
    inbox: SqlInbox
    desk: Desk
    steps: SqlProcedureSteps
    same: set[frozenset[Path]] = field(default_factory=set)

    def rows(self, table: sa.Table) -> list[sa.Row]:
        with self.engine.connect() as connection:
            return list(connection.execute(sa.select(table)))


def complete_quiet(bench: Bench, quiet_seconds: float) -> int:
    """Complete studies that were quiet for so long and that nobody sends any more; returns how many."""
    return Completeness(bench.ledger, every_study(quiet_seconds)).judge()


@cache
def _empty_ledger() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.sqlite"
        migrate(f"sqlite:///{path}")
        return path.read_bytes()


def make_tables(url: str) -> None:
    """As `migrate`; a new SQLite file is a copy of one that was migrated, since every test begins with one."""
    place = sa.make_url(url)
    if place.drivername == "sqlite" and place.database and not Path(place.database).exists():
        Path(place.database).write_bytes(_empty_ledger())
    else:
        migrate(url)


def make_bench(url: str, folder: Path, *, audit_repositories: Sequence[str] = ()) -> Bench:
    make_tables(url)
    engine = open_ledger(url)
    clock = Clock()
    ledger = SqlLedger(
        engine, outbox_dir=folder / "outbox", lease_seconds=60, audit_repositories=audit_repositories, now=clock
    )
    same: set[frozenset[Path]] = set()
    inbox = SqlInbox(
        engine,
        case_ref=lambda key: sha256(key.encode()).hexdigest()[:16],
        same_dataset=lambda one, other: frozenset((one, other)) in same,
        now=clock,
    )
    steps = SqlProcedureSteps(engine, trail=ledger.trail, now=clock)
    return Bench(engine, clock, ledger, inbox, Desk(ledger, now=clock), steps, same)


def receipt(
    instance: str = "1.2.3.1",
    *,
    study: str = "1.2.3",
    patient: str = "P1",
    date: str = "20260101",
    digest: str = "a",
    path: str | Path | None = None,
    association: str = "",
) -> Receipt:
    if path is None:
        path = Path(_RECEIVED.name, "received.dcm")
        path.touch()
    return Receipt(
        sop_instance_uid=instance,
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        study_instance_uid=study,
        series_instance_uid=f"{study}.9",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        path=Path(path),
        size_bytes=1,
        digest=digest,
        patient_id=patient,
        issuer_of_patient_id="TEST",
        source="SENDER",
        received_at=datetime(2026, 1, 1, tzinfo=UTC),
        modality="CT",
        study_date=date,
        association_id=association,
    )


def received_together(inbox: SqlInbox, receipts: Sequence[Receipt]) -> dict[str, ReceiptOutcome | Exception]:
    """What each instance's sender is told when the ledger writes them in one batch, as they came while it was busy."""
    commits, before = inbox._commits, receipt("0.0")
    begun, go_on, write = threading.Event(), threading.Event(), commits._write

    def held_up(connection: sa.Connection, batch: Sequence[Receipt]) -> Sequence[object]:
        if batch[0] is not before:
            return write(connection, batch)
        begun.set()
        assert go_on.wait(30)
        return [ReceiptOutcome.STORED]

    def told(waiting: Waiting[Receipt, ReceiptOutcome]) -> ReceiptOutcome | Exception:
        try:
            return waiting.result()
        except ConnectorError as fault:
            return fault

    commits._write = held_up
    commits._batches.begin(before)
    assert begun.wait(30)
    batch = [commits._batches.begin(one) for one in receipts]
    go_on.set()
    outcomes = {one.brought.sop_instance_uid: told(one) for one in batch}
    commits._write = write
    return outcomes


def assessment(case_ref: str, study: str, digest: str) -> Assessment:
    return Assessment(
        case_ref=case_ref,
        study_instance_uid=study,
        assessed_on=datetime(2026, 1, 1, tzinfo=UTC).date(),
        connector_version="test",
        ruleset=RULESET,
        input_digest=digest,
        inputs=(),
        time_points=(),
        response=None,
        selection=None,
        dose=None,
    )


def document(identity: str, *, destination: str = "pacs", study: str = "1.2.3", kind: str = "sr") -> Document:
    return Document(kind, destination, identity, identity.encode(), study, "1.2.840.10008.5.1.4.1.1.88.34", "1.2.3.97")
