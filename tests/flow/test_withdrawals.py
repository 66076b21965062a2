"""A study that turns out to be a wrong patient's: what was sent of it is taken back by the same outbox."""

import pytest
import sqlalchemy as sa
from ledger_case import receipt
from steps_case import House, make_house

from connector.core.errors import Refused, TryLater
from connector.ports import Document, Withdrawal, WriteRequest
from connector.store import tables as t
from connector.store.acts import REJECT, REPLAY, RESTORE, Act, Acts
from connector.store.worklist import Wanted, Worklist


class Withdrawer:
    """One document for each side, named after what it takes back."""

    def __init__(self) -> None:
        self.asked: list[Withdrawal] = []

    def withdraw(self, withdrawal: Withdrawal) -> list[Document]:
        self.asked.append(withdrawal)
        names = "+".join(one.identity for one in withdrawal.documents)
        return [
            Document(kind, place, f"{kind} of {names}", b"x", withdrawal.study_instance_uid)
            for kind, place in (("rejection", "pacs"), ("retraction", "ehr"))
        ]


@pytest.fixture
def house(bench) -> House:
    made = make_house(bench)
    made.steps._withdrawers = [Withdrawer()]
    bench.inbox.receive(receipt())
    bench.clock.seconds += 31
    made.run_all()
    return made


def act(house: House, kind: str, ref: str = "1.2.3", key: str = "") -> bool:
    house.bench.clock.seconds += 60
    asked = Act(kind, ref, "olga", "scanned under another ID", key or f"{kind}{house.bench.clock()}")
    return Acts(house.bench.ledger, now=house.bench.clock).act(asked).done


def run(house: House, times: int = 4) -> None:
    for _ in range(times):
        house.bench.clock.seconds += 31
        house.run_all()


def notes(house: House) -> dict[str, str]:
    return {one["kind"]: one["note"] or "" for one in house.bench.desk.documents()}


def test_what_was_delivered_is_taken_back_once_on_both_sides(house: House) -> None:
    sent = list(house.door.arrived)
    assert len(sent) == 2
    assert act(house, REJECT)
    run(house)
    assert sorted(house.door.arrived[2:]) == [
        f"{kind} of {'+'.join(sorted(sent))}" for kind in ("rejection", "retraction")
    ]
    (withdrawal,) = house.steps._withdrawers[0].asked
    assert (withdrawal.by, withdrawal.study_instance_uid) == ("olga", "1.2.3")
    assert notes(house)["sr"].startswith("withdrawn")
    assert notes(house)["fhir"].startswith("withdrawn")


def test_what_may_have_arrived_unanswered_is_taken_back_too(bench) -> None:
    house = make_house(bench)
    house.steps._withdrawers = [Withdrawer()]
    house.door.fault = TryLater("the PACS did not answer")
    bench.inbox.receive(receipt())
    run(house, 2)
    assert act(house, REJECT)
    house.door.fault = None
    run(house)
    assert sorted(one.split()[0] for one in house.door.arrived) == ["rejection", "retraction"]


def test_nothing_is_asked_back_when_nothing_was_sent(bench) -> None:
    house = make_house(bench)
    bench.inbox.receive(receipt())
    assert act(house, REJECT)
    assert not [one for one in house.status()["jobs"] if one.startswith("withdraw")]


def test_a_delivery_under_way_is_waited_for_and_then_taken_back_with_the_others(house: House) -> None:
    ledger = house.bench.ledger
    with ledger.transaction() as connection:  # the PACS had lost it: it is on its way again
        document = connection.execute(sa.select(t.document.c.id).where(t.document.c.kind == "sr")).scalar_one()
        job = ledger.jobs.ask(connection, kind="deliver", ref=document, serial=f"pacs:{document}")
    lease = ledger.jobs.claim(job)
    assert act(house, REJECT)
    house.bench.clock.seconds -= 30  # while the lease lasts
    house.run_all()
    assert len(house.door.arrived) == 2, "nothing is taken back before it is there"
    with ledger.transaction() as connection:
        ledger.delivered(connection, lease, "")
        house.steps._withdrawals.arrived(connection, ledger.document(document))
    run(house)
    assert sorted(one.split()[0] for one in house.door.arrived[2:]) == ["rejection", "retraction"]


def test_the_mark_taken_back_before_it_was_told_sends_nothing_and_assesses_anew(house: House) -> None:
    assert act(house, REJECT)
    assert act(house, RESTORE)
    run(house)
    assert not house.steps._withdrawers[0].asked
    assert len(house.door.arrived) == 4, "the result says what was decided, so it is another one"


def test_after_it_was_told_the_study_is_assessed_anew_and_can_be_marked_again(house: House) -> None:
    for _ in range(2):
        assert act(house, REJECT)
        run(house)
        assert act(house, RESTORE)
        run(house)
    kinds = [one.split()[0] for one in house.door.arrived]
    assert (kinds.count("rejection"), kinds.count("retraction")) == (2, 2)
    assert len({one for one in house.door.arrived if not one.startswith("re")}) == 6, "three results, each its own"


