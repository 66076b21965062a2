"""An ordered assessment from the order to its end: done with references, given up with a reason, over a restart."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from ledger_case import Bench, receipt
from pydicom import Dataset
from step_case import order, reference
from steps_case import Door, House, Images, Record, Words

from connector.core.errors import ImpossibleInput, Refused, TryLater
from connector.dicom.workitems import Workitems
from connector.flow import Flow
from connector.looks import Looks
from connector.orders import Orders
from connector.steps import Steps
from connector.store import tables as t

UID = "1.2.50"


class Words1(Words):
    """Documents whose identities and classes are UIDs, as those for a PACS are."""

    def write(self, request):
        return [
            replace(
                one, identity="2.25.77", sop_class_uid="1.2.840.10008.5.1.4.1.1.88.34", series_instance_uid="2.25.7"
            )
            if one.destination == "pacs"
            else one
            for one in super().write(request)
        ]


def make(bench: Bench, retrieve: Callable[[str], None] | None = None, *, maximum_attempts: int = 1) -> House:
    images, record, door = Images(), Record(), Door()
    workitems = Workitems(bench.steps, now=lambda: datetime.fromtimestamp(bench.clock(), UTC))
    steps = Steps(
        ledger=bench.ledger, desk=bench.desk,
        flow=Flow(imaging=images, record=record, writers=[Words1()], issuers={"TEST": "urn:test"}),
        destinations={"pacs": door, "ehr": door}, quiet_seconds=3600,
        maximum_attempts=maximum_attempts, now=bench.clock,
        orders=Orders(bench.ledger, workitems, retrieve_ae_title="PACS"), retrieve=retrieve,
    )  # fmt: skip
    return House(bench, images, record, door, steps, Looks(bench.desk, None, now=bench.clock))


def place(bench: Bench, study: str = "1.2.3") -> Workitems:
    workitems = Workitems(bench.steps, now=lambda: datetime.fromtimestamp(bench.clock(), UTC))
    workitems.create(UID, order(study, ScheduledProcedureStepStartDateTime=""), owner="RIS")
    return workitems


def progress(workitems: Workitems):
    return workitems.get(UID).ProcedureStepProgressInformationSequence[0]


def test_an_order_for_a_study_that_is_here_ends_with_its_report(bench: Bench) -> None:
    house = make(bench)
    bench.inbox.receive(receipt())
    workitems = place(bench)
    house.run_all()
    assert workitems.get(UID).ProcedureStepState == "IN PROGRESS", "claimed, and its study complete without waiting"
    assert house.door.arrived[0] == "2.25.77"
    house.steps.sweep()
    done = workitems.get(UID)
    assert done.ProcedureStepState == "COMPLETED"
    (performed,) = done.UnifiedProcedureStepPerformedProcedureSequence
    (output,) = performed.OutputInformationSequence
    assert (output.StudyInstanceUID, output.SeriesInstanceUID) == ("1.2.3", "2.25.7")
    assert [one.ReferencedSOPInstanceUID for one in output.ReferencedSOPSequence] == ["2.25.77"]
    assert output.DICOMRetrievalSequence[0].RetrieveAETitle == "PACS"
    assert performed.PerformedWorkitemCodeSequence[0].CodeValue == "CAD001"
    assert progress(workitems).ProcedureStepProgress == 100


def test_an_order_that_names_another_patient_than_the_study_is_given_up(bench: Bench) -> None:
    house = make(bench)
    bench.inbox.receive(receipt(patient="P2"))  # the order names P1
    workitems = place(bench)
    house.steps.sweep()
    given_up = workitems.get(UID)
    assert given_up.ProcedureStepState == "CANCELED"
    assert "names another patient" in progress(workitems).ReasonForCancellation
    assert not house.door.arrived


def test_an_order_for_a_study_that_is_elsewhere_has_it_fetched(bench: Bench) -> None:
    asked = []

    def fetch(study: str) -> None:
        asked.append(study)
        bench.inbox.receive(receipt())

    house = make(bench, fetch)
    workitems = place(bench)
    for _ in range(3):
        house.run_all()
    assert asked == ["1.2.3"]
    assert workitems.get(UID).ProcedureStepState == "COMPLETED"
    with bench.engine.connect() as connection:
        (serial,) = connection.execute(sa.select(t.job.c.serial).where(t.job.c.kind == "assess")).scalars()
    assert serial == f"assess:{bench.ledger.study('1.2.3').case_ref}", "one at a time with the patient's other studies"


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (None, "the PACS sent no instance of the ordered study"),
        (Refused("the PACS refused the C-MOVE (A801)"), "the PACS refused the C-MOVE (A801)"),
        (TryLater("the PACS is away"), "gave up after 1 tries: the PACS is away"),
    ],
)
def test_a_study_that_cannot_be_had_ends_the_order_with_the_reason(bench: Bench, fault, told) -> None:
    def fetch(_: str) -> None:
        if fault:
            raise fault

    house = make(bench, fetch)
    workitems = place(bench)
    for _ in range(3):
        house.run_all()
    assert workitems.get(UID).ProcedureStepState == "CANCELED"
    assert told in progress(workitems).ReasonForCancellation
    assert progress(workitems).ProcedureStepDiscontinuationReasonCodeSequence[0].CodeValue == "110513"


def test_without_a_pacs_to_ask_an_order_for_an_unknown_study_ends(bench: Bench) -> None:
    house = make(bench)
    workitems = place(bench)
    for _ in range(3):
        house.run_all()
    assert "set CONNECTOR_PACS_HOST or CONNECTOR_PACS_DICOMWEB_URL" in progress(workitems).ReasonForCancellation


@pytest.mark.parametrize("what", ["input", "delivery"])
def test_what_cannot_be_assessed_or_delivered_ends_the_order_with_the_reason(bench: Bench, what: str) -> None:
    house = make(bench)
    if what == "input":
        house.images.fault = ImpossibleInput("the files are of more than one patient")
    else:
        house.door.fault = Refused("the PACS refused the instance (A900)")
    bench.inbox.receive(receipt())
    workitems = place(bench)
    for _ in range(3):
        house.run_all()
    expected = "more than one patient" if what == "input" else "the sr was not delivered: the PACS refused"
    assert workitems.get(UID).ProcedureStepState == "CANCELED"
    assert expected in progress(workitems).ReasonForCancellation


def test_an_order_survives_a_restart_between_any_two_steps(bench: Bench) -> None:
    bench.inbox.receive(receipt())
    workitems = place(bench)
    for _ in range(6):
        house = make(bench)  # a new process each time: nothing is remembered but by the ledger
        jobs = house.steps.sweep()
        if jobs:
            make(bench).steps.run(jobs[0][0])
    assert workitems.get(UID).ProcedureStepState == "COMPLETED"


def test_a_second_order_of_the_same_study_ends_with_the_same_report(bench: Bench) -> None:
    house = make(bench)
    bench.inbox.receive(receipt())
    workitems = place(bench)
    for _ in range(2):
        house.run_all()
    workitems.create("1.2.51", order(ScheduledProcedureStepStartDateTime=""), owner="RIS")
    for _ in range(3):
        house.run_all()
    outputs = [
        workitems.get(uid).UnifiedProcedureStepPerformedProcedureSequence[0].OutputInformationSequence[0]
        for uid in (UID, "1.2.51")
    ]
    assert outputs[0] == outputs[1]
    assert house.door.arrived.count("2.25.77") == 1


def test_an_order_ends_with_what_its_assessment_left_unchanged_too(bench: Bench) -> None:
    """The newer assessment makes the same object again: it is in the PACS already, and not sent twice."""
    house = make(bench)
    bench.inbox.receive(receipt())
    place(bench)
    for _ in range(2):
        house.run_all()
    house.images.diameter_mm = 30
    bench.inbox.receive(receipt("1.2.3.2"))
    workitems = Workitems(bench.steps)
    workitems.create("1.2.51", order(ScheduledProcedureStepStartDateTime=""), owner="RIS")
    for _ in range(3):
        house.run_all()
    with bench.engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(t.assessment)).scalar_one() == 2
    (performed,) = workitems.get("1.2.51").UnifiedProcedureStepPerformedProcedureSequence
    (output,) = performed.OutputInformationSequence
    assert [one.ReferencedSOPInstanceUID for one in output.ReferencedSOPSequence] == ["2.25.77"]
    assert house.door.arrived.count("2.25.77") == 1


def test_an_order_taken_back_in_time_is_not_assessed(bench: Bench) -> None:
    house = make(bench)
    bench.inbox.receive(receipt())
    workitems = place(bench)
    workitems.request_cancel(UID, Dataset())
    house.run_all()
    assert not house.door.arrived
    assert workitems.get(UID).ProcedureStepState == "CANCELED"


def test_an_order_for_a_wrong_patients_study_ends_with_the_reason(bench: Bench) -> None:
    house = make(bench)
    bench.inbox.receive(receipt())
    with bench.engine.begin() as connection:
        connection.execute(sa.update(t.study).values(state="rejected"))
    workitems = place(bench)
    for _ in range(3):
        house.run_all()
    assert not house.door.arrived
    assert "wrong patient" in progress(workitems).ReasonForCancellation


def place_for_tidied(bench: Bench) -> Workitems:
    """An order for a study that was here, and whose instances were tidied away."""
    bench.inbox.receive(receipt())
    with bench.engine.begin() as connection:
        connection.execute(sa.delete(t.instance))
        connection.execute(sa.update(t.study).values(state="tidied"))
    return place(bench)


def test_an_order_for_a_study_that_was_tidied_away_has_it_fetched_again(bench: Bench) -> None:
    house = make(bench, lambda _: bench.inbox.receive(receipt()))
    workitems = place_for_tidied(bench)
    for _ in range(3):
        house.run_all()
    assert workitems.get(UID).ProcedureStepState == "COMPLETED"


def test_a_tidied_study_that_the_pacs_no_longer_has_is_not_assessed_on_nothing(bench: Bench) -> None:
    house = make(bench, lambda _: None)
    workitems = place_for_tidied(bench)
    for _ in range(3):
        house.run_all()
    assert not house.door.arrived
    assert "the PACS sent no instance" in progress(workitems).ReasonForCancellation


def test_an_order_whose_study_is_opened_again_by_a_late_instance_waits_for_its_report(bench: Bench) -> None:
    house = make(bench)
    bench.inbox.receive(receipt())
    workitems = place(bench)
    (asked,) = house.steps.sweep()
    bench.inbox.receive(receipt("1.2.3.2"))
    house.steps.run(asked[0])
    house.steps.sweep()
    assert workitems.get(UID).ProcedureStepState == "IN PROGRESS"
    assert not house.door.arrived, "a part of the study is not assessed"
    bench.clock.seconds += 3600
    for _ in range(3):
        house.run_all()
    assert workitems.get(UID).ProcedureStepState == "COMPLETED"
    assert house.door.arrived[0] == "2.25.77"


def test_an_order_does_not_cut_a_study_off_that_is_still_being_sent(bench: Bench) -> None:
    house = make(bench)
    bench.inbox.association_opened("A")
    bench.inbox.receive(receipt(association="A"))
    workitems = place(bench)
    house.run_all()
    assert workitems.get(UID).ProcedureStepState == "SCHEDULED", "its association is open"
    bench.inbox.association_closed("A")
    house.run_all()
    assert workitems.get(UID).ProcedureStepState == "IN PROGRESS", "what the order names is here"


@pytest.mark.parametrize(("named", "told"), [(("1.2.3.1", "1.2.3.2"), True), ((), False)], ids=["one lacks", "none"])
def test_an_order_waits_for_what_it_names_until_the_study_is_quiet(bench: Bench, named, told) -> None:
    house = make(bench)
    bench.inbox.receive(receipt())
    workitems = Workitems(bench.steps)
    attributes = order(ScheduledProcedureStepStartDateTime="")
    attributes.InputInformationSequence[0].ReferencedSOPSequence = [reference(uid) for uid in named]
    workitems.create(UID, attributes, owner="RIS")
    house.run_all()
    assert workitems.get(UID).ProcedureStepState == "SCHEDULED"
    bench.clock.seconds += 3600  # then the study is complete by itself
    for _ in range(3):
        house.run_all()
    assert workitems.get(UID).ProcedureStepState == "COMPLETED"
    words = ("1 of the 2 instances that the order names did not come",) if told else ()
    assert bench.ledger.study("1.2.3").told == words


def test_a_part_of_an_ordered_study_is_never_assessed_however_long_the_rest_takes(bench: Bench) -> None:
    came = []

    def fetch(_: str) -> None:
        came.append(receipt(f"1.2.3.{len(came) + 1}"))
        bench.inbox.receive(replace(came[-1], is_prior=True))
        if len(came) < 2:
            raise TryLater("1 objects of the ordered study did not come from the PACS")

    house = make(bench, fetch, maximum_attempts=3)
    workitems = place(bench)
    house.run_all()
    assert len(came) == 1
    house.images.fault = ImpossibleInput("a part was read")
    bench.clock.seconds += 3599
    house.steps.sweep()
    assert bench.desk.status()["studies"] == {"prior": 1}, "no quiet time ends it"
    house.images.fault = None
    bench.clock.seconds += 3600
    for _ in range(3):
        house.run_all()
    assert len(came) == 2
    assert workitems.get(UID).ProcedureStepState == "COMPLETED"
    assert len(bench.ledger.study("1.2.3").paths) == 2


def test_an_order_for_a_study_of_which_only_priors_are_here_has_the_whole_of_it_fetched(bench: Bench) -> None:
    house = make(bench, lambda _: bench.inbox.receive(replace(receipt("1.2.3.2"), is_prior=True)))
    bench.inbox.receive(replace(receipt(), is_prior=True))
    workitems = place(bench)
    for _ in range(3):
        house.run_all()
    assert workitems.get(UID).ProcedureStepState == "COMPLETED"
    assert len(bench.ledger.study("1.2.3").paths) == 2
