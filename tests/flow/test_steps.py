"""Each step ends in the ledger: done, due again, parked or set aside, with a reason and never with patient data."""

from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from ledger_case import make_tables, receipt
from sqlalchemy.exc import OperationalError
from steps_case import House

from connector.core.case import (
    Identifier,
    PatientIdentity,
)
from connector.core.errors import ImpossibleInput, Refused, TryLater
from connector.service import Service, _every
from connector.settings import Settings
from connector.store import tables as t
from connector.store.acts import REPLAY, Act, Acts
from connector.store.contradicting import Contradicting
from connector.store.ledger import StudyRow


def test_a_quiet_study_is_assessed_and_delivered(house: House) -> None:
    house.run_all()
    assert len(house.door.arrived) == 2
    assert house.status()["jobs"] == {"assess.done": 1, "deliver.done": 2}
    assert house.status()["waiting"] == []


def test_the_same_input_again_makes_nothing_new(house: House) -> None:
    house.run_all()
    house.bench.ledger.complete_study("1.2.3", "operator")
    house.run_all()
    assert len(house.door.arrived) == 2


def test_a_changed_input_makes_new_documents(house: House) -> None:
    house.run_all()
    house.images.diameter_mm = 30
    house.bench.ledger.complete_study("1.2.3", "operator")
    house.run_all()
    assert len(set(house.door.arrived)) == 4


@pytest.mark.parametrize(
    ("fault", "state", "reason", "why"),
    [
        (ImpossibleInput("two patients in one study"), "set_aside", "two patients", "a person must look"),
        (TryLater("the EHR is away"), "due", "the EHR is away", "it may answer later"),
        (Refused("403"), "parked", "403", "it will not answer, however often asked"),
        (RuntimeError("Anna Demo 1960"), "parked", "unexpected RuntimeError at", "a fault of ours"),
        (OSError(28, "No space left"), "due", "ledger or disk away", "room can be made"),
    ],
)
def test_each_failure_has_one_reaction(house: House, fault, state, reason, why) -> None:
    house.images.fault = fault
    house.run_all()
    (waiting,) = house.status()["waiting"]
    assert (waiting["state"], waiting["id"]) == (state, "1.2.3"), why
    assert reason in waiting["reason"]
    assert "Anna" not in waiting["reason"], "the text of a foreign exception may hold patient data"
    assert house.door.arrived == []


def test_a_clock_of_serve_outlives_a_database_that_was_away(tmp_path: Path) -> None:
    """Else nothing would be swept until somebody restarts the service."""
    url = f"sqlite:///{tmp_path / 'other.sqlite'}"
    make_tables(url)
    service = Service(Settings(data_dir=tmp_path, database_url=url, broker_url="memory://", dicom_port=0, http_port=0))
    ticks: list[int] = []

    def sweep() -> None:
        ticks.append(1)
        if len(ticks) == 1:
            raise OperationalError("SELECT 1", {}, Exception("server closed the connection"))
        service._stopping.set()

    _every(service._stopping, 0.001, sweep, task="sweep")()
    service.app.close()
    assert len(ticks) == 2


def test_a_delivery_that_never_succeeds_is_parked_and_replayed(house: House) -> None:
    house.door.fault = TryLater("A700: out of resources")
    house.run_all()
    for _ in range(3):
        house.bench.clock.seconds += 1000
        house.run_all()
    assert {row["state"] for row in house.status()["waiting"]} == {"parked"}
    assert "gave up after 3 tries" in house.status()["waiting"][0]["reason"]
    house.door.fault = None
    assert house.bench.desk.replay("all") == 2
    house.run_all()
    assert len(house.door.arrived) == 2


def test_a_delivery_that_goes_further_at_each_try_is_never_given_up_and_does_not_wait_longer(house: House) -> None:
    """An EHR that takes three resources a minute: 30 of them need ten tries, and three without progress are allowed."""
    house.door.fault = TryLater("429", progressed=True)
    house.run_all()
    for _ in range(10):
        house.bench.clock.seconds += 5  # longer than the first ceiling of the back-off, 4 s
        house.run_all()
    assert [(row["state"], row["attempts"]) for row in house.status()["waiting"]] == [("due", 1)] * 2
    house.door.fault = TryLater("429")
    for _ in range(2):
        house.bench.clock.seconds += 1000
        house.run_all()
    assert {row["state"] for row in house.status()["waiting"]} == {"parked"}, "the third in a row without progress"


def test_an_ehr_that_takes_a_part_each_time_and_loses_it_is_given_up_after_a_day(house: House) -> None:
    house.door.fault = TryLater("429", progressed=True)
    house.run_all()
    house.bench.clock.seconds += 86_399
    house.run_all()
    assert {row["state"] for row in house.status()["waiting"]} == {"due"}, "still within its day"
    for _ in range(2):
        house.bench.clock.seconds += 1000
        house.run_all()
    assert {row["state"] for row in house.status()["waiting"]} == {"parked"}


