"""What the PACS says of keeping what was delivered is followed up: kept, not kept, or nothing said."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_case import Bench, make_bench, receipt
from steps_case import House, make_house

from connector.ports import COMMITMENT_ASKED, Delivery, Document
from connector.store.commitments import ANSWER_SECONDS, Commitments


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    bench: Bench = make_bench(f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path)
    house = make_house(bench)
    bench.inbox.receive(receipt())
    bench.clock.seconds += 31
    yield house
    bench.inbox.close()
    bench.engine.dispose()


def commitments(house: House) -> Commitments:
    return Commitments(house.bench.ledger)


def only_asked(house: House, monkeypatch: pytest.MonkeyPatch, *, before_the_note: bool = False) -> None:
    """A PACS that takes the request; with `before_the_note` its answer is faster than our note of the delivery."""
    kept = house.door.deliver

    def deliver(document: Document) -> Delivery:
        kept(document)
        if document.destination == "ehr":
            return Delivery()
        if before_the_note:
            commitments(house).told([document.identity], {})
        return Delivery(COMMITMENT_ASKED)

    monkeypatch.setattr(house.door, "deliver", deliver)


def sr(house: House) -> str:
    return next(name for name in house.door.arrived if name.startswith("sr"))


def note(house: House) -> str:
    return next(one["note"] for one in house.bench.desk.documents() if one["kind"] == "sr")


@pytest.mark.parametrize("before_the_note", [True, False], ids=["answer before the note", "answer after it"])
def test_a_delivery_says_committed_once_the_pacs_did(house: House, monkeypatch, *, before_the_note: bool) -> None:
    only_asked(house, monkeypatch, before_the_note=before_the_note)
    house.run_all()
    if not before_the_note:
        assert note(house) == COMMITMENT_ASKED
        commitments(house).told([sr(house)], {})
    assert note(house) == "committed"


def test_what_is_never_kept_is_stored_again_after_growing_pauses_and_then_shown_to_a_person(house: House) -> None:
    house.run_all()
    pauses = []
    for _ in range(2):
        commitments(house).told([], {sr(house): 0x0112})
        began, times = house.bench.clock.seconds, house.door.arrived.count(sr(house))
        while house.door.arrived.count(sr(house)) == times:
            house.run_all()
            house.bench.clock.seconds += 1
        pauses.append(house.bench.clock.seconds - began)
    assert pauses[0] < 2 < pauses[1], "at once for the first time, after a pause for the second"
    commitments(house).told([], {sr(house): 0x0112})
    for _ in range(40):
        house.run_all()
        house.bench.clock.seconds += 30
    assert house.door.arrived.count(sr(house)) == 3, "the third refusal is the last: maximum_attempts is 3 here"
    (waiting,) = house.status()["waiting"]
    assert (waiting["state"], waiting["kind"]) == ("parked", "deliver sr")
    assert "does not keep it: have its archive looked at" in waiting["reason"]
    house.bench.desk.replay(waiting["id"])
    house.run_all()
    assert house.door.arrived.count(sr(house)) == 4, "a person's replay begins to count anew"


@pytest.mark.parametrize(("seconds", "overdue"), [(ANSWER_SECONDS, 0), (ANSWER_SECONDS + 1, 1)])
def test_a_result_that_does_not_come_is_asked_for_again_after_a_day(
    house: House, monkeypatch, seconds: float, overdue: int
) -> None:
    only_asked(house, monkeypatch)
    house.run_all()
    house.bench.clock.seconds += seconds
    assert commitments(house).ask_overdue() == overdue
    house.run_all()
    assert house.door.arrived.count(sr(house)) == 1 + overdue


def test_a_result_that_never_comes_is_shown_to_a_person_and_one_that_came_is_not_asked_for(
    house: House, monkeypatch
) -> None:
    only_asked(house, monkeypatch)
    house.run_all()
    for _ in range(3):
        house.bench.clock.seconds += ANSWER_SECONDS + 1
        assert commitments(house).ask_overdue() == 1
        house.run_all()
    assert house.door.arrived.count(sr(house)) == 3
    (waiting,) = house.status()["waiting"]
    assert waiting["state"] == "parked"
    assert "did not say within a day" in waiting["reason"]
    assert commitments(house).ask_overdue() == 0, "it waits for the person now"
    house.bench.desk.replay(waiting["id"])
    house.run_all()
    commitments(house).told([sr(house)], {})
    house.bench.clock.seconds += ANSWER_SECONDS + 1
    assert commitments(house).ask_overdue() == 0
