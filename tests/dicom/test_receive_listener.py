"""The listener against pynetdicom as sender: what is stored, what is answered, and who is let in."""

import socket
import threading
import time
from io import BytesIO
from pathlib import Path

import pytest
from listener_case import associate, rejection, send
from pydicom import dcmread
from pydicom.uid import ImplicitVRLittleEndian, JPEG2000Lossless, RLELossless
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode
from receive_case import AE_TITLE, MemoryInbox, as_file, files_in, listening, make_image, wait_for
from structlog.testing import capture_logs

from connector.dicom.receive import Listener


def test_an_instance_is_stored_as_sent(listener: Listener, inbox: MemoryInbox, tmp_path: Path) -> None:
    image = make_image()
    assert send(listener, image) == [0x0000]
    receipt = inbox.receipts[image.SOPInstanceUID]
    assert dcmread(receipt.path) == image
    assert (receipt.source, receipt.patient_id, receipt.issuer_of_patient_id) == ("LAB", "PHANTOM-1", "LAB")
    assert (receipt.modality, receipt.study_date) == ("CT", "20250102")
    assert receipt.path.read_bytes().endswith(as_file(image)[-1000:])
    assert files_in(tmp_path) == [receipt.path]


@pytest.mark.parametrize(
    ("sop_class", "why"),
    [
        ("1.2.840.10008.5.1.4.1.1.481.2", "RT Dose"),
        ("1.2.840.10008.5.1.4.1.1.9999.1", "a public class nobody knows yet"),
        ("1.3.12.2.1107.5.9.1", "a private class"),
    ],
)
def test_every_storage_sop_class_is_taken(listener: Listener, inbox: MemoryInbox, sop_class: str, why: str) -> None:
    image = make_image(SOPClassUID=sop_class)
    assert send(listener, image) == [0x0000], why
    assert inbox.receipts[image.SOPInstanceUID].sop_class_uid == sop_class


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_compressed_instances_are_stored_as_they_come(listener: Listener, inbox: MemoryInbox, syntax: str) -> None:
    image = make_image()
    pixels = image.pixel_array.copy()
    if syntax == RLELossless:
        image.compress(RLELossless, generate_instance_uid=False)
        assert send(listener, image) == [0x0000]
        stored = dcmread(inbox.receipts[image.SOPInstanceUID].path)
        assert stored.file_meta.TransferSyntaxUID == syntax
        assert (stored.pixel_array == pixels).all()
    else:
        assert associate(listener, (image.SOPClassUID, syntax)).accepted_contexts[0].transfer_syntax == [syntax]


def test_a_large_instance_passes_by_disk(listener: Listener, inbox: MemoryInbox) -> None:
    image = make_image(rows=60_000)  # 7.7 MB
    assert send(listener, image) == [0x0000]
    assert dcmread(inbox.receipts[image.SOPInstanceUID].path).PixelData == image.PixelData


def test_the_head_is_found_behind_a_large_private_element(listener: Listener, inbox: MemoryInbox) -> None:
    image = make_image()
    image.add_new(0x00090010, "LO", "LAB")
    image.add_new(0x00091010, "OB", b"p" * 5_000_000)  # in front of the patient, and larger than memory may hold
    assert send(listener, image) == [0x0000]
    assert inbox.receipts[image.SOPInstanceUID].study_instance_uid == image.StudyInstanceUID


def test_the_same_again_is_success_with_one_file(listener: Listener, tmp_path: Path) -> None:
    image = make_image()
    assert send(listener, image, image) == [0x0000, 0x0000]
    assert len(files_in(tmp_path)) == 1


def test_other_content_under_the_same_uid_is_success_and_kept_aside(
    listener: Listener, inbox: MemoryInbox, tmp_path: Path
) -> None:
    first = make_image()
    second = make_image(SOPInstanceUID=first.SOPInstanceUID)
    assert send(listener, first, second) == [0x0000, 0x0000]
    assert len(files_in(tmp_path)) == 2
    assert [receipt.sop_instance_uid for receipt in inbox.conflicts] == [first.SOPInstanceUID]


def test_a_ledger_that_is_away_is_a700_and_nothing_is_kept(
    listener: Listener, inbox: MemoryInbox, tmp_path: Path
) -> None:
    inbox.away = True
    assert send(listener, make_image(), make_image(rows=60_000)) == [0xA700, 0xA700]
    assert not files_in(tmp_path)
    inbox.away = False
    assert send(listener, make_image()) == [0x0000]


