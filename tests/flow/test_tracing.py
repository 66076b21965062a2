"""Traces of a study's way on a real OTLP receiver: one trace from reception to delivery, ids only."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ledger_case import Bench, receipt
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from steps_case import House, make_house

from connector.core.errors import TryLater
from connector.logs import ALLOWED_FIELDS
from connector.traceparent import new_traceparent
from connector.tracing import Tracing


class Receiver:
    """An OTLP/HTTP receiver on loopback that keeps every span."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.requests: list[ExportTraceServiceRequest] = []

    @property
    def spans(self) -> list:
        return [
            span
            for request in self.requests
            for about in request.resource_spans
            for scope in about.scope_spans
            for span in scope.spans
        ]

    def named(self, name: str) -> list:
        return [span for span in self.spans if span.name == name]


@contextmanager
def otlp_receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.requests.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with otlp_receiver() as made:
        yield made


def traced(bench: Bench, receiver: Receiver) -> tuple[House, Tracing]:
    tracing = Tracing(receiver.url)
    return make_house(bench, tracing=tracing), tracing


def receive(house: House, instance: str = "1.2.3.1") -> None:
    house.bench.inbox.receive(receipt(instance))
    house.bench.clock.seconds += 31


def test_one_trace_leads_from_reception_to_delivery_through_another_process(bench: Bench, receiver: Receiver) -> None:
    house, tracing = traced(bench, receiver)
    receive(house)
    ((assess, _),) = house.steps.sweep()
    delivers = house.steps.run(assess)
    tracing.close()
    # What delivers is another process: it knows the ledger and nothing else.
    elsewhere, other = traced(bench, receiver)
    for job in delivers:
        elsewhere.steps.run(job)
    other.close()
    assert {span.name for span in receiver.spans} == {"receive", "assess", "read", "decide", "write", "deliver"}
    assert len({span.trace_id for span in receiver.spans}) == 1
    (received,), (assessed,) = receiver.named("receive"), receiver.named("assess")
    assert received.parent_span_id == b""
    assert assessed.parent_span_id == received.span_id
    assert (received.end_time_unix_nano - received.start_time_unix_nano) == 0, "one instance came, in one moment"
    assert received.start_time_unix_nano == 1_000_000 * 10**9
    for name in ("read", "decide", "write", "deliver"):
        assert {span.parent_span_id for span in receiver.named(name)} == {assessed.span_id}, name
    assert len(receiver.named("deliver")) == 2


def test_spans_hold_ids_and_nothing_of_a_patient(bench: Bench, receiver: Receiver) -> None:
    house, tracing = traced(bench, receiver)
    house.record.fault = TryLater("the EHR is busy with Demo, Anna, born 1960-01-02")
    receive(house)
    house.run_all()
    house.record.fault = None
    bench.clock.seconds += 1000
    house.run_all()
    tracing.close()
    attributes = {pair.key for span in receiver.spans for pair in span.attributes}
    assert attributes <= ALLOWED_FIELDS
    assert {"document_id", "kind", "study_instance_uid"} <= attributes
    sent = b"".join(request.SerializeToString() for request in receiver.requests)
    # Ids of traces are random octets, in which two characters may stand by chance: those are looked for in words only.
    assert all("P1" not in pair.value.string_value for span in receiver.spans for pair in span.attributes)
    for secret in (b"Anna", b"ANNA", b"1960-01-02", b"19600102"):
        assert secret not in sent
    failed = [span for span in receiver.named("assess") if span.status.code == 2]
    assert [pair.value.string_value for pair in failed[0].attributes if pair.key == "exception_type"] == ["TryLater"]
    assert failed[0].status.message == ""
    assert not failed[0].events, "no text of an exception leaves"


def test_an_attribute_that_is_not_on_the_list_is_dropped(receiver: Receiver) -> None:
    tracing = Tracing(receiver.url)
    with tracing.span("assess", new_traceparent(), patient_name="Demo", count=3):
        pass
    tracing.past("receive", new_traceparent(), began_at=1.0, ended_at=2.0, birth_date="1960-01-02", count=1)
    tracing.close()
    assert {pair.key for span in receiver.spans for pair in span.attributes} == {"count"}
    resources = [one.resource for request in receiver.requests for one in request.resource_spans]
    told = {pair.key for resource in resources for pair in resource.attributes}
    assert told == {"service.name", "service.version"}


def test_a_late_instance_begins_a_trace_of_its_own(bench: Bench, receiver: Receiver, tmp_path: Path) -> None:
    assert tmp_path
    house, tracing = traced(bench, receiver)
    receive(house)
    house.run_all()
    receive(house, "1.2.3.2")
    house.run_all()
    tracing.close()
    assert len({span.trace_id for span in receiver.named("receive")}) == 2


def test_a_receiver_that_is_away_stops_no_step(bench: Bench) -> None:
    tracing = Tracing("http://127.0.0.1:1")
    house = make_house(bench, tracing=tracing)
    receive(house)
    house.run_all()
    assert sorted(house.status()["jobs"]) == ["assess.done", "deliver.done"]


def test_without_an_endpoint_nothing_is_made(bench: Bench) -> None:
    tracing = Tracing()
    asked = new_traceparent()
    with tracing.span("assess", asked):
        assert tracing.here() == asked, "what it asks for still belongs to the trace that another process made"
    house = make_house(bench, tracing=tracing)
    receive(house)
    house.run_all()
    assert sorted(house.status()["jobs"]) == ["assess.done", "deliver.done"]
