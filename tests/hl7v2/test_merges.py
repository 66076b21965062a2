"""Two numbers of a patient become one: nothing more is told of either until a person compared, and nothing is lost."""

import pytest
import sqlalchemy as sa
from hl7_case import PID, Door, block, header, with_images
from ledger_case import assessment, document

from connector.flow import Flow
from connector.ports import Delivery
from connector.steps import Steps
from connector.store import tables as t

MRG = "MRG|777^^^HOSPITAL&1.2.36.146&ISO^MR"
MERGE = block(header(kind="ADT^A40^ADT_A39", control_id="m1"), PID, MRG)


class Sent:
    """A destination that remembers what came."""

    def __init__(self) -> None:
        self.arrived: list[str] = []

    def deliver(self, document) -> Delivery:
        self.arrived.append(document.identity)
        return Delivery()


class Images:
    """Images that must stay unread."""

    def read(self, *_):
        raise AssertionError("nothing of a held case is read")


def steps(door: Door, sent: Sent) -> Steps:
    return Steps(
        ledger=door.bench.ledger, desk=door.bench.desk,
        flow=Flow(imaging=Images(), record=None, writers=[], issuers={}),
        destinations={"pacs": sent, "ehr": sent}, quiet_seconds=30, maximum_attempts=3, now=door.bench.clock,
    )  # fmt: skip


def run(door: Door, sent: Sent) -> None:
    door.bench.clock.seconds += 3600
    made = steps(door, sent)
    for job, _ in door.bench.ledger.jobs.take_due():
        made.run(job)


def states(door: Door) -> dict[str, tuple[str, str]]:
    return {row.kind: (row.state, row.reason or "") for row in door.rows(t.job)}


@pytest.mark.parametrize("number", ["12345", "777"])
def test_the_case_of_either_number_is_held_with_what_is_still_to_be_sent(door, number):
    case_ref = with_images(door, patient=number)
    door.bench.ledger.complete_study("1.2.3", "test")
    with door.bench.ledger.transaction() as connection:
        door.bench.ledger.save(connection, assessment(case_ref, "1.2.3", "d"), {}, [document("2.25.1")])
    assert door.code(MERGE) == "AA"
    sent = Sent()
    run(door, sent)
    assert sent.arrived == []
    for kind in ("assess", "deliver"):
        state, reason = states(door)[kind]
        assert state == "set_aside"
        assert "merged this patient's number" in reason
        assert "`connector release` the study" in reason
    assert [row.case_ref for row in door.rows(t.event) if row.kind == "patients_merged"] == [case_ref]

    door.bench.desk.release("1.2.3", by="clara")
    job = door.bench.ledger.jobs
    due = {kind for _, kind in job.take_due()}
    assert due == {"assess", "deliver"}, "what stopped goes on"
    assert not [row for row in door.rows(t.note) if row.name.startswith("held:")]


def test_a_release_of_before_counts_no_more(door):
    with_images(door)
    with door.bench.engine.begin() as connection:
        connection.execute(sa.update(t.study).values(identity_released_at=1.0))
    door.send(MERGE)
    assert not door.bench.ledger.study("1.2.3").identity_released


def test_a_merge_that_comes_twice_holds_once(door):
    with_images(door)
    assert [door.code(MERGE) for _ in range(2)] == ["AA", "AA"]
    door.bench.desk.release("1.2.3", by="clara")
    assert door.code(MERGE) == "AA"
    assert not [row for row in door.rows(t.note) if row.name.startswith("held:")]


def test_a_merge_of_numbers_that_nobody_here_has_is_noted_and_holds_nobody(door):
    with_images(door, patient="1")
    assert door.code(MERGE) == "AA"
    assert [row.state for row in door.rows(t.message)] == ["taken"]
    assert not [row for row in door.rows(t.note) if row.name.startswith("held:")]


def test_a_merge_of_another_authoritys_numbers_holds_nobody_of_this_one(door):
    with_images(door)
    other = MERGE.replace(b"HOSPITAL&1.2.36.146&ISO", b"OTHER&9.9&ISO")
    assert door.code(other) == "AA"
    assert not [row for row in door.rows(t.note) if row.name.startswith("held:")]
