"""Results of storage commitment wait in the ledger: over a restart, with pauses, to an end, and no patient's longer."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from ledger_case import Bench, receipt
from listener_case import COMMITMENT, COMMITMENT_INSTANCE
from pynetdicom import AE, evt
from state_peers import answers, free_port, wait_until
from structlog.testing import capture_logs

from connector.core.errors import BadCase, Refused, TryLater
from connector.dicom.receive_commitment import PeerAway, Request, request_information
from connector.reporting import GIVE_UP_SECONDS, Reporting
from connector.service import Service, _every, listen
from connector.settings import Settings
from connector.store import tables as t
from connector.store.erase import Eraser
from connector.store.promises import Promise, Promises

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"


class Peers:
    """Senders by AE title: each takes results, or fails as told."""

    def __init__(self) -> None:
        self.faults: dict[str, Exception] = {}
        self.called: list[str] = []
        self.told: list[tuple[str, Request]] = []

    def __call__(self, peer: str, request: Request) -> str:
        self.called.append(peer)
        if peer in self.faults:
            raise self.faults[peer]
        self.told.append((peer, request))
        return "all are kept"


@pytest.fixture
def peers() -> Peers:
    return Peers()


def promises(bench: Bench) -> Promises:
    return Promises(bench.ledger, now=bench.clock)


def reporting(bench: Bench, peers: Peers) -> Reporting:
    return Reporting(bench.ledger, promises(bench), peers, now=bench.clock)


def ask(bench: Bench, transaction: str = "1.9", *instances: str, peer: str = "CT1") -> None:
    promises(bench).keep(Promise(peer, transaction, tuple((CT, uid) for uid in instances or ("1.2.3.1",))))


def rows(bench: Bench) -> tuple[int, int, int]:
    """Requests, instances named by them, and steps."""
    with bench.engine.connect() as connection:
        count = sa.select(sa.func.count())
        step = count.select_from(t.job).where(t.job.c.kind == "report")
        return tuple(
            connection.execute(query).scalar_one()
            for query in (count.select_from(t.promise), count.select_from(t.promised_instance), step)
        )


def test_a_result_that_was_taken_leaves_a_line_in_the_logbook_and_nothing_else(bench: Bench, peers: Peers) -> None:
    ask(bench, "1.9", "1.2.3.1", "1.2.3.2")
    assert rows(bench) == (1, 2, 1)
    assert bench.ledger.jobs.take_due() == [], "no worker is handed it: who listens to the sender knows its address"
    assert reporting(bench, peers).run() == 1
    assert peers.told == [("CT1", Request("1.9", ((CT, "1.2.3.1"), (CT, "1.2.3.2"))))]
    assert rows(bench) == (0, 0, 0)
    (event,) = bench.desk.status()["events"]
    assert (event["kind"], event["ref"], event["detail"]) == ("commitment_reported", "CT1", "all are kept")
    assert reporting(bench, peers).run() == 0


def test_a_request_that_the_sender_repeats_is_told_once_as_it_was_asked_last(bench: Bench, peers: Peers) -> None:
    ask(bench, "1.9", "1.2.3.1")
    ask(bench, "1.9", "1.2.3.2", "1.2.3.2")
    ask(bench, "1.9", "1.2.3.1", peer="MR1")
    assert reporting(bench, peers).run() == 2
    assert sorted(peers.told, key=str) == [
        ("CT1", Request("1.9", ((CT, "1.2.3.2"),))),
        ("MR1", Request("1.9", ((CT, "1.2.3.1"),))),
    ]


def test_a_request_that_is_repeated_while_it_is_told_is_told_again(bench: Bench) -> None:
    told = []

    def send(_peer: str, request: Request) -> str:
        told.append(request.references)
        if len(told) == 1:
            bench.clock.seconds += 1
            ask(bench, "1.9", "1.2.3.2")
        return ""

    ask(bench, "1.9", "1.2.3.1")
    for _ in range(3):
        Reporting(bench.ledger, promises(bench), send, now=bench.clock).run()
    assert told == [((CT, "1.2.3.1"),), ((CT, "1.2.3.2"),)]
    assert rows(bench) == (0, 0, 0)


def test_a_sender_that_is_away_is_called_once_for_all_its_results_and_holds_up_no_other(
    bench: Bench, peers: Peers
) -> None:
    peers.faults["CT1"] = PeerAway("CT1 opens no association")
    for number in range(5):
        ask(bench, f"1.9.{number}")
    ask(bench, peer="MR1")
    assert reporting(bench, peers).run() == 1
    assert sorted(peers.called) == ["CT1", "MR1"]
    (waiting,) = bench.desk.status()["waiting"]
    assert (waiting["kind"], waiting["state"], waiting["reason"]) == ("report", "due", "CT1 opens no association")
    peers.faults.clear()
    bench.clock.seconds += 4.1  # the longest first pause is 4 s
    assert reporting(bench, peers).run() == 5


def test_a_result_that_one_sender_cannot_take_holds_up_none_of_its_others(bench: Bench) -> None:
    told = []

    def send(_peer: str, request: Request) -> str:
        if request.transaction_uid == "1.9.0":
            raise TryLater("CT1 cannot take it now (0110H)")
        told.append(request.transaction_uid)
        return ""

    for number in range(3):
        ask(bench, f"1.9.{number}")
    Reporting(bench.ledger, promises(bench), send, now=bench.clock).run()
    assert sorted(told) == ["1.9.1", "1.9.2"]


def test_pauses_grow_and_after_three_days_a_person_is_asked(bench: Bench, peers: Peers) -> None:
    ask(bench)
    began = bench.clock.seconds
    peers.faults["CT1"] = PeerAway("CT1 opens no association")
    calls = []
    while bench.clock.seconds - began < GIVE_UP_SECONDS - 1000:
        reporting(bench, peers).run()
        if len(peers.called) > len(calls):
            calls.append(bench.clock.seconds - began)
        bench.clock.seconds += 100
    assert len(calls) > 12, "by time and not by tries: a scanner is switched off over the weekend"
    assert all(later - earlier <= 1100 for earlier, later in pairwise(calls)), "15 minutes at most"
    bench.clock.seconds = began + GIVE_UP_SECONDS
    reporting(bench, peers).run()
    (waiting,) = bench.desk.status()["waiting"]
    assert waiting["state"] == "parked"
    assert waiting["reason"].startswith("gave up after ")
    assert waiting["reason"].endswith("CT1 opens no association; then replay")
    peers.faults.clear()
    assert reporting(bench, peers).run() == 0, "it waits for the person"
    bench.desk.replay(waiting["id"], by="operator")
    assert reporting(bench, peers).run() == 1


def test_a_round_that_fails_is_told_by_the_name_of_its_task_and_followed_by_the_next() -> None:
    stopping, rounds = threading.Event(), []

    def run() -> None:
        rounds.append(1)
        if len(rounds) > 1:
            stopping.set()
        raise OSError

    with capture_logs() as told:
        _every(stopping, 0.001, run, task="report")()
    assert [(one["event"], one["task"]) for one in told] == [("tick_failed", "report")] * 2


def test_a_ledger_that_is_away_while_a_sender_is_told_asks_no_person(bench: Bench, peers: Peers) -> None:
    ask(bench)
    peers.faults["CT1"] = sa.exc.OperationalError("SELECT", None, Exception("the server was stopped"))
    reporting(bench, peers).run()
    (waiting,) = bench.desk.status()["waiting"]
    assert (waiting["state"], waiting["reason"]) == ("due", "ledger or disk away (OperationalError)")
    peers.faults.clear()
    bench.clock.seconds += 4.1  # the longest first pause is 4 s
    assert reporting(bench, peers).run() == 1


def test_one_tried_just_before_three_days_is_tried_again(bench: Bench, peers: Peers) -> None:
    ask(bench)
    peers.faults["CT1"] = TryLater("busy")
    bench.clock.seconds += GIVE_UP_SECONDS - 1
    reporting(bench, peers).run()
    assert bench.desk.status()["waiting"][0]["state"] == "due"


def test_a_result_that_is_refused_waits_for_a_person_who_may_end_it(bench: Bench, peers: Peers) -> None:
    ask(bench)
    peers.faults["CT1"] = Refused("CT1 does not take the result (0112H): have it ask anew")
    reporting(bench, peers).run()
    (waiting,) = bench.desk.status()["waiting"]
    assert (waiting["state"], waiting["reason"]) == ("parked", str(peers.faults["CT1"]))
    assert bench.desk.done_by_hand(waiting["id"], by="operator", because="the scanner asked anew") == 1
    assert rows(bench) == (0, 0, 1), "of the request nothing stays; its step is done"
    assert bench.desk.status()["waiting"] == []
    with pytest.raises(BadCase):
        bench.desk.done_by_hand(waiting["id"], by="operator", because="twice")


def erase(bench: Bench, folder: Path, study: str) -> None:
    Eraser(bench.engine, bench.ledger.trail, folder=folder, now=bench.clock).erase(study, because="order", by="me")


def test_erasing_a_case_erases_that_its_instances_were_asked_for(bench: Bench, peers: Peers, tmp_path: Path) -> None:
    bench.inbox.receive(receipt("1.2.3.1"))
    bench.inbox.receive(receipt("9.1", study="9", patient="P2", path=tmp_path / "other"))
    ask(bench, "1.9.1", "1.2.3.1")
    ask(bench, "1.9.2", "1.2.3.1", "9.1")
    erase(bench, tmp_path, "1.2.3")
    with bench.engine.connect() as connection:
        named = connection.execute(sa.select(t.promised_instance.c.sop_instance_uid)).scalars().all()
    assert named == ["9.1"]
    assert rows(bench) == (1, 1, 1), "a request that named nothing else is gone with its step"
    reporting(bench, peers).run()
    assert peers.told == [("CT1", Request("1.9.2", ((CT, "9.1"),)))], "of the erased ones nothing is promised"


@pytest.mark.parametrize("before", [True, False], ids=["asked before it came", "tidied away since"])
def test_erasing_finds_instances_that_were_not_here_when_asked_for_and_that_are_no_longer(
    bench: Bench, tmp_path: Path, *, before: bool
) -> None:
    if before:
        ask(bench)
    bench.inbox.receive(receipt("1.2.3.1"))
    if not before:
        ask(bench)
        with bench.engine.begin() as connection:
            connection.execute(sa.delete(t.instance))
    erase(bench, tmp_path, "1.2.3")
    assert rows(bench) == (0, 0, 0)


def test_as_many_instances_as_a_request_may_name_are_looked_up(bench: Bench) -> None:
    """SQLite takes 32766 names in one question, PostgreSQL 65535."""
    bench.inbox.receive(receipt("1.2.3.1"))
    many = [f"1.5.{number}" for number in range(99_999)]
    assert bench.inbox.held([*many, "1.2.3.1"]) == {"1.2.3.1": CT}


def test_of_what_has_no_file_any_more_or_is_being_tidied_away_nothing_is_promised(bench: Bench, tmp_path: Path) -> None:
    """After a promise its sender may delete the only other copy."""
    for number, study in enumerate(["1", "2", "3"]):
        (tmp_path / study).touch()
        bench.inbox.receive(receipt(f"{study}.1", study=study, patient=f"P{number}", path=tmp_path / study))
    (tmp_path / "2").unlink()  # the commit's answer was lost, and the file taken back
    with bench.engine.begin() as connection:
        connection.execute(sa.update(t.study).where(t.study.c.study_instance_uid == "3").values(state="tidying"))
    assert bench.inbox.held(["1.1", "2.1", "3.1"]) == {"1.1": CT}


def test_a_ledger_that_is_away_promises_nothing_and_is_asked_again(bench: Bench) -> None:
    with bench.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE instance RENAME TO away")
    with pytest.raises(TryLater, match="ask again"):
        bench.inbox.held(["1.2.3.1"])


@contextmanager
def modality(port: int, told: list[Any]) -> Iterator[None]:
    """The sender's own listener, for results."""

    def on_report(event: Any) -> tuple[int, None]:
        told.append((event.event_type, event.event_information.TransactionUID))
        return 0x0000, None

    entity = AE(ae_title="CT1")
    entity.add_supported_context(COMMITMENT, scu_role=True, scp_role=True)
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, on_report)])
    try:
        yield
    finally:
        server.shutdown()


