"""The ledger as an operator's command opens it: without the protocol rooms, so that `status` answers at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from connector.settings import Settings
from connector.store.accounts import Accounts
from connector.store.away import require_folder
from connector.store.backup import Place
from connector.store.desk import Desk
from connector.store.engine import migrate, open_ledger
from connector.store.erase import Eraser
from connector.store.ledger import SqlLedger
from connector.store.tidy import Policy, Tidy


@dataclass(frozen=True, slots=True)
class Operation:
    """The ledger, its desk and who signs in, for the operator's commands."""

    ledger: SqlLedger
    desk: Desk
    tidy: Tidy
    eraser: Eraser
    accounts: Accounts


@contextmanager
def open_operation(settings: Settings) -> Iterator[Operation]:
    """Open the ledger for one command."""
    engine = engine_of(settings)
    try:
        ledger = ledger_of(settings, engine)
        yield Operation(
            ledger,
            Desk(ledger),
            tidy_of(settings, ledger),
            Eraser(engine, ledger.trail, folder=settings.data_dir),
            accounts_of(settings, ledger),
        )
    finally:
        engine.dispose()


def migrate_ledger(settings: Settings, revision: str) -> str:
    """Bring the ledger to a revision, and return the one it is at. Raises FolderShut, DatabaseAway or BadCase."""
    require_folder(settings.data_dir)
    return migrate(settings.ledger_url, revision)


def engine_of(settings: Settings) -> sa.Engine:
    """The database, brought to the tables of this version."""
    migrate_ledger(settings, "head")
    return open_ledger(settings.ledger_url)


def ledger_of(settings: Settings, engine: sa.Engine) -> SqlLedger:
    """The ledger over an open database."""
    return SqlLedger(
        engine,
        outbox_dir=settings.data_dir / "outbox",
        lease_seconds=settings.lease_seconds,
        audit_repositories=settings.audit_repositories,
    )


def place_of(settings: Settings) -> Place:
    """Where the state is kept, to be backed up or restored."""
    return Place(settings.data_dir, settings.ledger_url)


def tidy_of(settings: Settings, ledger: SqlLedger) -> Tidy:
    """What removes old things, after the days that the settings say."""
    policy = Policy(
        instances_days=settings.retain_instances_days,
        documents_days=settings.retain_documents_days,
        rows_days=settings.retain_rows_days,
        events_days=settings.retain_events_days,
        follow_days=settings.ehr_follow_days if settings.ehr_url else 0,
    )
    folder = settings.data_dir
    return Tidy(ledger.engine, ledger.trail, policy, outbox=folder / "outbox", inbox=folder / "inbox")


def accounts_of(settings: Settings, ledger: SqlLedger) -> Accounts:
    """Who signs in, with the times that the settings allow."""
    return Accounts(
        ledger.engine,
        idle_seconds=settings.console_idle_minutes * 60,
        longest_seconds=settings.console_session_hours * 3600,
    )
