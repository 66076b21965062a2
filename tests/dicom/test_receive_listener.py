"""The listener against pynetdicom as sender: what is stored, what is answered, who is let in, who is timed out."""

import datetime as dt
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydicom import Dataset, dcmread
from pydicom.uid import JPEG2000Lossless, RLELossless
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE, ImplementationClassUIDNotification, MaximumLengthNotification
from pynetdicom.presentation import build_context
from receive_case import AE_TITLE, MemoryInbox, as_file, files_in, listening, make_image, wait_for

from connector.dicom.receive import Listener
from connector.dicom.receive_commitment import CommitmentResult, Request, request_information, result_information

COMMITMENT, COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
VERIFICATION = "1.2.840.10008.1.1"

_OPENED: list[Association] = []


@pytest.fixture(autouse=True)
def _no_association_outlives_its_test() -> Iterator[None]:
    yield
    while _OPENED:
        association = _OPENED.pop()
        if association.is_established:
            association.abort()


def associate(
    listener: Listener, *contexts: tuple[str, str], called: str = AE_TITLE, calling: str = "LAB", **named: Any
) -> Association:
    entity = AE(ae_title=calling)
    for abstract_syntax, transfer_syntax in contexts or [(VERIFICATION, "1.2.840.10008.1.2")]:
        entity.add_requested_context(abstract_syntax, transfer_syntax)
    _OPENED.append(entity.associate("127.0.0.1", listener.port, ae_title=called, **named))
    return _OPENED[-1]


def send(listener: Listener, *images: Dataset) -> list[int | None]:
    contexts = {(image.file_meta.MediaStorageSOPClassUID, image.file_meta.TransferSyntaxUID) for image in images}
    association = associate(listener, *contexts)
    assert association.is_established
    statuses = [association.send_c_store(image).get("Status") for image in images]
    association.release()
    return statuses


@pytest.fixture
def inbox() -> MemoryInbox:
    return MemoryInbox()


@pytest.fixture
def listener(inbox: MemoryInbox, tmp_path: Path) -> Iterator[Listener]:
    with listening(inbox, tmp_path) as running:
        yield running


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
    with listening(inbox, tmp_path, allowed_calling_ae_titles=frozenset({"CT1"})) as listener:
        association = associate(listener, called=called, calling=calling)
        answer = association.acceptor.primitive
        rejection = (answer.result, answer.result_source, answer.diagnostic) if association.is_rejected else None
        association.release()
    assert rejection == expected, why


def test_one_association_too_many_is_rejected_for_now(inbox: MemoryInbox, tmp_path: Path) -> None:
    with listening(inbox, tmp_path, maximum_associations=1) as listener:
        first, second = associate(listener), associate(listener)
        assert first.is_established
        answer = second.acceptor.primitive
        assert (answer.result, answer.result_source, answer.diagnostic) == (2, 3, 2)
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


@pytest.mark.parametrize("end", ["abort", "reset"])
def test_an_association_that_breaks_is_closed_for_the_ledger(listener: Listener, inbox: MemoryInbox, end: str) -> None:
    image = make_image()
    association = associate(listener, (image.SOPClassUID, image.file_meta.TransferSyntaxUID))
    association.send_c_store(image)
    association.abort() if end == "abort" else association.dul.socket.socket.shutdown(socket.SHUT_RDWR)
    wait_for(lambda: inbox.closed)
    assert inbox.opened == inbox.closed


def associate_request(called: str = AE_TITLE) -> bytes:
    """An A-ASSOCIATE-RQ for CT storage in explicit VR little endian, context 1."""
    request = A_ASSOCIATE()
    request.application_context_name = "1.2.840.10008.3.1.1.1"
    request.calling_ae_title, request.called_ae_title = "RAW", called
    context = build_context("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1")
    context.context_id = 1
    request.presentation_context_definition_list = [context]
    length, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    length.maximum_length_received = 16382
    implementation.implementation_class_uid = "1.2.3"
    request.user_information = [length, implementation]
    pdu = A_ASSOCIATE_RQ()
    pdu.from_primitive(request)
    return pdu.encode()


def data_pdu(fragment: bytes, *, control: int, announced: int | None = None) -> bytes:
    item = (len(fragment) + 2).to_bytes(4, "big") + bytes([1, control]) + fragment
    return b"\x04\x00" + (announced or len(item)).to_bytes(4, "big") + item


def store_command(image: Dataset) -> bytes:
    message = C_STORE()
    message.MessageID, message.Priority = 1, 2
    message.AffectedSOPClassUID, message.AffectedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    request = C_STORE_RQ()
    message.DataSet = BytesIO(b"x")
    request.primitive_to_message(message)
    return encode(request.command_set, True, True)


