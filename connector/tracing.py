"""OpenTelemetry traces of a study's way, across processes and days: ids only, by the allow-list of the logs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

from connector import __version__
from connector.logs import ALLOWED_FIELDS
from connector.traceparent import ids_of

_NANOSECONDS = 1_000_000_000
_EXPORT_SECONDS = 5


class Tracing:
    """Spans of one process; without an endpoint or an exporter nothing is made and nothing is sent."""

    def __init__(self, endpoint: str = "", *, exporter: SpanExporter | None = None) -> None:
        self._ids = _FixedOrRandom()
        self._provider: TracerProvider | None = None
        self._tracer: trace.Tracer = trace.NoOpTracer()
        if endpoint and exporter is None:
            # Headers for a collector that wants them: OTEL_EXPORTER_OTLP_HEADERS, as the library reads it.
            exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=_EXPORT_SECONDS)
        if exporter is not None:
            # Made without detectors: host, user and command line stay here.
            about = Resource({"service.name": "connector", "service.version": __version__})
            self._provider = TracerProvider(resource=about, id_generator=self._ids, shutdown_on_exit=False)
            self._provider.add_span_processor(BatchSpanProcessor(exporter))
            self._tracer = self._provider.get_tracer("connector", __version__)

    def close(self) -> None:
        """Send what is left."""
        if self._provider is not None:
            self._provider.shutdown()

    @contextmanager
    def span(self, name: str, traceparent: str | None = None, **attributes: Any) -> Iterator[None]:
        """
        Time a step, below the named trace or the step around it; a failure leaves its type and no text.

        Attributes that are not on the log's list are dropped.
        """
        with self._tracer.start_as_current_span(
            name, context=_context(traceparent), attributes=_allowed(attributes), record_exception=False,
            set_status_on_exception=False,
        ) as made:  # fmt: skip
            try:
                yield
            except Exception as fault:
                made.set_attribute("exception_type", type(fault).__name__)
                made.set_status(trace.StatusCode.ERROR)
                raise

    def past(self, name: str, traceparent: str | None, *, began_at: float, ended_at: float, **attributes: Any) -> None:
        """Tell of something that is over and is itself the beginning of the trace; told twice it is the same span."""
        ids = ids_of(traceparent)
        if ids is None or self._provider is None:
            return
        with self._ids.fixed(*ids):
            made = self._tracer.start_span(
                name, context=Context(), start_time=int(began_at * _NANOSECONDS), attributes=_allowed(attributes)
            )
        made.end(int(ended_at * _NANOSECONDS))

    def here(self) -> str | None:
        """The step that is being timed, as a traceparent for what it asks for; None when nothing is."""
        context = trace.get_current_span().get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-01" if context.is_valid else None


def _allowed(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if name in ALLOWED_FIELDS and value is not None}


def _context(traceparent: str | None) -> Context | None:
    ids = ids_of(traceparent)
    if ids is None:
        return None
    parent = trace.SpanContext(*ids, is_remote=True, trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED))
    return trace.set_span_in_context(trace.NonRecordingSpan(parent), Context())


class _FixedOrRandom(RandomIdGenerator):
    """Random ids, but for a span whose name the ledger has already given away."""

    def __init__(self) -> None:
        self._fixed: tuple[int, int] | None = None

    @contextmanager
    def fixed(self, trace_id: int, span_id: int) -> Iterator[None]:
        """Give the next span these ids."""
        self._fixed = (trace_id, span_id)
        try:
            yield
        finally:
            self._fixed = None

    def generate_trace_id(self) -> int:
        """A trace id."""
        return self._fixed[0] if self._fixed else super().generate_trace_id()

    def generate_span_id(self) -> int:
        """A span id."""
        return self._fixed[1] if self._fixed else super().generate_span_id()


NO_TRACING = Tracing()
