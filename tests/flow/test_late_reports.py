"""What modalities say after a study is complete is told by a new assessment, and undoes nothing that was decided."""

from dataclasses import replace

import pytest
import sqlalchemy as sa
from ledger_case import Bench, receipt
from step_case import order
from steps_case import make_house

from connector.dicom.workitems import Workitems
from connector.orders import Orders
from connector.ports import ProcedureStep
from connector.routing import Routing, Rule, SeriesPattern, every_study
from connector.store import tables as t
from connector.store.completeness import Completeness

ONE_OF_TWO = "1 of the 2 instances that the modality reported did not come"
QUIET = 30.0
ONLY_SEG = Routing((Rule(name="SEG", pattern=SeriesPattern(modality=("SEG",))),), QUIET)
RESPONSE = Routing((Rule(name="CT", pattern=SeriesPattern(modality=("CT",)), assess=("response",)),), QUIET)


def end(bench: Bench, number: int, *awaited: str, state: str = "COMPLETED") -> None:
    """A modality begins a step of study 1.2.3 and ends it, now."""
    step = ProcedureStep(f"1.2.9.{number}", "mpps", "IN PROGRESS", "1.2.3", "{}", (), "CT1")
    assert bench.steps.create(step)
    assert bench.steps.change(replace(step, state=state, awaited=awaited), was="IN PROGRESS")


def judge(bench: Bench, routing: Routing, after: float = QUIET) -> None:
    bench.clock.seconds += after
    Completeness(bench.ledger, routing).judge()


def study(bench: Bench):
    with bench.engine.connect() as connection:
        return connection.execute(sa.select(t.study)).one()


def told(bench: Bench) -> list[str]:
    return (study(bench).told or "").split("; ")


def assess_asked_at(bench: Bench) -> float:
    with bench.engine.connect() as connection:
        return connection.execute(sa.select(t.job.c.asked_at).where(t.job.c.kind == "assess")).scalar_one()


def test_what_a_person_completed_stays_complete_and_its_next_result_tells_the_lost_image(bench: Bench) -> None:
    bench.inbox.receive(receipt())
    judge(bench, ONLY_SEG)
    assert study(bench).state == "kept_out"
    assert bench.ledger.complete_study("1.2.3", "a person", by="anna")
    end(bench, 1, "1.2.3.1", "1.2.3.2")
    judge(bench, ONLY_SEG)
    row = study(bench)
    assert (row.state, row.completed_because, row.told) == ("complete", "a person", ONE_OF_TWO)
    assert assess_asked_at(bench) == bench.clock()


def test_what_was_said_before_a_study_was_kept_out_is_told_once_a_person_completes_it(bench: Bench) -> None:
    bench.inbox.receive(receipt())
    end(bench, 1, "1.2.3.1", "1.2.3.2")
    judge(bench, ONLY_SEG)
    assert study(bench).state == "kept_out"
    assert bench.ledger.complete_study("1.2.3", "a person", by="anna")
    judge(bench, ONLY_SEG, after=1)
    assert told(bench) == [ONE_OF_TWO]
    assert assess_asked_at(bench) == bench.clock()


@pytest.mark.parametrize("routing", [ONLY_SEG, RESPONSE], ids=["keeps it out", "a part of an assessment"])
def test_an_order_is_carried_out_whatever_the_routing_rules_say_of_the_study(bench: Bench, routing: Routing) -> None:
    workitems = Workitems(bench.steps)
    orders = Orders(bench.ledger, workitems, retrieve_ae_title="PACS")
    bench.inbox.receive(receipt())
    workitems.create("1.2.50", order(ScheduledProcedureStepStartDateTime=""), owner="RIS")
    orders.advance()
    end(bench, 1, "1.2.3.1", "1.2.3.2")
    judge(bench, routing)
    orders.advance()
    row = study(bench)
    assert (row.state, row.completed_because, row.rule, row.assess) == ("complete", "ordered by RIS", None, None)
    assert row.told == ONE_OF_TWO
    assert workitems.get("1.2.50").ProcedureStepState == "IN PROGRESS", "its assessment is still to come"
    assert assess_asked_at(bench) == bench.clock()