@pytest.fixture
def raw(inbox: MemoryInbox, tmp_path: Path) -> Iterator[tuple[socket.socket, Listener]]:
    """A connection with an association in place, and a listener that waits half a second for anything."""
    with (
        listening(inbox, tmp_path, idle_seconds=0.5, handshake_seconds=0.5) as listener,
        socket.create_connection(("127.0.0.1", listener.port), timeout=5) as connection,
    ):
        connection.sendall(associate_request())
        assert connection.recv(4096)[0] == 0x02, "accepted"
        yield connection, listener


IMAGE = make_image(rows=60_000)


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"", "silence after the association"),
        (b"\x04\x00\x00\x00", "half a PDU header"),
        (data_pdu(b"abc", control=3, announced=5000), "half a PDU"),
        (data_pdu(store_command(IMAGE), control=3), "a command whose data set never comes"),
        (
            data_pdu(store_command(IMAGE), control=3)
            + b"".join(data_pdu(as_file(IMAGE)[at : at + 10**5], control=0) for at in range(400, 5 * 10**6, 10**5)),
            "a large data set that stops half-way",
        ),
        (data_pdu(b"no command set", control=3), "a command set that is none"),
        (data_pdu(b"\x00\x00\x00\x01\x02\x00\x00\x00\x77\x77", control=3), "an unknown command"),
        (b"\x04\x00\xff\xff\xff\xff" + b"x" * 1000, "a PDU of four gigabytes"),
        (b"\x99\x00\x00\x00\x00\x04abcd", "an unknown PDU"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "a web browser"),
    ],
)
def test_a_sender_that_stalls_or_sends_nonsense_is_dropped(
    raw: tuple[socket.socket, Listener], inbox: MemoryInbox, tmp_path: Path, octets: bytes, why: str
) -> None:
    connection, listener = raw
    threads = threading.active_count()
    connection.sendall(octets)
    wait_for(lambda: not listener.open_associations)
    assert threading.active_count() < threads, why
    assert not inbox.receipts
    assert not files_in(tmp_path)
    assert associate(listener).is_established, "others are served as before"


def test_a_sender_that_drips_is_dropped(raw: tuple[socket.socket, Listener]) -> None:
    connection, listener = raw
    connection.sendall(b"\x04\x00\x00\x00\x40\x00")
    end = time.monotonic() + 5
    with suppress(OSError):  # reset or broken pipe, as the kernel has it
        while time.monotonic() < end:
            connection.sendall(b"\x00")
            time.sleep(0.1)
        pytest.fail("it was served for ever")
    wait_for(lambda: not listener.open_associations)


def test_a_connection_that_never_asks_for_an_association_is_dropped(inbox: MemoryInbox, tmp_path: Path) -> None:
    with (
        listening(inbox, tmp_path, idle_seconds=0.3, handshake_seconds=0.3) as listener,
        socket.create_connection(("127.0.0.1", listener.port)) as connection,
    ):
        wait_for(lambda: listener.open_associations)
        wait_for(lambda: not listener.open_associations)
        connection.settimeout(5)
        assert connection.recv(1) == b""


def test_health_checks_of_a_load_balancer_leave_nothing_behind(inbox: MemoryInbox, tmp_path: Path) -> None:
    with listening(inbox, tmp_path, handshake_seconds=0.3) as listener:
        threads = threading.active_count()
        for _ in range(30):
            socket.create_connection(("127.0.0.1", listener.port)).close()
        wait_for(lambda: not listener.open_associations)
        wait_for(lambda: threading.active_count() <= threads)


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


# Storage commitment


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


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(built.public_bytes(encoding) + private)
    return path


def test_tls_is_spoken_and_a_stalled_handshake_holds_up_nobody(
    inbox: MemoryInbox, tmp_path: Path, certificate: Path
) -> None:
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate)
    client = ssl.create_default_context(cafile=str(certificate))
    with (
        listening(inbox, tmp_path, tls=server, handshake_seconds=1.0) as listener,
        socket.create_connection(("127.0.0.1", listener.port)) as silent,
    ):
        image = make_image(rows=8000)
        began = time.monotonic()
        association = associate(
            listener, (image.SOPClassUID, image.file_meta.TransferSyntaxUID), tls_args=(client, "127.0.0.1")
        )
        assert association.send_c_store(image).Status == 0x0000
        association.release()
        assert time.monotonic() - began < 1.0, "the silent connection did not stand in front"
        silent.settimeout(5)
        assert silent.recv(1) == b"", "and was dropped"
        assert not associate(listener).is_established, "who speaks no TLS is not let in"
