"""Senders that stall, break off or send nonsense: each is dropped, leaves nothing, and holds up nobody."""

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

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from listener_case import associate
from pydicom import Dataset
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE, ImplementationClassUIDNotification, MaximumLengthNotification
from pynetdicom.presentation import build_context
from receive_case import AE_TITLE, MemoryInbox, as_file, files_in, listening, make_image, wait_for
from structlog.testing import capture_logs

from connector.dicom import receive_wire as wire
from connector.dicom.receive import Listener


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
        (data_pdu(b"abc", control=0), "a data set without its command"),
        (data_pdu(store_command(IMAGE), control=3).replace(b"\x01\x03", b"\x05\x03", 1), "a context never accepted"),
        (data_pdu(store_command(IMAGE), control=3) * 2, "a command inside a data set"),
        (data_pdu(b"a" * 60_000, control=1) * 2, "a command without end"),
        (associate_request(), "a second request for an association"),
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
    wait_for(lambda: threading.active_count() < threads)  # the thread ends a little after its association
    assert not inbox.receipts, why
    assert not files_in(tmp_path)
    assert associate(listener).is_established, "others are served as before"


def test_a_service_that_is_not_ours_is_told_so_and_the_association_goes_on(
    raw: tuple[socket.socket, Listener],
) -> None:
    connection, _ = raw
    echo, find, cancel = 0x0030, 0x0020, 0x0FFF
    answers = []
    for kind in (find, cancel, echo):  # a cancellation has no answer
        command = {wire.AFFECTED_SOP_CLASS: "1.2", wire.COMMAND_FIELD: kind, wire.MESSAGE_ID: 1}
        octets = wire.encode_command(command | {wire.DATA_SET_TYPE: wire.NO_DATA_SET})
        connection.sendall(wire.encode_message(1, octets))
        if kind != cancel:
            answer = connection.recv(4096)
            ((_, is_command, is_last, value),) = wire.data_values(memoryview(answer)[6:])
            assert is_command
            assert is_last
            fields = wire.read_command(bytes(value))
            answers.append((fields.number(wire.COMMAND_FIELD), fields.number(wire.STATUS)))
    assert answers == [(0x8020, 0x0211), (0x8030, 0x0000)]


def test_an_abort_ends_the_association_at_once(raw: tuple[socket.socket, Listener]) -> None:
    connection, listener = raw
    connection.sendall(wire.encode_abort(0))
    wait_for(lambda: not listener.open_associations, seconds=0.4)


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
        capture_logs() as told,
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
        wait_for(lambda: any("does not speak TLS" in line.get("reason", "") for line in told))