def test_a_ledger_that_fails_unexpectedly_is_0110(
    listener: Listener, inbox: MemoryInbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(inbox, "receive", lambda _: 1 / 0)
    assert send(listener, make_image()) == [0x0110]
    assert not files_in(tmp_path)


def test_a_full_disk_is_a700(inbox: MemoryInbox, tmp_path: Path) -> None:
    with listening(inbox, tmp_path, disk_reserve_bytes=2**62) as listener:
        assert send(listener, make_image(), make_image(rows=60_000)) == [0xA700, 0xA700]
    assert not files_in(tmp_path)


@pytest.mark.parametrize(
    ("changes", "status", "why"),
    [
        ({"SOPInstanceUID": "1.2.3.4"}, 0xA900, "another instance than announced"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4"}, 0xA900, "another class than announced"),
        ({"StudyInstanceUID": ""}, 0xC000, "no study"),
        ({"SeriesInstanceUID": "../../1"}, 0xC000, "a path for a UID"),
    ],
)
def test_what_is_not_the_announced_object_is_refused(
    listener: Listener, inbox: MemoryInbox, tmp_path: Path, *, changes: dict[str, str], status: int, why: str
) -> None:
    announced, meant = make_image(), make_image()
    for keyword, value in changes.items():
        meant[keyword]._value = value  # pydicom would correct it
    association = associate(listener, (announced.SOPClassUID, announced.file_meta.TransferSyntaxUID))
    message = C_STORE()
    message.MessageID, message.Priority = 1, 2
    message.AffectedSOPClassUID = announced.SOPClassUID
    message.AffectedSOPInstanceUID = announced.SOPInstanceUID if "SOPInstanceUID" in changes else meant.SOPInstanceUID
    message.DataSet = BytesIO(encode(meant, False, True))
    association._reactor_checkpoint.clear()
    association.dimse.send_msg(message, association.accepted_contexts[0].context_id)
    _, answer = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    assert answer.Status == status, why
    told = {0xA900: "data set is not the announced object"}
    named = next(iter(changes)).replace("InstanceUID", "_instance_uid").lower()
    assert answer.ErrorComment == told.get(status, f"{named} is missing or not a UID"), "the sender's log says why"
    association.release()
    assert not inbox.receipts
    assert not files_in(tmp_path)


@pytest.mark.parametrize(
    ("called", "calling", "expected", "why"),
    [
        (AE_TITLE, "CT1", None, "known"),
        ("OTHER", "CT1", (1, 1, 7), "called AE title not recognised"),
        (AE_TITLE, "CT2", (1, 1, 3), "calling AE title not recognised"),
    ],
)
def test_who_is_let_in(
    inbox: MemoryInbox, tmp_path: Path, *, called: str, calling: str, expected: tuple[int, ...] | None, why: str
) -> None:
    with capture_logs() as told, listening(inbox, tmp_path, allowed_calling_ae_titles=frozenset({"CT1"})) as listener:
        assert rejection(listener, called=called, calling=calling) == expected, why
    reasons = [line["reason"] for line in told if line["event"] == "association_rejected"]
    settings = {"OTHER": "CONNECTOR_AE_TITLE", AE_TITLE: "CONNECTOR_ALLOWED_CALLING_AE_TITLES"}
    assert [reason.split()[-1] for reason in reasons] == ([settings[called]] if expected else []), "what to set right"


@pytest.mark.parametrize(
    ("uid", "accepted"),
    [
        ("1.2.840.10008.5.1.4.31", False),  # the modality worklist
        ("1.2.840.10008.5.1.4.1.2.2.1", False),  # a study root query
        ("1.2.840.10008.1.20.2", False),  # storage commitment, pull model
        ("1.2.840.10008.5.1.4.1.1.104.1", True),  # an encapsulated PDF
        ("1.2.840.10008.5.1.4.1.1.999", True),  # of a later edition
        ("1.3.12.2.1107.5.9.1", True),  # a vendor's own objects
    ],
)
def test_what_is_no_storage_and_not_offered_is_not_accepted(listener: Listener, uid: str, *, accepted: bool) -> None:
    association = associate(listener, ("1.2.840.10008.1.1", ImplicitVRLittleEndian), (uid, ImplicitVRLittleEndian))
    assert (uid in {context.abstract_syntax for context in association.accepted_contexts}) == accepted
    association.release()


def test_one_association_too_many_is_rejected_for_now(inbox: MemoryInbox, tmp_path: Path) -> None:
    with listening(inbox, tmp_path, maximum_associations=1) as listener:
        first = associate(listener)
        assert first.is_established
        assert rejection(listener) == (2, 3, 2)
        first.release()
        wait_for(lambda: not listener.open_associations)
        assert associate(listener).is_established


def test_the_ledger_knows_associations_that_bring_instances_and_only_those(
    inbox: MemoryInbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.dicom.receive._ALIVE_SECONDS", 0.02)
    with listening(inbox, tmp_path) as listener:
        echo = associate(listener)
        assert echo.send_c_echo().Status == 0x0000
        echo.release()
        image = make_image()
        association = associate(listener, (image.SOPClassUID, image.file_meta.TransferSyntaxUID))
        association.send_c_store(image)
        wait_for(lambda: inbox.alive)
        assert not inbox.closed
        association.release()
        wait_for(lambda: inbox.closed)
    assert len(inbox.opened) == 1
    assert inbox.opened == inbox.closed == [inbox.receipts[image.SOPInstanceUID].association_id]


def test_associations_are_kept_alive_for_the_ledger_after_it_failed(
    inbox: MemoryInbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a study would count as complete a minute later, while its sender still sends."""
    monkeypatch.setattr("connector.dicom.receive._ALIVE_SECONDS", 0.02)
    note, failed = inbox.association_alive, threading.Event()

    def fail_once(association_id: str) -> None:
        if failed.is_set():
            note(association_id)
            return
        failed.set()
        raise LookupError("no error that anybody thought of")

    inbox.association_alive = fail_once
    with listening(inbox, tmp_path) as listener:
        image = make_image()
        association = associate(listener, (image.SOPClassUID, image.file_meta.TransferSyntaxUID))
        association.send_c_store(image)
        wait_for(failed.is_set)
        wait_for(lambda: inbox.alive)
        association.release()


def test_a_connection_for_which_there_is_no_thread_keeps_no_later_one_out(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("connector.dicom.receive_server.threading.Thread.start", no_thread)
    with socket.create_connection(("127.0.0.1", listener.port), timeout=10) as refused:
        assert refused.recv(1) == b"", "it is closed at once"
    monkeypatch.undo()
    assert listener.open_associations == 0
    association = associate(listener)
    assert association.send_c_echo().Status == 0x0000
    association.release()


@pytest.mark.parametrize("end", ["abort", "reset"])
def test_an_association_that_breaks_is_closed_for_the_ledger(listener: Listener, inbox: MemoryInbox, end: str) -> None:
    image = make_image()
    association = associate(listener, (image.SOPClassUID, image.file_meta.TransferSyntaxUID))
    association.send_c_store(image)
    association.abort() if end == "abort" else association.dul.socket.socket.shutdown(socket.SHUT_RDWR)
    wait_for(lambda: inbox.closed)
    assert inbox.opened == inbox.closed


def test_stop_lets_a_running_association_end(inbox: MemoryInbox, tmp_path: Path) -> None:
    with listening(inbox, tmp_path) as listener:
        image = make_image()
        association = associate(listener, (image.SOPClassUID, image.file_meta.TransferSyntaxUID))
        stopping = threading.Thread(target=listener.stop, kwargs={"grace_seconds": 5.0})
        port = listener.port
        stopping.start()
        time.sleep(0.1)
        assert association.send_c_store(image).Status == 0x0000
        association.release()
        stopping.join(5)
        assert not stopping.is_alive()
        with pytest.raises(OSError):  # noqa: PT011 - refused, as the kernel has it
            socket.create_connection(("127.0.0.1", port))


def test_two_listeners_share_a_port(inbox: MemoryInbox, tmp_path: Path) -> None:
    with (
        listening(inbox, tmp_path, reuse_port=True) as first,
        listening(inbox, tmp_path, reuse_port=True, port=first.port) as second,
    ):
        for _ in range(20):
            assert send(second, make_image()) == [0x0000]
    assert len(inbox.receipts) == 20


def test_pdus_of_128_kib_are_asked_for(listener: Listener) -> None:
    association = associate(listener)
    assert association.acceptor.maximum_length == 128 * 1024
    association.release()
