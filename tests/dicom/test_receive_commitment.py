"""Storage commitment at the listener: what we promise, what we do not, and results for what we delivered."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from listener_case import COMMITMENT, COMMITMENT_INSTANCE, associate, send
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association
from receive_case import MemoryInbox, listening, make_image, wait_for

from connector.dicom.receive import Listener
from connector.dicom.receive_commitment import CommitmentResult, Request, request_information, result_information
from connector.doors import dicom_door
from connector.settings import Settings

if TYPE_CHECKING:
    from pydicom import Dataset


def ask(association: Association, *references: tuple[str, str], action: int = 1) -> int | None:
    information = request_information(Request("1.2.3.4.5", references))
    return association.send_n_action(information, action, COMMITMENT, COMMITMENT_INSTANCE)[0].get("Status")


def test_commitment_is_not_promised_unless_the_site_says_so(listener: Listener) -> None:
    association = associate(listener, (COMMITMENT, "1.2.840.10008.1.2"))
    assert ask(association, ("1.2", "1.3")) == 0x0124
    association.release()


@pytest.mark.parametrize("listed", [True, False], ids=["new association", "same association"])
def test_commitment_is_reported_from_the_ledger(
    inbox: MemoryInbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, listed: bool
) -> None:
    monkeypatch.setattr("connector.dicom.receive_commitment._RETRY_SECONDS", (0.05, 0.05, 0.05))
    reports: list[tuple[int, Dataset]] = []

    def on_report(event: Any) -> tuple[int, None]:
        reports.append((event.event_type, event.event_information))
        return 0x0000, None

    handlers = [(evt.EVT_N_EVENT_REPORT, on_report)]
    modality = AE(ae_title="CT1")
    modality.add_supported_context(COMMITMENT, scu_role=True, scp_role=True)
    server = modality.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    peers = {"CT1": ("127.0.0.1", server.server_address[1])} if listed else {}
    with listening(inbox, tmp_path, offer_commitment=True, commitment_peers=peers) as listener:
        image = make_image()
        send(listener, image)
        association = associate(
            listener, (COMMITMENT, "1.2.840.10008.1.2"), calling="CT1", evt_handlers=[] if listed else handlers
        )
        kept, other_class = (image.SOPClassUID, image.SOPInstanceUID), ("1.2.3", image.SOPInstanceUID)
        assert ask(association, kept) == 0x0000
        wait_for(lambda: len(reports) == 1)
        assert ask(association, kept, other_class, (image.SOPClassUID, "1.9")) == 0x0000
        wait_for(lambda: len(reports) == 2)
        association.release()
    server.shutdown()
    (all_kept, first), (some_failed, second) = reports
    assert (all_kept, some_failed) == (1, 2)
    assert first.TransactionUID == "1.2.3.4.5"
    assert [item.ReferencedSOPInstanceUID for item in first.ReferencedSOPSequence] == [image.SOPInstanceUID]
    assert [item.FailureReason for item in second.FailedSOPSequence] == [0x0119, 0x0112]


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


def test_the_service_reports_where_the_settings_say(
    inbox: MemoryInbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.dicom.receive_commitment._RETRY_SECONDS", (0.05, 0.05, 0.05))
    reports: list[int] = []

    def on_report(event: Any) -> tuple[int, None]:
        reports.append(event.event_type)
        return 0x0000, None

    modality = AE(ae_title="CT1")
    modality.add_supported_context(COMMITMENT, scu_role=True, scp_role=True)
    server = modality.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, on_report)])
    settings = Settings(
        data_dir=tmp_path, dicom_port=0, disk_reserve_mb=0, offer_storage_commitment=True,
        storage_commitment_peers=f"CT1=127.0.0.1:{server.server_address[1]}",
    )  # fmt: skip
    listener = dicom_door(settings, inbox=inbox, commitments=None, steps=None)
    listener.start()
    association = associate(listener, (COMMITMENT, "1.2.840.10008.1.2"), calling="CT1")
    assert ask(association, ("1.2", "1.3")) == 0x0000
    association.release()  # as Orthanc and most modalities do: the result finds nobody on this one
    wait_for(lambda: reports == [2])
    listener.stop()
    server.shutdown()


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