def ask_by_dicom(port: int) -> None:
    entity = AE(ae_title="CT1")
    entity.add_requested_context(COMMITMENT)
    association = entity.associate("127.0.0.1", port, ae_title="CONNECTOR")
    information = request_information(Request("1.9", ((MR, "1.3"),)))
    status, _ = association.send_n_action(information, 1, COMMITMENT, COMMITMENT_INSTANCE)
    association.release()
    assert status.Status == 0x0000


def settings_of(folder: Path, modality_port: int, **given: Any) -> Settings:
    return Settings(
        data_dir=folder, http_port=0, disk_reserve_mb=0, offer_storage_commitment=True,
        storage_commitment_peers=f"CT1=127.0.0.1:{modality_port}", **given,
    )  # fmt: skip


@contextmanager
def served(settings: Settings) -> Iterator[int]:
    """`connector serve`; yields the DICOM port."""
    with Service(settings) as service:
        yield service.dicom_port


@contextmanager
def listened(settings: Settings) -> Iterator[int]:
    """`connector listen` alone, of the four parts."""
    stopped = threading.Event()
    named = {"processes": 1, "wait": stopped.wait}
    thread = threading.Thread(target=listen, args=(settings,), kwargs=named, daemon=True)
    thread.start()
    try:
        wait_until(lambda: answers(settings.dicom_port), seconds=20, what="the listener's start")
        yield settings.dicom_port
    finally:
        stopped.set()
        thread.join(30)


@pytest.mark.parametrize("part", [served, listened], ids=["serve", "listen"])
def test_a_result_is_told_after_a_restart(tmp_path: Path, part: Any) -> None:
    """The sender asks and ends its association, as most do, and is away until we were stopped."""
    told: list[Any] = []
    modality_port = free_port()
    settings = settings_of(tmp_path, modality_port, dicom_port=free_port())
    with part(settings) as port:
        ask_by_dicom(port)
    assert told == []
    with modality(modality_port, told), part(settings):
        wait_until(lambda: bool(told), seconds=30, what="the result")
    assert told == [(2, "1.9")], "nothing of that name is kept here"