def test_the_rule_that_completed_a_study_still_holds_for_its_new_assessment(bench: Bench) -> None:
    bench.inbox.receive(receipt())
    judge(bench, RESPONSE)
    end(bench, 1, "1.2.3.1", "1.2.3.2")
    judge(bench, every_study(QUIET))  # the rules have changed meanwhile
    row = study(bench)
    assert (row.state, row.rule, row.assess, row.completed_because) == ("complete", "CT", "response", "quiet")


def test_the_result_is_made_and_delivered_anew_though_nothing_else_changed(bench: Bench) -> None:
    house = make_house(bench)
    bench.inbox.receive(receipt())
    bench.clock.seconds += QUIET
    house.run_all()
    assert len(house.door.arrived) == 2
    end(bench, 1, "1.2.3.1", "1.2.3.2")
    bench.clock.seconds += QUIET
    house.run_all()
    assert len(set(house.door.arrived)) == 4, "it says what it lacks, so it is no equal of the one before"


def test_each_step_is_told_when_its_own_images_had_their_time(bench: Bench) -> None:
    bench.inbox.receive(receipt())
    judge(bench, every_study(QUIET))
    end(bench, 1, "1.2.3.1", "1.2.3.2")
    bench.clock.seconds += 1
    end(bench, 2, "1.2.3.1", "1.2.3.2", "1.2.3.3")
    judge(bench, every_study(QUIET), after=QUIET - 1)
    assert told(bench) == [ONE_OF_TWO], "those of the second may still be under way"
    judge(bench, every_study(QUIET), after=1)
    assert told(bench) == [ONE_OF_TWO, "2 of the 3 instances that the modality reported did not come"]


def test_a_step_that_has_nothing_to_tell_uses_up_no_other(bench: Bench) -> None:
    bench.inbox.receive(receipt())
    judge(bench, every_study(QUIET))
    end(bench, 1, "1.2.3.1")
    bench.clock.seconds += 1
    end(bench, 2, "1.2.3.1", "1.2.3.2")
    judge(bench, every_study(QUIET), after=QUIET - 1)
    assert study(bench).told is None
    judge(bench, every_study(QUIET), after=1)
    assert told(bench) == [ONE_OF_TWO]


@pytest.mark.parametrize("apart_seconds", [0, QUIET], ids=["together", "one after the other"])
def test_two_steps_with_the_same_words_are_both_told_and_each_once(bench: Bench, apart_seconds: float) -> None:
    bench.inbox.receive(receipt())
    judge(bench, every_study(QUIET))
    for number in (2, 3):
        end(bench, number, "1.2.3.1", f"1.2.3.{number}")
        judge(bench, every_study(QUIET), after=apart_seconds)
    judge(bench, every_study(QUIET))
    assert told(bench) == [ONE_OF_TWO, ONE_OF_TWO], "they lack different images"
    asked_at = assess_asked_at(bench)
    judge(bench, every_study(QUIET))
    assert (told(bench), assess_asked_at(bench)) == ([ONE_OF_TWO, ONE_OF_TWO], asked_at)


def test_a_step_told_before_the_study_was_complete_hides_none_with_the_same_words(bench: Bench) -> None:
    bench.inbox.receive(receipt())
    end(bench, 2, "1.2.3.1", "1.2.3.2")
    judge(bench, every_study(QUIET))
    assert told(bench) == [ONE_OF_TWO]
    end(bench, 3, "1.2.3.1", "1.2.3.3")
    judge(bench, every_study(QUIET))
    assert told(bench) == [ONE_OF_TWO, ONE_OF_TWO]


def test_words_that_are_part_of_others_are_told_too(bench: Bench) -> None:
    bench.inbox.receive(receipt())
    for number in range(2, 12):
        bench.inbox.receive(receipt(f"1.2.3.{number}", path=f"/in/{number}"))
    judge(bench, every_study(QUIET))
    end(bench, 1, "1.2.3.1", *(f"1.2.3.{number}" for number in range(100, 111)))
    judge(bench, every_study(QUIET))
    end(bench, 2, *(f"1.2.3.{number}" for number in range(1, 12)), "1.2.3.200")
    judge(bench, every_study(QUIET))
    words = "of the 12 instances that the modality reported did not come"
    assert told(bench) == [f"11 {words}", f"1 {words}"]
