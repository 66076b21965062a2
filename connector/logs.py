"""Log events with safe fields only: whatever is not on the list is dropped before it leaves, and its name is told."""

import logging
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO, cast

import structlog

ALLOWED_FIELDS = frozenset({
    "event", "level", "timestamp", "part",
    "case_ref", "study_instance_uid", "series_instance_uid", "sop_instance_uid", "sop_class_uid", "document_id",
    "association_id", "calling_ae_title", "called_ae_title", "destination", "kind", "state", "reason", "status",
    "count", "seconds", "size_bytes", "attempt", "port", "method", "route", "resource_type", "task", "due_in_seconds",
    "exception_type", "where", "setting", "dropped_fields",
})  # fmt: skip


def drop_unlisted(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep allow-listed fields; name the others in `dropped_fields` so that the gap is seen, not the value."""
    dropped = sorted(name for name in event if name not in ALLOWED_FIELDS)
    kept = {name: value for name, value in event.items() if name in ALLOWED_FIELDS}
    if dropped:
        kept["dropped_fields"] = dropped
    return kept


def configure(*, debug: bool = False, human: bool = False, to: TextIO | None = None) -> None:
    """Send log lines to stderr (or `to`): JSON for machines, coloured text when a person watches a terminal."""
    _write(debug=debug, human=human, to=to)
    # Libraries may put names or URLs into their messages: only their warnings pass, and only by logger and level.
    logging.basicConfig(handlers=[_LibraryHandler()], level=logging.WARNING, force=True)
    # Python writes a warning to stderr as it stands, and pydicom's quote the value that its VR does not allow.
    logging.captureWarnings(capture=True)


class _Stderr:
    """Standard error as it is when a line is written: who runs a command in this process may have put another there."""

    def write(self, text: str) -> None:
        """Write there."""
        sys.stderr.write(text)

    def flush(self) -> None:
        """Have it out."""
        sys.stderr.flush()


def _write(*, debug: bool = False, human: bool = False, to: TextIO | None = None) -> None:
    renderer: Any = structlog.dev.ConsoleRenderer() if human else structlog.processors.JSONRenderer(sort_keys=True)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            drop_unlisted,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if debug else logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=to or cast("TextIO", _Stderr())),
        cache_logger_on_first_use=False,
    )


# A command that configures nothing has its JSON on stdout, and there nothing else.
_write(human=sys.stderr is not None and sys.stderr.isatty())


# What Celery, kombu and billiard say that an operator must understand: logger, how the text begins before anything is
# put into it, and what we say instead. Only the beginning is compared; nothing of their text is told.
_KNOWN_MESSAGES = (
    ("celery.worker.consumer", "consumer: Cannot connect to", "broker_away",
     "the broker cannot be reached and is tried again: check CONNECTOR_BROKER_URL"),
    ("celery.worker.consumer", "%s (%r)", "broker_lost", "the connection to the broker broke and is made again"),
    ("celery.worker.consumer", "\nTask %s cannot be acknowledged", "message_returns",
     "the broker was lost while a step ran: its message comes again and is harmless"),
    ("celery.worker.consumer", "Received", "message_not_ours",
     "a message that is none of ours was thrown away: give connector a Redis database of its own"),
    ("celery.beat", "beat: Connection error", "broker_away",
     "the broker cannot be reached and is tried again: check CONNECTOR_BROKER_URL"),
    ("celery.beat", "Message Error", "broker_away", "a tick could not be sent; the next one sees the same ledger"),
    ("kombu.connection", "Secure redis scheme", "broker_not_verified",
     "the broker's certificate is not checked: add ?ssl_cert_reqs=required to CONNECTOR_BROKER_URL"),
    ("celery.app.trace", "Task %(name)s", "task_failed", "a task ended unexpectedly and is asked for again: report it"),
    ("celery.worker.request", "Task handler raised error", "worker_process_lost",
     "a worker process ended while it worked: the step is done again when its lease runs out"),
    ("multiprocessing", "Process %r pid:%r exited", "worker_process_lost",
     "a worker process ended and is replaced; if it repeats, look for a lack of memory"),
)  # fmt: skip
# Of what Python calls a warning, by its kind.
_KNOWN_WARNINGS = {
    "SecurityWarning": ("runs_as_root", "the worker runs as root and needs no such rights: give it a user of its own"),
}
_UNKNOWN_MESSAGE = "its text is not kept, since it may name a patient"


class _LibraryHandler(logging.Handler):
    """Tells that a library logged something, without its text, which may hold patient data."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one event: what it means where that is known, and where in the library's code it was said."""
        with suppress(Exception):  # stderr may be closed, say: what a library does is not to fail for a message
            self._tell(record)

    def _tell(self, record: logging.LogRecord) -> None:
        where = f"{record.module}.{record.funcName}:{record.lineno}"
        exception_type = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        known = (
            (event, reason)
            for logger, begins, event, reason in _KNOWN_MESSAGES
            if record.name.startswith(logger) and str(record.msg).startswith(begins)
        )
        event, reason = next(known, ("library_message", _UNKNOWN_MESSAGE))
        if record.name == "py.warnings":
            where, exception_type = _of_warning(record.getMessage())
            event, reason = _KNOWN_WARNINGS.get(exception_type, (event, reason))
        level = min(record.levelno // 10 * 10, logging.CRITICAL)  # a library's own (35, say) is told as the one below
        get_logger(record.name).log(level, event, reason=reason, where=where, exception_type=exception_type)


def _of_warning(text: str) -> tuple[str, str]:
    """Where a warning was given and of which kind it is, of `path:line: Kind: what it says`."""
    place, kind, _ = text.split(": ", 2)
    return Path(place).name, kind


def get_logger(name: str) -> Any:
    """Get a logger whose events carry the name of the part that speaks."""
    # Initial values are bound at the first event, so that `configure` reaches loggers made at import.
    return structlog.get_logger(part=name)