def test_every_rejection_note_is_told_to_the_writers(house: House) -> None:
    for _ in range(2):
        act(house, REJECT)
        run(house)
        act(house, RESTORE)
        run(house)
    kinds = [one.kind for one in house.bench.ledger.predecessors("1.2.3")]
    assert (kinds.count("rejection"), kinds.count("sr")) == (2, 1)


def test_the_patients_other_study_is_assessed_anew_after_the_withdrawal(house: House) -> None:
    house.bench.inbox.receive(receipt("1.2.4.1", study="1.2.4", date="20260301"))
    run(house)
    before = len(house.door.arrived)
    assert act(house, REJECT, "1.2.4")
    run(house)
    after = house.door.arrived[before:]
    to_ehr = [one.partition("-")[0].partition(" ")[0] for one in after if one.startswith(("retraction", "fhir"))]
    assert to_ehr == ["retraction", "fhir"], "first taken back, then told anew"


def test_a_form_key_counts_for_its_own_decision_only(house: House) -> None:
    assert act(house, REJECT, key="k")
    assert act(house, REJECT, key="k"), "the same form sent twice"
    assert not act(house, RESTORE, key="k"), "another decision under the same key is none"
    assert not act(house, REPLAY, "1.2.3", key="k")
    assert house.bench.ledger.is_rejected("1.2.3")


def test_what_was_tidied_away_is_named_to_the_pacs_and_left_to_a_person_for_the_ehr(house: House) -> None:
    """The first report's content went by the site's retention; a late image made a second one."""
    with house.bench.engine.begin() as connection:
        connection.execute(sa.update(t.document).values(path=""))
    first = list(house.door.arrived)
    house.images.diameter_mm = 30
    house.bench.inbox.receive(receipt("1.2.3.2"))
    run(house)
    second = house.door.arrived[2:]
    assert len(second) == 2
    assert act(house, REJECT)
    run(house)
    assert sorted(house.door.arrived[4:]) == [
        f"{kind} of {'+'.join(sorted(second))}" for kind in ("rejection", "retraction")
    ]
    (withdrawal,) = house.steps._withdrawers[0].asked
    assert {one.identity for one in withdrawal.tidied} == set(first)
    (waits,) = house.status()["waiting"]
    assert (waits["kind"], waits["state"]) == ("withdraw", "parked")
    assert waits["reason"] == "of 1 earlier documents the content was tidied away: have them withdrawn in EHR by hand"


def test_what_was_tidied_away_is_left_to_a_person_where_nothing_else_is_to_be_taken_back(house: House) -> None:
    """What is still here stands on another study of the patient too, so no document takes it back."""
    with house.bench.engine.begin() as connection:
        connection.execute(sa.update(t.document).where(t.document.c.destination == "pacs").values(path=""))
    house.steps._withdrawers = []
    assert act(house, REJECT)
    run(house)
    (waits,) = house.status()["waiting"]
    assert waits["reason"] == "of 1 earlier documents the content was tidied away: have them withdrawn in PACS by hand"


class SameMap:
    """A dose map does not say what a person decided: that of the same images is the same object."""

    def write(self, request: WriteRequest) -> list[Document]:
        return [Document("rtdose", "pacs", "2.25.5", b"map", request.assessment.study_instance_uid)]


def test_a_document_that_was_never_tried_is_sent_when_the_mark_is_taken_back(bench) -> None:
    house = make_house(bench)
    house.steps._flow._writers = [SameMap()]
    bench.inbox.receive(receipt())
    bench.clock.seconds += 31
    for job, _ in house.steps.sweep():
        house.steps.run(job)  # assessed, and no delivery begun
    assert act(house, REJECT)
    assert act(house, RESTORE)
    run(house)
    assert house.door.arrived == ["2.25.5"], "a PACS that has it gets it once, and this one has none"
    assert notes(house) == {"rtdose": ""}


@pytest.mark.parametrize("kind", ["withdraw", "deliver"])
def test_what_could_not_be_taken_back_waits_for_a_person_in_the_worklist(house: House, kind: str) -> None:
    """The wrong patient's results still stand in the EHR or the PACS: marked is not yet taken back."""
    worklist = Worklist(house.bench.engine, now=house.bench.clock)
    assert act(house, REJECT)
    run(house)
    assert [row["state"] for row in worklist.page(Wanted()).rows] == ["wrong_patient"]
    with house.bench.engine.begin() as connection:
        taking_back = sa.select(t.document.c.id).where(t.document.c.kind == "retraction")
        connection.execute(
            sa.update(t.job)
            .where(t.job.c.kind == kind, t.job.c.ref.in_(taking_back) if kind == "deliver" else sa.true())
            .values(state="parked", reason="the EHR refused")
        )
    house.bench.clock.seconds += 10
    assert [row["state"] for row in worklist.page(Wanted(state="needs_person")).rows] == ["undelivered"]
    assert (worklist.counts()["undelivered"], worklist.counts()["wrong_patient"]) == (1, 0)


