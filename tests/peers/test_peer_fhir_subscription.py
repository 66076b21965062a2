"""A real server's Subscriptions, by R4 criteria and by a topic: made, heard, revived; what was missed is looked for."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from fhir_servers import FhirServer, medplum, sekmet
from starlette.applications import Starlette
from state_peers import free_port, wait_until
from subscription_topic import TOPIC, TOPIC_BASIC

from connector.fhir.ehr import EhrClient
from connector.fhir.memory import ProcessMemory
from connector.fhir.notices import Heard
from connector.fhir.receive_hook import hook_route
from connector.fhir.subscribe import Wanted, Watch


class Door:
    """Our hook on a port of its own, that can be closed and opened again."""

    def __init__(self) -> None:
        self.port, self.memory, self.hints = free_port(), ProcessMemory(), []
        self._server: uvicorn.Server | None = None

    def open(self) -> None:
        heard = Heard(self.memory)

        def hint(body: bytes) -> None:
            if heard.notice(body):
                self.hints.append(body)

        app = Starlette(routes=[hook_route(secret="s3cret", hint=hint)])  # noqa: S106 - made up
        self._server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=self.port, log_config=None))
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        wait_until(lambda: self._server.started, seconds=20, what="the hook's start")

    def close(self) -> None:
        if self._server is not None:
            self._server.should_exit = True
            self._thread.join(10)
            self._server = None


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FhirServer]:
    with sekmet(tmp_path_factory.mktemp("fhir")) as running:
        yield running


@pytest.fixture
def client(server: FhirServer) -> Iterator[EhrClient]:
    made = server.client()
    yield made
    made.close()


@pytest.fixture
def door() -> Iterator[Door]:
    made = Door()
    made.open()
    yield made
    made.close()


def lab(client: EhrClient, value: int) -> None:
    client.create({
        "resourceType": "Observation", "status": "final", "subject": {"reference": "Patient/p1"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "1751-7"}]}, "effectiveDateTime": "2026-03-10",
        "valueQuantity": {"value": value, "unit": "g/L"},
    })  # fmt: skip


def until(condition, what: str) -> None:
    wait_until(condition, seconds=40, what=what, every_seconds=0.1)


def test_by_criteria_a_result_is_a_hint_and_a_dead_subscription_is_revived(client, door):
    looks = []
    wanted = Wanted(f"http://127.0.0.1:{door.port}", "s3cret")
    watch = Watch(client, door.memory, wanted, look_now=lambda: looks.append(1))
    assert watch.once() == "requested"
    until(lambda: watch.once() == "active", "the activation")
    lab(client, 40)
    until(lambda: door.hints == [b""], "an empty notice")
    door.close()
    lab(client, 39)
    until(lambda: watch.once() == "requested", "the server giving up and being asked again")
    assert len(looks) == 2, "what the server will never send is looked for"
    door.open()
    until(lambda: watch.once() == "active", "the activation after the error")
    lab(client, 38)
    until(lambda: len(door.hints) == 2, "a notice after the revival")
    held = [one for one in client.search("Subscription", []) if one["channel"]["endpoint"] == wanted.endpoint]
    assert len(held) == 1


def test_by_a_topic_notices_are_counted_and_a_lost_one_is_found(client, door):
    client.create(TOPIC_BASIC)
    client.ask_again()
    assert TOPIC in client.capabilities().topics
    looks = []
    wanted = Wanted(f"http://127.0.0.1:{door.port}", "s3cret", TOPIC, heartbeat_seconds=1)
    watch = Watch(client, door.memory, wanted, look_now=lambda: looks.append(1))
    assert watch.once() == "requested"
    until(lambda: watch.once() == "active", "the handshake")
    assert door.hints == [], "a handshake is no news"
    lab(client, 40)
    until(lambda: len(door.hints) == 1, "the first event")
    assert Heard(door.memory).state()["without_gap"] == 1
    heard_at = Heard(door.memory).state()["at"]
    until(lambda: Heard(door.memory).state()["at"] > heard_at, "a heartbeat")
    before = door.memory.recall("ehr_heard")
    lab(client, 39)
    until(lambda: len(door.hints) == 2, "the second event")
    door.memory.remember("ehr_heard", before)  # as if it had been lost on the way
    looked = len(looks)
    assert watch.once() == "gap"
    assert len(looks) == looked + 1
    assert watch.once() == "active"


def test_a_server_without_subscriptions_is_swept_only(tmp_path: Path):
    with medplum(tmp_path) as running:
        client = running.client()
        watch = Watch(client, ProcessMemory(), Wanted("http://127.0.0.1:1", "s"), look_now=list)
        assert watch.once() == "not offered"
        client.close()
