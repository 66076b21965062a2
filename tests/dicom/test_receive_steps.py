"""MPPS and Instance Availability over the wire: a study is complete when its modality or archive says so."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from ledger_case import Bench, make_bench, receipt
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from step_case import IAN, MPPS, begun, calling, door, ended, reference

from connector.routing import every_study
from connector.store import tables as t
from connector.store.completeness import Completeness


@pytest.fixture
def bench(tmp_path: Path):
    made = make_bench(f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path)
    yield made
    made.inbox.close()
    made.engine.dispose()


def judge(bench: Bench) -> int:
    return Completeness(bench.ledger, every_study(3600)).judge()


def asked(bench: Bench) -> int:
    """How many assessments are asked for at this moment."""
    with bench.engine.connect() as connection:
        return connection.execute(
            sa.select(sa.func.count()).where(t.job.c.kind == "assess", t.job.c.asked_at == bench.clock())
        ).scalar_one()


def report(bench: Bench, folder: Path, *messages) -> list[int]:
    """Send (service, data set) pairs of one step; returns the statuses."""
    statuses = []
    with door(bench, folder) as listener, calling(listener, MPPS) as association:
        for service, attributes in messages:
            send = association.send_n_create if service == "create" else association.send_n_set
            statuses.append(send(attributes, MPPS, "1.2.9")[0].Status)
    return statuses


def test_a_study_is_complete_at_once_when_its_modality_is_done_and_all_is_here(bench: Bench, tmp_path: Path) -> None:
    bench.inbox.receive(receipt("1.2.3.1"))
    bench.inbox.receive(receipt("1.2.3.2", path="/in/2"))
    steps = [("create", begun("1.2.3")), ("set", ended("COMPLETED", "1.2.3.1", "1.2.3.2"))]
    assert report(bench, tmp_path, *steps) == [0, 0]
    assert judge(bench) == 1, "long before its quiet time"
    assert bench.ledger.study("1.2.3").told == ()


def test_images_that_are_still_under_way_are_waited_for(bench: Bench, tmp_path: Path) -> None:
    bench.inbox.receive(receipt("1.2.3.1"))
    report(bench, tmp_path, ("create", begun("1.2.3")), ("set", ended("COMPLETED", "1.2.3.1", "1.2.3.2")))
    assert judge(bench) == 0
    bench.inbox.receive(receipt("1.2.3.2", path="/in/2"))
    assert judge(bench) == 1


def test_images_that_never_come_are_told_in_the_result(bench: Bench, tmp_path: Path) -> None:
    bench.inbox.receive(receipt("1.2.3.1"))
    report(bench, tmp_path, ("create", begun("1.2.3")), ("set", ended("COMPLETED", "1.2.3.1", "1.2.3.2", "1.2.3.3")))
    bench.clock.seconds += 3600
    assert judge(bench) == 1, "the quiet time still holds: a lost image must not hold the study for ever"
    assert bench.ledger.study("1.2.3").told == ("2 of the 3 instances that the modality reported did not come",)


def test_of_two_lost_images_the_one_that_is_still_missing_is_told(bench: Bench, tmp_path: Path) -> None:
    test_images_that_never_come_are_told_in_the_result(bench, tmp_path)
    bench.inbox.receive(receipt("1.2.3.2", path="/in/2"))
    bench.clock.seconds += 3600
    assert judge(bench) == 1
    assert bench.ledger.study("1.2.3").told == ("1 of the 3 instances that the modality reported did not come",)
    bench.inbox.receive(receipt("1.2.3.3", path="/in/3"))
    bench.clock.seconds += 3600
    assert judge(bench) == 1
    assert bench.ledger.study("1.2.3").told == (), "all of it is here now"


@pytest.mark.parametrize(
    ("status", "named", "told"),
    [
        ("COMPLETED", ["1.2.3.1"], ()),
        ("COMPLETED", ["1.2.3.1", "1.2.3.2"], ("1 of the 2 instances that the modality reported did not come",)),
        ("DISCONTINUED", ["1.2.3.1"], ("the modality discontinued its procedure step (110501 DCM)",)),
    ],
)
def test_what_a_modality_says_after_the_quiet_time_is_told_too(
    bench: Bench, tmp_path: Path, status: str, named: list[str], told: tuple[str, ...]
) -> None:
    bench.inbox.receive(receipt("1.2.3.1"))
    report(bench, tmp_path, ("create", begun("1.2.3")))
    bench.clock.seconds += 3600
    assert judge(bench) == 1, "a step that nobody ends must not hold the study for ever"
    assert bench.ledger.study("1.2.3").told == ()
    report(bench, tmp_path, ("set", ended(status, *named)))
    bench.clock.seconds += 3599
    judge(bench)
    assert asked(bench) == 0, "an image that it names may still be under way"
    bench.clock.seconds += 1
    judge(bench)
    assert asked(bench) == len(told), "assessed anew, and only where the result must say something else"
    assert bench.ledger.study("1.2.3").told == told
    bench.clock.seconds += 3600
    judge(bench)
    assert asked(bench) == 0, "once"


def test_a_step_that_goes_on_is_no_signal_and_a_second_one_is_waited_for(bench: Bench, tmp_path: Path) -> None:
    bench.inbox.receive(receipt("1.2.3.1"))
    with door(bench, tmp_path) as listener, calling(listener, MPPS) as association:
        for uid in ("1.2.9", "1.2.10"):
            assert association.send_n_create(begun("1.2.3"), MPPS, uid)[0].Status == 0
        assert association.send_n_set(ended("COMPLETED", "1.2.3.1"), MPPS, "1.2.9")[0].Status == 0
        assert judge(bench) == 0
        assert association.send_n_set(ended("COMPLETED", "1.2.3.1"), MPPS, "1.2.10")[0].Status == 0
        assert judge(bench) == 1


def test_a_discontinued_step_is_told_with_its_code(bench: Bench, tmp_path: Path) -> None:
    bench.inbox.receive(receipt("1.2.3.1"))
    report(bench, tmp_path, ("create", begun("1.2.3")), ("set", ended("DISCONTINUED", "1.2.3.1")))
    assert judge(bench) == 0, "no word that it is complete"
    events = [(one["kind"], one["detail"]) for one in bench.desk.status()["events"]]
    assert ("mpps_discontinued", "DISCONTINUED: 110501 DCM") in events
    bench.clock.seconds += 3600
    assert judge(bench) == 1
    assert bench.ledger.study("1.2.3").told == ("the modality discontinued its procedure step (110501 DCM)",)


def test_what_is_reported_before_the_images_come_is_kept_over_a_restart(bench: Bench, tmp_path: Path) -> None:
    report(bench, tmp_path, ("create", begun("1.2.3")), ("set", ended("COMPLETED", "1.2.3.1")))
    again = make_bench(f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path)
    again.inbox.receive(receipt("1.2.3.1"))
    assert judge(again) == 1
    again.inbox.close()
    again.engine.dispose()


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI:UserWarning:pydicom")
@pytest.mark.parametrize(
    ("messages", "statuses", "why"),
    [
        ([("create", begun("1.2.3")), ("create", begun("1.2.3"))], [0, 0x0111], "a duplicate"),
        ([("set", ended("COMPLETED"))], [0x0112], "never created"),
        ([("create", ended("COMPLETED"))], [0x0106], "created in a final state"),
        ([("create", begun("not a UID"))], [0x0121], "of no study"),
        (
            [("create", begun("1.2.3")), ("set", ended("COMPLETED")), ("set", ended("DISCONTINUED"))],
            [0, 0, 0x0110],
            "a final step may no longer be updated",
        ),
        ([("create", begun("1.2.3")), ("set", ended("PAUSED"))], [0, 0x0106], "no such state"),
    ],
)
def test_a_step_that_cannot_be_hears_why(bench: Bench, tmp_path: Path, messages, statuses, why) -> None:
    assert report(bench, tmp_path, *messages) == statuses, why


def test_a_modality_that_names_no_image_says_nothing_of_what_is_under_way(bench: Bench, tmp_path: Path) -> None:
    bench.inbox.receive(receipt("1.2.3.1"))
    report(bench, tmp_path, ("create", begun("1.2.3")), ("set", ended("COMPLETED")))
    assert judge(bench) == 0
    bench.clock.seconds += 3600
    assert judge(bench) == 1, "its quiet time holds"


def test_a_step_is_ended_by_who_began_it_alone(bench: Bench, tmp_path: Path) -> None:
    with door(bench, tmp_path) as listener:
        with calling(listener, MPPS, title="CT1") as association:
            assert association.send_n_create(begun("1.2.3"), MPPS, "1.2.9")[0].Status == 0
        with calling(listener, MPPS, title="CT2") as association:
            assert association.send_n_set(ended("COMPLETED"), MPPS, "1.2.9")[0].Status == 0x0124
    assert bench.steps.get("1.2.9").state == "IN PROGRESS"


@pytest.mark.filterwarnings("ignore:Invalid value for VR IS:UserWarning:pydicom")
def test_a_value_that_its_vr_does_not_allow_is_told_as_such(bench: Bench, tmp_path: Path) -> None:
    step = begun("1.2.3")
    step[0x00201209] = RawDataElement(Tag(0x00201209), "IS", 4, b"many", 0, False, True)
    assert report(bench, tmp_path, ("create", step)) == [0x0106]


@pytest.mark.parametrize(
    ("availability", "completed", "why"),
    [
        (("ONLINE", "ONLINE"), 0, "one that can be had has not come"),
        (("ONLINE", "UNAVAILABLE"), 1, "what cannot be had is not waited for"),
        (("OFFLINE", "UNAVAILABLE"), 0, "nothing can be had: no word of completeness"),
    ],
)
def test_an_archives_notification_completes_a_study(bench: Bench, tmp_path: Path, availability, completed, why) -> None:
    bench.inbox.receive(receipt("1.2.3.1"))
    notification, members = Dataset(), Dataset()
    notification.StudyInstanceUID, notification.ReferencedPerformedProcedureStepSequence = "1.2.3", []
    members.SeriesInstanceUID = "1.2.3.9"
    members.ReferencedSOPSequence = [
        reference(f"1.2.3.{number}", InstanceAvailability=word, RetrieveAETitle="PACS")
        for number, word in enumerate(availability, start=1)
    ]
    notification.ReferencedSeriesSequence = [members]
    with door(bench, tmp_path) as listener, calling(listener, IAN, title="PACS") as association:
        assert association.send_n_create(notification, IAN, "1.2.77")[0].Status == 0
    assert judge(bench) == completed, why


def test_a_listener_whose_ledger_is_away_asks_to_report_again(bench: Bench, tmp_path: Path) -> None:
    bench.engine.dispose()
    (tmp_path / "ledger.sqlite").unlink()
    (tmp_path / "ledger.sqlite").mkdir()
    assert report(bench, tmp_path / "in", ("create", begun("1.2.3"))) == [0x0110]