@pytest.fixture
def by_hand(bench) -> House:
    """The PACS refused the dose map, and a person stored it there."""
    house = make_house(bench)
    house.steps._withdrawers = [Withdrawer()]
    house.steps._flow._writers = [SameMap()]
    house.door.fault = Refused("C-STORE 0124H")
    bench.inbox.receive(receipt())
    run(house, 2)
    (waits,) = house.status()["waiting"]
    assert bench.desk.done_by_hand(waits["id"], by="olga", because="imported at the PACS desk") == 1
    house.door.fault = None
    return house


def test_the_copy_that_a_person_stored_by_hand_is_left_to_a_person_to_take_back(by_hand: House) -> None:
    assert act(by_hand, REJECT)
    assert notes(by_hand)["rtdose"] == "done by hand, says olga", "not: not sent; that copy stands in the PACS"
    run(by_hand)
    assert "rejection of 2.25.5" in by_hand.door.arrived, "it may be the same object: the PACS is told too"
    (waits,) = by_hand.status()["waiting"]
    assert (waits["kind"], waits["state"]) == ("withdraw", "parked")
    assert waits["reason"] == "1 documents were brought there by a person's hand: have them withdrawn in PACS by hand"
    assert notes(by_hand)["rtdose"] == "done by hand, says olga"


def test_at_a_second_mark_a_person_only_sees_that_a_copy_withdrawn_by_hand_did_not_come_back(by_hand: House) -> None:
    """After a restore anybody may have brought it to the PACS once more: it is asked about, not silently left out."""
    assert act(by_hand, REJECT)
    run(by_hand)
    (waits,) = by_hand.status()["waiting"]
    assert by_hand.bench.desk.done_by_hand(waits["id"], by="olga", because="hidden in the PACS") == 1
    assert act(by_hand, RESTORE)
    run(by_hand)
    assert act(by_hand, REJECT)
    run(by_hand)
    (waits,) = by_hand.status()["waiting"]
    assert waits["reason"] == (
        "1 documents were brought there by a person's hand, and withdrawn by hand after an earlier mark: see that none"
        " stands in PACS again"
    )


def test_what_a_person_stored_by_hand_is_not_sent_by_the_next_assessment(by_hand: House) -> None:
    """A late image makes a new assessment with the very same map."""
    by_hand.images.diameter_mm = 30
    by_hand.bench.inbox.receive(receipt("1.2.3.2"))
    run(by_hand)
    with by_hand.bench.engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(t.assessment)).scalar_one() == 2
    assert by_hand.door.arrived == [], "the page says that it is not tried again"
    assert notes(by_hand) == {"rtdose": "done by hand, says olga"}


class Plans:
    """What an EHR is told, with the identity that is its turn."""

    identity = "plan A"

    def write(self, request: WriteRequest) -> list[Document]:
        return [Document("fhir", "ehr", self.identity, b"plan", request.assessment.study_instance_uid)]


def test_a_plan_that_a_person_entered_by_hand_is_sent_again_only_after_another_one(bench) -> None:
    """Assessments are of A (entered by hand), A again, B, and A: the EHR would else be left with B."""
    house, plans = make_house(bench), Plans()
    house.steps._flow._writers = [plans]
    house.door.fault = Refused("403")
    bench.inbox.receive(receipt())
    run(house, 2)
    (waits,) = house.status()["waiting"]
    bench.desk.done_by_hand(waits["id"], by="olga", because="entered in the EHR")
    house.door.fault = None
    arrived = []
    for number, identity in enumerate(("plan A", "plan B", "plan A")):
        plans.identity, house.images.diameter_mm = identity, 30 + number
        bench.inbox.receive(receipt(f"1.2.3.{2 + number}"))
        run(house)
        arrived.append(list(house.door.arrived))
    assert arrived == [[], ["plan B"], ["plan B", "plan A"]]


def test_a_second_delivery_that_is_held_back_does_not_say_that_the_first_never_was(house: House) -> None:
    """The PACS had lost the report; the study is marked before it is sent again."""
    ledger = house.bench.ledger
    with ledger.transaction() as connection:
        connection.execute(sa.update(t.document).where(t.document.c.kind == "sr").values(note="B000: coerced"))
        document = connection.execute(sa.select(t.document.c.id).where(t.document.c.kind == "sr")).scalar_one()
        job = ledger.jobs.ask(connection, kind="deliver", ref=document, serial=f"pacs:{document}")
        connection.execute(sa.update(t.study).values(state="rejected"))
    house.steps.run(job)
    assert len(house.door.arrived) == 2, "held back"
    assert notes(house)["sr"] == "B000: coerced", "it stands in the PACS, as it arrived"
