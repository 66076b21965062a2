"""What the PACS says of keeping what was delivered is followed up: kept, not kept, or nothing said."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from ledger_case import Bench, assessment, document, make_bench, receipt
from prometheus_client import generate_latest
from steps_case import House, make_house

from connector.app import App
from connector.core.errors import Refused
from connector.ports import COMMITMENT_ASKED, Delivery, Document
from connector.service import Service
from connector.settings import Settings
from connector.store import tables as t
from connector.store.acts import KEPT, Act, Acts
from connector.store.commitments import ANSWER_SECONDS, BATCH, OLDEST_SECONDS, Commitments
from connector.store.figures import LedgerFigures
from connector.store.tidy import why_open
from connector.store.worklist import Worklist
from connector.web.metrics import Disk, registry
from connector.worker import make_celery


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


def left_unanswered(house: House) -> str:
    """Three days without a word: the step waits for a person. Returns the report's identity."""
    for _ in range(3):
        house.bench.clock.seconds += ANSWER_SECONDS + 1
        assert commitments(house).ask_overdue() == 1
        house.run_all()
    assert [row["state"] for row in house.status()["waiting"]] == ["parked"]
    return sr(house)


def test_a_result_that_comes_after_a_person_was_asked_ends_the_step(house: House, monkeypatch) -> None:
    only_asked(house, monkeypatch)
    house.run_all()
    commitments(house).told([left_unanswered(house)], {})
    assert house.status()["waiting"] == [], "nobody has to look for what the PACS keeps"
    assert note(house) == "committed"


def test_a_late_result_does_not_end_a_step_that_failed_otherwise_since(house: House, monkeypatch) -> None:
    only_asked(house, monkeypatch)
    house.run_all()
    identity = left_unanswered(house)
    house.door.deliver = refuse
    (waiting,) = house.status()["waiting"]
    house.bench.desk.replay(waiting["id"])
    house.run_all()
    commitments(house).told([identity], {})
    (waiting,) = house.status()["waiting"]
    assert (waiting["state"], waiting["reason"]) == ("parked", "C-STORE 0124H"), "it was parked by the refusal"


def refuse(_: Document) -> Delivery:
    raise Refused("C-STORE 0124H")


@pytest.mark.parametrize(
    ("seconds", "overdue", "why"),
    [
        (OLDEST_SECONDS, 1, "seven days old"),
        (OLDEST_SECONDS + 1, 0, "the backlog of a PACS that never reports is not sent anew after an upgrade"),
    ],
)
def test_what_was_delivered_long_ago_is_not_asked_for(
    house: House, monkeypatch, seconds: float, overdue: int, why: str
) -> None:
    only_asked(house, monkeypatch)
    house.run_all()
    house.bench.clock.seconds += seconds
    assert commitments(house).ask_overdue() == overdue, why


def test_many_are_asked_for_in_parts_of_a_hundred(house: House, monkeypatch) -> None:
    bench, many = house.bench, BATCH + 1
    with bench.ledger.transaction() as connection:
        documents = [document(f"2.25.{number}") for number in range(many)]
        bench.ledger.save(connection, assessment("c", "1.2.3", "d"), {}, documents)
        connection.execute(sa.update(t.job).values(state="done"))
        connection.execute(sa.update(t.document).values(note=COMMITMENT_ASKED, delivered_at=bench.clock()))
    bench.clock.seconds += ANSWER_SECONDS + 1
    parts, transaction = [], bench.ledger.transaction
    monkeypatch.setattr(bench.ledger, "transaction", lambda: parts.append(1) or transaction())
    assert commitments(house).ask_overdue() == many
    assert len(parts) == 2, "another writer comes in between"
    assert house.status()["jobs"]["deliver.due"] == many


def test_a_wrong_patients_document_is_not_asked_for(house: House, monkeypatch) -> None:
    only_asked(house, monkeypatch)
    house.run_all()
    with house.bench.engine.begin() as connection:
        connection.execute(sa.update(t.study).values(state="rejected"))
    house.bench.clock.seconds += ANSWER_SECONDS + 1
    assert commitments(house).ask_overdue() == 0, "it is being taken back, and would not be sent"


def test_what_the_pacs_does_not_keep_is_not_sent_again_when_a_person_stored_it_by_hand(
    house: House, monkeypatch
) -> None:
    only_asked(house, monkeypatch)
    house.run_all()
    identity = left_unanswered(house)
    (waiting,) = house.status()["waiting"]
    house.bench.desk.done_by_hand(waiting["id"], by="olga", because="imported at the PACS desk")
    commitments(house).told([], {identity: 0x0112})
    assert "deliver.due" not in house.status()["jobs"], "the page says that it is not tried again"
    assert note(house) == "done by hand, says olga"


def test_an_ehr_is_not_judged_by_what_a_pacs_said(house: House) -> None:
    held = {one.destination: one for one in (document("sr-1"), document("fhir-1", destination="ehr"))}
    for one in held.values():
        for _ in range(3):
            commitments(house).told([], {one.identity: 0x0112})
    with pytest.raises(Refused, match="does not keep it"):
        commitments(house).judge("none", held["pacs"], maximum_attempts=3)
    commitments(house).judge("none", held["ehr"], maximum_attempts=3)


def test_a_delivery_is_judged_while_another_writes(house: House) -> None:
    with house.bench.ledger.transaction():
        commitments(house).judge("none", document("2.25.1"), maximum_attempts=3)