@pytest.mark.parametrize("way", ["replay", "act"])
def test_a_delivery_that_is_replayed_has_its_day_to_go_further_again(house: House, way: str) -> None:
    """Asked for last week and replayed today, a plan that goes out in parts would be given up after three of them."""
    house.door.fault = Refused("403")
    house.run_all()
    house.bench.clock.seconds += 7 * 86_400
    if way == "act":
        with house.bench.engine.connect() as connection:
            jobs = connection.execute(sa.select(t.job.c.id).where(t.job.c.state == "parked")).scalars().all()
        acts = Acts(house.bench.ledger, now=house.bench.clock)
        assert [acts.act(Act(REPLAY, job, "olga", "the scope is there", job)).done for job in jobs] == [True, True]
    else:
        assert house.bench.desk.replay("all") == 2
    house.door.fault = TryLater("429", progressed=True)
    for _ in range(5):
        house.run_all()
        house.bench.clock.seconds += 5
    assert [(row["state"], row["attempts"]) for row in house.status()["waiting"]] == [("due", 1)] * 2


def test_a_plan_replayed_after_a_newer_one_went_out_is_not_sent(house: House) -> None:
    house.steps._destinations = {"pacs": house.door}
    house.run_all()
    house.bench.clock.seconds += 1
    house.steps._destinations = {"pacs": house.door, "ehr": house.door}
    house.images.diameter_mm = 30
    house.bench.ledger.complete_study("1.2.3", "operator")
    house.run_all()
    before = [identity for identity in house.door.arrived if identity.startswith("fhir")]
    assert house.bench.desk.replay("all") == 1
    house.run_all()
    assert [identity for identity in house.door.arrived if identity.startswith("fhir")] == before
    notes = [row["note"] for row in house.bench.desk.documents() if row["note"]]
    assert notes == ["not sent: a newer assessment of the study has taken its place"]


def test_without_a_destination_the_document_is_parked_with_the_setting_to_make(house: House) -> None:
    house.steps._destinations = {"pacs": house.door}
    house.run_all()
    assert "CONNECTOR_EHR_URL" in house.status()["waiting"][0]["reason"]


@pytest.mark.parametrize(
    ("fault", "jobs", "told", "why"),
    [
        (None, {"assess.done": 1, "deliver.done": 2}, False, "nothing to tell"),
        (Refused("C-FIND refused"), {"assess.done": 1, "deliver.done": 2}, True, "assessed without, and said so"),
        (TryLater("busy"), {"assess.due": 1}, False, "a baseline may lie there: wait for it"),
    ],
)
def test_earlier_studies_are_asked_for_first(house: House, fault, jobs, told, why) -> None:
    def priors(study: StudyRow) -> str:
        assert (study.patient_id, study.issuer_of_patient_id) == ("P1", "TEST")
        if fault:
            raise fault
        return ""

    house.steps._priors = priors
    house.run_all()
    assert house.status()["jobs"] == jobs, why
    assert any("earlier studies" in event["detail"] for event in house.status()["events"]) is told


def test_a_contradicting_patient_is_set_aside_until_a_person_releases(house: House) -> None:
    house.record.identity = PatientIdentity((Identifier("P1", "urn:test"),), "Demo", "Anna", date(1960, 1, 2), "M")
    house.run_all()
    (waiting,) = house.status()["waiting"]
    assert waiting["state"] == "set_aside"
    assert "contradict in sex" in waiting["reason"]
    assert house.door.arrived == []
    seen = Contradicting(house.bench.engine)
    assert seen.record("1.2.3").identity == house.record.identity, "kept, for a person to compare"
    house.bench.desk.release("1.2.3", by="operator")
    house.run_all()
    assert len(house.door.arrived) == 2
    assert seen.record("1.2.3") is None, "settled: nothing that names anybody stays"


def test_an_older_study_that_comes_late_asks_for_the_newest_again(house: House) -> None:
    house.run_all()
    house.bench.inbox.receive(receipt("9.1", study="9", date="20250101", path="/in/9"))
    house.bench.clock.seconds += 31
    house.run_all()
    asked = house.bench.ledger.jobs.take_due()
    assert len(asked) == 1, "the newest study is compared with what came late"
    assert house.bench.ledger.jobs.claim(asked[0][0]).ref == "1.2.3"


@pytest.mark.parametrize("state", ["receiving", "incomplete", "kept_out"])
def test_news_of_the_record_do_not_assess_a_study_that_is_not_to_be_assessed_yet(house: House, state: str) -> None:
    house.run_all()
    arrived = len(house.door.arrived)
    case_ref = house.bench.ledger.study("1.2.3").case_ref
    with house.bench.engine.begin() as connection:
        connection.execute(sa.update(t.study).values(state=state, last_received_at=house.bench.clock()))
        house.bench.ledger.ask_assessment(connection, "1.2.3", case_ref)
    house.images.fault = AssertionError("its images must not be read")
    house.run_all()
    assert len(house.door.arrived) == arrived
    assert house.status()["jobs"]["assess.done"] == 1
