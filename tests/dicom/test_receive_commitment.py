"""Storage commitment at the listener: what we promise, what we do not, and results for what we delivered."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from listener_case import COMMITMENT, COMMITMENT_INSTANCE, associate, send
from pydicom import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association
from receive_case import MemoryInbox, listening, make_image, wait_for

from connector.core.errors import Refused, TryLater
from connector.dicom.receive import Listener
from connector.dicom.receive_commitment import (
    CommitmentResult,
    PeerAway,
    Request,
    ResultSender,
    request_information,
    result_information,
)
from connector.settings import Settings


def ask(association: Association, *references: tuple[str, str], action: int = 1) -> int | None:
    information = request_information(Request("1.2.3.4.5", references))
    return association.send_n_action(information, action, COMMITMENT, COMMITMENT_INSTANCE)[0].get("Status")


def test_commitment_is_not_promised_unless_the_site_says_so(listener: Listener) -> None:
    association = associate(listener, (COMMITMENT, "1.2.840.10008.1.2"))
    assert ask(association, ("1.2", "1.3")) == 0x0124
    association.release()


def test_commitment_is_reported_from_the_ledger(inbox: MemoryInbox, tmp_path: Path) -> None:
    reports: list[tuple[int, Dataset]] = []

    def on_report(event: Any) -> tuple[int, None]:
        reports.append((event.event_type, event.event_information))
        return 0x0000, None

    with listening(inbox, tmp_path, offer_commitment=True) as listener:
        image = make_image()
        send(listener, image)
        association = associate(
            listener, (COMMITMENT, "1.2.840.10008.1.2"), evt_handlers=[(evt.EVT_N_EVENT_REPORT, on_report)]
        )
        kept, other_class = (image.SOPClassUID, image.SOPInstanceUID), ("1.2.3", image.SOPInstanceUID)
        assert ask(association, kept) == 0x0000
        wait_for(lambda: len(reports) == 1)
        assert ask(association, kept, other_class, (image.SOPClassUID, "1.9")) == 0x0000
        wait_for(lambda: len(reports) == 2)
        association.release()
    (all_kept, first), (some_failed, second) = reports
    assert (all_kept, some_failed) == (1, 2)
    assert first.TransactionUID == "1.2.3.4.5"
    assert [item.ReferencedSOPInstanceUID for item in first.ReferencedSOPSequence] == [image.SOPInstanceUID]
    assert [item.FailureReason for item in second.FailedSOPSequence] == [0x0119, 0x0112]


@pytest.mark.parametrize(("is_kept", "status"), [(True, 0x0000), (False, 0x0110)])
def test_a_request_that_is_answered_later_is_kept_before_it_is_answered(
    inbox: MemoryInbox, tmp_path: Path, *, is_kept: bool, status: int
) -> None:
    kept: list[tuple[str, Request]] = []

    def keep(peer: str, request: Request) -> None:
        if not is_kept:
            raise TryLater("the ledger is away")
        kept.append((peer, request))

    with listening(inbox, tmp_path, offer_commitment=True, told_later={"CT1"}, keep_request=keep) as listener:
        association = associate(listener, (COMMITMENT, "1.2.840.10008.1.2"), calling="CT1")
        assert ask(association, ("1.2", "1.3")) == status, "the sender asks again for what is not on disk"
        association.release()
    assert kept == ([("CT1", Request("1.2.3.4.5", (("1.2", "1.3"),)))] if is_kept else [])


@contextmanager
def modality(status: int, told: list[tuple[int, Dataset]], ae_title: str = "CT1") -> Iterator[int]:
    """A sender that is told results on a new association, and answers with `status`; yields its port."""

    def on_report(event: Any) -> tuple[int, None]:
        told.append((event.event_type, event.event_information))
        return status, None

    entity = AE(ae_title=ae_title)
    entity.require_called_aet = True
    entity.add_supported_context(COMMITMENT, scu_role=True, scp_role=True)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, on_report)])
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


def sender(peers: dict[str, tuple[str, int]]) -> ResultSender:
    return ResultSender(ae_title="CONNECTOR", held=lambda _: {"1.3": "1.2"}, peers=peers)


REQUEST = Request("1.2.3.4.5", (("1.2", "1.3"), ("1.2", "1.4")))


@pytest.mark.parametrize(
    ("status", "fault", "why"),
    [
        (0x0000, None, "taken"),
        (0x0110, TryLater, "processing failure: another time it may take it (PS3.7, annex C)"),
        (0x0213, TryLater, "resource limitation"),
        (0x0112, Refused, "no such object instance: it does not know its request any more"),
        (0x0115, Refused, "invalid argument"),
    ],
)
def test_a_sender_is_told_on_a_new_association(status: int, fault: type[Exception] | None, why: str) -> None:
    told: list[tuple[int, Dataset]] = []
    with modality(status, told) as port:
        if fault is None:
            assert sender({"CT1": ("127.0.0.1", port)}).send("CT1", REQUEST) == "1 of 2 instances are kept"
        else:
            with pytest.raises(fault, match=f"CT1 .*{status:04X}H") as raised:
                sender({"CT1": ("127.0.0.1", port)}).send("CT1", REQUEST)
            assert not isinstance(raised.value, PeerAway), why
    ((event_type, information),) = told
    assert (event_type, information.TransactionUID) == (2, "1.2.3.4.5"), why
    assert [item.ReferencedSOPInstanceUID for item in information.ReferencedSOPSequence] == ["1.3"]
    assert [(item.ReferencedSOPInstanceUID, item.FailureReason) for item in information.FailedSOPSequence] == [
        ("1.4", 0x0112)
    ]


def test_a_sender_that_cannot_be_called_is_away_and_one_that_is_not_listed_waits_for_a_person() -> None:
    with modality(0x0000, [], ae_title="OTHER") as port:
        for peers in ({"CT1": ("127.0.0.1", port)}, {"CT1": ("127.0.0.1", 1)}):
            with pytest.raises(PeerAway, match=r"CT1 opens no association at 127\.0\.0\.1"):
                sender(peers).send("CT1", REQUEST)
    with pytest.raises(Refused, match="CT1 is not in CONNECTOR_STORAGE_COMMITMENT_PEERS"):
        sender({}).send("CT1", REQUEST)


@pytest.mark.parametrize(
    ("written", "peers"),
    [
        ("CT1=10.0.0.7:104", {"CT1": ("10.0.0.7", 104)}),
        (" CT1 = ct.hospital.example:11112 , MR 2=[fd00::1]:104,",
         {"CT1": ("ct.hospital.example", 11112), "MR 2": ("fd00::1", 104)}),
        ("", {}),
    ],
)  # fmt: skip
def test_where_results_go_is_a_setting(written: str, peers: dict[str, tuple[str, int]]) -> None:
    assert Settings(storage_commitment_peers=written).commitment_peers == peers


@pytest.mark.parametrize("written", ["CT1", "CT1=host", "CT1=host:dicom", "CT1=host:0", "CT1=:104", "=host:104"])
def test_a_place_that_cannot_be_called_is_refused_at_the_start(written: str) -> None:
    with pytest.raises(ValueError, match="AE_TITLE=HOST:PORT"):
        Settings(storage_commitment_peers=written)


def test_commitment_requests_that_make_no_sense_are_refused(inbox: MemoryInbox, tmp_path: Path) -> None:
    with listening(inbox, tmp_path, offer_commitment=True) as listener:
        association = associate(listener, (COMMITMENT, "1.2.840.10008.1.2"))
        assert ask(association, ("1.2", "1.3"), action=9) == 0x0123
        assert ask(association) == 0x0115
        association.release()


@pytest.mark.parametrize(
    ("held", "status", "expected"),
    [
        ({"1.3": "1.2"}, 0x0000, CommitmentResult("1.2.3.4.5", ("1.3",), {})),
        ({}, 0x0000, CommitmentResult("1.2.3.4.5", (), {"1.3": 0x0112})),
        (None, 0x0110, None),
    ],
    ids=["kept", "not kept", "we cannot take it now"],
)
def test_results_for_what_we_delivered_are_taken(
    inbox: MemoryInbox, tmp_path: Path, held: dict[str, str] | None, status: int, expected: CommitmentResult | None
) -> None:
    results: list[CommitmentResult] = []

    def take(result: CommitmentResult) -> None:
        if held is None:
            raise RuntimeError("the ledger is away")
        results.append(result)

    with listening(inbox, tmp_path, on_commitment_result=take) as listener:
        association = associate(
            listener, (COMMITMENT, "1.2.840.10008.1.2"), ext_neg=[build_role(COMMITMENT, scp_role=True)]
        )
        event_type, information = result_information(Request("1.2.3.4.5", (("1.2", "1.3"),)), held or {})
        answer, _ = association.send_n_event_report(information, event_type, COMMITMENT, COMMITMENT_INSTANCE)
        association.release()
    assert answer.Status == status
    assert results == ([expected] if expected else [])
