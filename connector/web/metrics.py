"""What Prometheus is told: the ledger's figures, the disk and the version; `TOLD` is also the administrator's table."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from connector import __version__
from connector.core.versions import RULESET
from connector.figures import TOOK_BOUNDS_SECONDS, Figures

# Each metric: its labels and what it tells.
TOLD: Mapping[str, tuple[tuple[str, ...], str]] = {
    "connector_info": (("version", "ruleset"), "1, with the version and the rule set as labels"),
    "connector_instances": ((), "SOP instances in the ledger; those tidied away no longer count"),
    "connector_last_instance_timestamp_seconds": ((), "when the newest instance came (0: none yet)"),
    "connector_associations": ((), "DICOM associations that are open and have sent something lately"),
    "connector_studies": (("state",), "studies: receiving, complete, prior, kept_out, incomplete, tidied, rejected"),
    "connector_jobs": (
        ("kind", "state"),
        "steps (assess, deliver, withdraw, report): due, leased, done, parked, set_aside",
    ),
    "connector_queue_age_seconds": (("kind",), "age of the oldest step that could run now: add workers when it grows"),
    "connector_failing": (("kind", "reason"), "steps that wait: identity, input, away, refused, unexpected, retrying"),
    "connector_oldest_waiting_seconds": ((), "age of the oldest step that waits with a reason"),
    "connector_documents_delivered": (("kind", "destination"), "documents that reached the PACS or the EHR"),
    "connector_documents_waiting": (("kind", "destination"), "documents that have not reached it"),
    "connector_documents_unanswered": ((), "documents that the PACS never said it keeps, for more than seven days"),
    "connector_delivery_seconds": (("kind", "destination"), "histogram: from the last instance (or news) to delivery"),
    "connector_events": (("kind",), "entries of the logbook by kind, such as instance_conflict"),
    "connector_processes": (("part",), "processes seen in the last two minutes: listen, worker, sweep"),
    "connector_last_seen_timestamp_seconds": (("part",), "last sign of life of a part; sweep: beat and a worker run"),
    "connector_ehr_token_expires_timestamp_seconds": ((), "the soonest end of an EHR token in use (0: none)"),
    "connector_ehr_sign_in_refused": ((), "workers whose last sign-in at the EHR was refused"),
    "connector_audit_waiting": (("repository",), "audit events that a repository has not taken"),
    "connector_audit_waiting_seconds": (("repository",), "age of the oldest of them"),
    "connector_disk_free_bytes": ((), "free space under the data folder"),
    "connector_disk_size_bytes": ((), "size of that disk"),
    "connector_disk_reserve_bytes": ((), "below this much free space senders are answered A700"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Disk:
    """The data folder and the space that is kept in reserve on it."""

    folder: Path
    reserve_bytes: int


class FigureSource(Protocol):
    """Where the figures come from."""

    def read(self) -> Figures:
        """One look."""


def registry(figures: FigureSource, disk: Disk) -> CollectorRegistry:
    """A registry that reads the figures whenever it is asked."""
    made = CollectorRegistry()
    made.register(_Collector(figures, disk))
    return made


def _gauge(name: str, rows: Mapping[Any, float] | float) -> Metric:
    labels, meaning = TOLD[name]
    gauge = GaugeMetricFamily(name, meaning, labels=labels)
    for values, value in (rows if isinstance(rows, Mapping) else {(): rows}).items():
        gauge.add_metric(list(values), value)
    return gauge


class _Collector:
    """Prometheus families from one look at the ledger and the disk."""

    def __init__(self, figures: FigureSource, disk: Disk) -> None:
        self._figures = figures
        self._disk = disk

    def describe(self) -> list[Metric]:
        """Nothing in advance: registering must not ask the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield every family of `TOLD`."""
        seen = self._figures.read()
        yield _gauge("connector_info", {(__version__, RULESET): 1.0})
        yield _gauge("connector_instances", seen.instances)
        yield _gauge("connector_last_instance_timestamp_seconds", seen.last_instance_at or 0.0)
        yield _gauge("connector_associations", seen.associations)
        yield _gauge("connector_studies", {(state,): count for state, count in seen.studies.items()})
        yield _gauge("connector_jobs", seen.jobs)
        yield _gauge("connector_queue_age_seconds", {(kind,): age for kind, age in seen.queue_age_seconds.items()})
        yield _gauge("connector_failing", seen.failing)
        yield _gauge("connector_oldest_waiting_seconds", seen.oldest_waiting_seconds)
        for name, wanted in (("connector_documents_delivered", True), ("connector_documents_waiting", False)):
            yield _gauge(
                name, {(kind, to): count for (kind, to, arrived), count in seen.documents.items() if arrived is wanted}
            )
        yield _gauge("connector_documents_unanswered", seen.unanswered)
        yield self._took(seen)
        yield _gauge("connector_events", {(kind,): count for kind, count in seen.events.items()})
        yield _gauge("connector_processes", {(part,): count for part, (count, _) in seen.parts.items()})
        yield _gauge("connector_last_seen_timestamp_seconds", {(part,): at for part, (_, at) in seen.parts.items()})
        yield _gauge("connector_ehr_token_expires_timestamp_seconds", seen.sign_in_until or 0.0)
        yield _gauge("connector_ehr_sign_in_refused", seen.sign_in_refused)
        yield _gauge("connector_audit_waiting", {(name,): count for name, (count, _) in seen.audit_waiting.items()})
        yield _gauge("connector_audit_waiting_seconds", {(name,): age for name, (_, age) in seen.audit_waiting.items()})
        usage = shutil.disk_usage(self._disk.folder)
        yield _gauge("connector_disk_free_bytes", usage.free)
        yield _gauge("connector_disk_size_bytes", usage.total)
        yield _gauge("connector_disk_reserve_bytes", self._disk.reserve_bytes)

    @staticmethod
    def _took(seen: Figures) -> Metric:
        name = "connector_delivery_seconds"
        labels, meaning = TOLD[name]
        family = HistogramMetricFamily(name, meaning, labels=labels)
        bounds = [*map(str, TOOK_BOUNDS_SECONDS), "+Inf"]
        for place, (counts, total) in seen.took.items():
            family.add_metric(list(place), list(zip(bounds, map(float, counts), strict=True)), total)
        return family


def metrics_table() -> list[dict[str, str]]:
    """Every metric with its labels and meaning, for the administrator's page."""
    rows = []
    for name, (labels, meaning) in TOLD.items():
        shown = f"{name}{{{','.join(labels)}}}" if labels else name
        rows.append({"Metric": f"`{shown}`", "What it tells": meaning})
    return rows
