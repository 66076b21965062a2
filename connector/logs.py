"""Log events with safe fields only: whatever is not on the list is dropped before it leaves, and its name is told."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

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
    renderer: Any = structlog.dev.ConsoleRenderer() if human else structlog.processors.JSONRenderer(sort_keys=True)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            drop_unlisted,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if debug else logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=to or sys.stderr),
        cache_logger_on_first_use=False,
    )
    # Libraries may put names or URLs into their messages: only their warnings pass, and only by logger and level.
    logging.basicConfig(handlers=[_LibraryHandler()], level=logging.WARNING, force=True)


class _LibraryHandler(logging.Handler):
    """Tells that a library logged something, without its text, which may hold patient data."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one event with the logger's name and the exception's type."""
        exception_type = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        get_logger(record.name).warning("library_message", reason=record.levelname, exception_type=exception_type)


def get_logger(name: str) -> Any:
    """Get a logger whose events carry the name of the part that speaks."""
    # Initial values are bound at the first event, so that `configure` reaches loggers made at import.
    return structlog.get_logger(part=name)
