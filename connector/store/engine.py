"""How the ledger is opened and migrated: SQLite made durable for one machine, PostgreSQL for many."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.sql.compiler import SQLCompiler

from connector.core.errors import BadCase
from connector.store.away import DatabaseAway, why_away


def open_ledger(url: str) -> sa.Engine:
    """Open the database; SQLite gets write-ahead logging, full sync and a 30 s wait for other writers."""
    # The parameters of a statement may be of a patient, and an exception's text may end in a terminal or a log.
    if not url.startswith("sqlite"):
        engine = sa.create_engine(url, pool_pre_ping=True, hide_parameters=True)
        sa.event.listen(engine, "before_cursor_execute", _write_nul_out, retval=True)
        return engine
    engine = sa.create_engine(url, connect_args={"timeout": 30, "check_same_thread": False}, hide_parameters=True)
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_immediate)
    return engine


def _write_nul_out(*call: Any) -> tuple[str, Any]:
    """PostgreSQL keeps a NUL in no text: one that came from outside is written out, rather than refused for good."""
    _connection, _cursor, statement, parameters, _context, _many = call
    if isinstance(parameters, list):
        return statement, [_without_nul(row) for row in parameters]
    return statement, _without_nul(parameters)


def _without_nul(row: Any) -> Any:
    if isinstance(row, dict) and any(isinstance(value, str) and "\0" in value for value in row.values()):
        return {name: value.replace("\0", "\\x00") if isinstance(value, str) else value for name, value in row.items()}
    return row


def _prepare_sqlite(connection: Any, _: Any) -> None:
    # pysqlite would begin transactions late and commit behind our back; we begin them ourselves.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA busy_timeout=30000")
    cursor.close()


def for_reading(engine: sa.Engine) -> sa.Engine:
    """The same database for reads, which never wait for a writer."""
    return engine.execution_options(connector_reads="many")


def for_one_read(engine: sa.Engine) -> sa.Engine:
    """The same database for connections of one SELECT each: it sees one state of it without a transaction around."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(connector_reads="one")
    return engine.execution_options(isolation_level="AUTOCOMMIT")  # two ways to the server less


def _begin_immediate(connection: Any) -> None:
    reads = connection.get_execution_options().get("connector_reads")
    if reads is not None:
        if reads == "many":
            connection.exec_driver_sql("BEGIN")
        return
    # A transaction that reads first and writes later could fail half-way with SQLITE_BUSY; taking the write lock at
    # once makes every transaction wait its turn instead.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def run_prepared(connection: sa.Connection, statement: sa.Insert, *rows: Mapping[str, Any]) -> int:
    """
    Run an INSERT of rows of the same columns as text that was compiled once; returns how many rows it wrote.

    For what is done for every instance received, and while an EHR waits: handing the statement itself to SQLAlchemy
    each time costs more processor time than the database takes. Values go to the driver as they are: texts, numbers
    and None.
    """
    text, names, constants = _prepared(statement, connection.dialect, tuple(rows[0]))
    parameters: list[Any] = [_in_order({**constants, **row}, names) for row in rows]
    # Drivers tell how many rows an INSERT wrote only when asked to keep the number.
    done = connection.exec_driver_sql(text, parameters if len(rows) > 1 else parameters[0], execution_options=_COUNTED)
    return done.rowcount


def read_prepared(connection: sa.Connection, statement: sa.Select[Any], values: Mapping[str, Any]) -> Sequence[Any]:
    """The rows of a SELECT as `run_prepared` runs an INSERT; `values` are those of its named parameters."""
    text, names, constants = _prepared(statement, connection.dialect, tuple(values))
    return connection.exec_driver_sql(text, _in_order({**constants, **values}, names)).all()


def _in_order(values: Mapping[str, Any], names: tuple[str, ...] | None) -> Any:
    return values if names is None else tuple([values[name] for name in names])


_COUNTED = {"preserve_rowcount": True}


@lru_cache(64)
def _prepared(
    statement: sa.Insert | sa.Select[Any], dialect: sa.Dialect, columns: tuple[str, ...]
) -> tuple[str, tuple[str, ...] | None, dict[str, Any]]:
    """Text, the order of its parameters (None: by name), and the values that stand in the statement itself."""
    compiled = statement.compile(dialect=dialect, column_keys=list(columns))
    constants = {name: value for name, value in compiled.params.items() if name not in columns}
    names = compiled.positiontup if isinstance(compiled, SQLCompiler) and compiled.positional else None
    return str(compiled), tuple(names) if names is not None else None, constants


def migrate(url: str, revision: str = "head") -> str:
    """
    Bring the database to a revision (forwards or back) and return the one it is at.

    Raises DatabaseAway when it cannot be used, or is of a newer version; BadCase when there is no such revision.
    """
    engine = open_ledger(url)
    try:
        with engine.begin() as connection:
            return _migrate(connection, revision)
    except sa.exc.DBAPIError as fault:
        raise DatabaseAway(why_away(fault)) from fault
    finally:
        engine.dispose()


def _migrate(connection: sa.Connection, revision: str) -> str:
    config = _config()
    if connection.dialect.name == "postgresql":
        # Several processes may start together: one migrates, the others wait.
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(7203)"))
    config.attributes["connection"] = connection
    current = revision_of(connection)
    _require_known(config, revision, current)
    if revision == "head" or current is None or _is_ahead(config, revision, current):
        command.upgrade(config, revision)
    else:
        command.downgrade(config, revision)
    return revision_of(connection) or "empty"


def _require_known(config: Config, revision: str, current: str | None) -> None:
    known = _revisions(config)
    if current is not None and current not in known:
        raise DatabaseAway(
            f"the ledger is at revision {current}, and this version knows none after {known[-1]}: it was used by a"
            f" newer version. Install that one, or take it back with that one: connector migrate --to {known[-1]}"
        )
    if revision not in {"head", "base", *known}:
        raise BadCase("--to", revision, f"is no revision of the ledger: write one of {', '.join(known)}")


def revisions() -> list[str]:
    """The revisions that this version knows, the oldest first."""
    return _revisions(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _revisions(config: Config) -> list[str]:
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - only needed when migrating

    return [step.revision for step in ScriptDirectory.from_config(config).walk_revisions()][::-1]


def revision_of(connection: sa.Connection) -> str | None:
    """The revision a database is at, None when it is empty."""
    from alembic.migration import MigrationContext  # noqa: PLC0415 - only needed when migrating

    return MigrationContext.configure(connection).get_current_revision()


def _is_ahead(config: Config, revision: str, current: str) -> bool:
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - only needed when migrating

    script = ScriptDirectory.from_config(config)
    behind = {step.revision for step in script.iterate_revisions(current, "base")}
    return revision != "base" and revision not in behind