@pytest.mark.parametrize("runs", ["serve", "a worker"])
def test_what_is_overdue_is_asked_for_by_whatever_runs(tmp_path: Path, monkeypatch, runs: str) -> None:
    """`serve` has threads of its own for what a clock asks workers to do."""
    house = make_house(make_bench(f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path))
    asked: list[int] = []
    monkeypatch.setattr(Commitments, "ask_overdue", lambda _: asked.append(1) or 1)
    settings = Settings(
        data_dir=tmp_path, database_url=str(house.bench.engine.url), broker_url="memory://", dicom_port=0, http_port=0
    )
    if runs == "serve":
        service = Service(settings)
        service._tidy()
        service.app.close()
    else:
        app = App(settings)
        make_celery(settings, lambda: app).tasks["connector.tidy"]()
        app.close()
    assert asked == [1]


def never_answered(house: House, monkeypatch: pytest.MonkeyPatch, seconds: float = OLDEST_SECONDS + 1) -> dict:
    """A report that the PACS took so long ago and never spoke of; what `connector status` says of such."""
    only_asked(house, monkeypatch)
    house.run_all()
    house.bench.clock.seconds += seconds
    return house.status()["unanswered"]


@pytest.mark.parametrize(
    ("seconds", "count", "why"),
    [
        (OLDEST_SECONDS, 0, "it is asked for by itself"),
        (OLDEST_SECONDS + 1, 1, "nothing asks any more: a person looks"),
    ],
)
def test_what_nobody_answered_for_seven_days_is_listed_with_what_to_do(
    house: House, monkeypatch, tmp_path: Path, seconds: float, count: int, why: str
) -> None:
    told = never_answered(house, monkeypatch, seconds)
    assert (told["count"], [one["identity"] for one in told["documents"]]) == (count, [sr(house)] * count), why
    assert bool(told["what_to_do"]) == bool(count)
    figures = LedgerFigures(house.bench.engine, house.bench.ledger.trail, now=house.bench.clock)
    metrics = generate_latest(registry(figures, Disk(tmp_path, 0))).decode()
    assert f"connector_documents_unanswered {count}.0" in metrics
    assert house.status()["waiting"] == [], "a backlog is a list of its own and hides no step that stopped"


@pytest.mark.parametrize("ref", ["its id", "unanswered"])
def test_an_operator_has_it_asked_for_again(house: House, monkeypatch, ref: str) -> None:
    (one,) = never_answered(house, monkeypatch)["documents"]
    assert house.bench.desk.replay("all") == 0, "a whole backlog is stored again only when that is asked for"
    assert house.bench.desk.replay(one["id"] if ref == "its id" else ref, by="olga") == 1
    house.run_all()
    assert house.door.arrived.count(sr(house)) == 2
    assert house.status()["unanswered"]["count"] == 0
    house.bench.clock.seconds += ANSWER_SECONDS + 1
    assert commitments(house).ask_overdue() == 1, "and it is followed up like any other"


@pytest.mark.parametrize("ref", ["its id", "unanswered"])
def test_an_operator_who_found_it_in_the_pacs_says_so(house: House, monkeypatch, ref: str) -> None:
    (one,) = never_answered(house, monkeypatch)["documents"]
    with house.bench.engine.connect() as connection:
        assert why_open(connection, one["case_ref"]) == "the PACS has not committed to keep a document"
    settled = house.bench.desk.done_by_hand(one["id"] if ref == "its id" else ref, by="olga", because="seen there")
    assert settled == 1
    assert note(house) == "kept, says olga"
    event = next(event for event in house.status()["events"] if event["kind"] == "committed")
    assert (event["ref"], event["actor"], event["detail"]) == (sr(house), "olga", "seen there")
    assert house.status()["unanswered"] == {"count": 0, "what_to_do": None, "documents": []}
    with house.bench.engine.connect() as connection:
        assert why_open(connection, one["case_ref"]) == "", "now it may be tidied away with its case"
    house.run_all()
    assert house.door.arrived.count(sr(house)) == 1, "nothing is sent"


def test_nothing_unanswered_is_no_wrong_input(house: House) -> None:
    assert house.bench.desk.replay("unanswered") == 0
    assert house.bench.desk.done_by_hand("unanswered", by="olga", because="none") == 0


def test_of_what_waits_for_want_of_a_word_a_person_may_say_that_it_is_kept(house: House, monkeypatch) -> None:
    only_asked(house, monkeypatch)
    house.run_all()
    identity = left_unanswered(house)
    (stopped,) = Worklist(house.bench.engine, now=house.bench.clock).stopped()
    assert stopped["lacks_word"]
    acts = Acts(house.bench.ledger, now=house.bench.clock)
    assert acts.act(Act(KEPT, stopped["id"], "olga", "seen in the PACS", "k1")).done
    assert note(house) == "kept, says olga"
    assert "olga said that the PACS keeps it on " in acts.act(Act(KEPT, stopped["id"], "pia", "seen too", "k2")).text
    assert house.status()["waiting"] == []
    kinds = [event["kind"] for event in house.status()["events"]]
    assert ("committed" in kinds, "done_by_hand" in kinds) == (True, False), "the copy is ours, and taken back as ours"
    commitments(house).told([], {identity: 0x0112})
    assert house.status()["jobs"]["deliver.due"] == 1, "the PACS itself knows better, however late"


def test_what_failed_otherwise_since_lacks_more_than_a_word(house: House, monkeypatch) -> None:
    only_asked(house, monkeypatch)
    house.run_all()
    left_unanswered(house)
    house.door.deliver = refuse
    (waiting,) = house.status()["waiting"]
    house.bench.desk.replay(waiting["id"])
    house.run_all()
    (stopped,) = Worklist(house.bench.engine, now=house.bench.clock).stopped()
    assert not stopped["lacks_word"]
