"""What workers share of a neighbour: notes, the logbook's news of them, and locks that a dead worker cannot keep."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from ledger_case import Bench

from connector.core.errors import TryLater
from connector.fhir.notices import Heard
from connector.store.memory import SqlMemory


@pytest.fixture
def memory(bench: Bench) -> SqlMemory:
    return SqlMemory(bench.engine, now=bench.clock)


def test_a_note_is_kept_until_it_is_dropped(memory, bench):
    assert memory.recall("ehr_way") is None
    assert memory.remember("ehr_way", "one")
    assert SqlMemory(bench.engine).recall("ehr_way") == "one", "another worker sees it"
    memory.forget("ehr_way")
    assert memory.recall("ehr_way") is None


def test_a_note_is_changed_only_as_it_was_read(memory):
    assert memory.swap("ehr_heard", None, "one")
    assert not memory.swap("ehr_heard", None, "another"), "somebody made it meanwhile"
    assert not memory.swap("ehr_heard", "none", "another"), "somebody changed it meanwhile"
    assert memory.swap("ehr_heard", "one", "two")
    assert memory.recall("ehr_heard") == "two"


def test_notices_that_come_at_once_through_several_doors_are_all_counted(bench):
    """A lost count would be told as a notice that did not come, and have every record looked at."""
    doors = [Heard(SqlMemory(bench.engine)) for _ in range(8)]

    def hear(door: int) -> None:
        for number in range(1 + door, 41, len(doors)):
            doors[door].notice(_notice(number))

    with ThreadPoolExecutor(len(doors)) as pool:
        list(pool.map(hear, range(len(doors))))
    assert doors[0].state()["without_gap"] == 40
    assert doors[0].missed(40) == 0


def _notice(number: int) -> bytes:
    event = {"name": "notification-event", "part": [{"name": "event-number", "valueString": str(number)}]}
    told = [{"name": "type", "valueCode": "event-notification"},
            {"name": "events-since-subscription-start", "valueString": str(number)}, event]  # fmt: skip
    status = {"resourceType": "Parameters", "parameter": told}
    return json.dumps({"resourceType": "Bundle", "type": "history", "entry": [{"resource": status}]}).encode()


def test_only_news_are_told(memory, bench):
    for value, news in (("one", True), ("one", False), ("two", True)):
        assert memory.remember("ehr_denied", value, told=f"chosen: {value}") is news
    assert [event["detail"] for event in bench.desk.status()["events"]] == ["chosen: two", "chosen: one"]


def test_one_holds_a_lock_and_the_next_waits(memory):
    with memory.alone("device"), pytest.raises(TryLater, match="another worker"), memory.alone("device"):
        pass
    with memory.alone("device"):
        pass


@pytest.mark.parametrize(("seconds", "free"), [(120, False), (121, True)])
def test_the_lock_of_a_dead_worker_runs_out(memory, bench, seconds, free):
    dead = memory.alone("device")
    dead.__enter__()
    bench.clock.seconds += seconds
    if free:
        with memory.alone("device"):
            dead.__exit__(None, None, None)
            with pytest.raises(TryLater), memory.alone("device"):
                pass  # the dead one came back and let go of nothing but its own
    else:
        with pytest.raises(TryLater), memory.alone("device"):
            pass


def test_the_status_shows_how_the_ehr_is_written(memory, bench):
    assert bench.desk.status()["ehr"] is None
    memory.remember("ehr_way", '{"rung": "results", "says": "Epic: results are written"}')
    assert bench.desk.status()["ehr"] == {
        "rung": "results", "says": "Epic: results are written", "since": bench.clock.seconds,
    }  # fmt: skip
