"""The listener on a real socket: fragments, many messages, slow and endless senders, TLS, and the service."""

import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hl7.client import MLLPClient
from hl7_case import bilirubin, oru

from connector.core.errors import BadCase
from connector.hl7v2.listen import MllpListener
from connector.service import Service
from connector.settings import Settings

START, END = b"\x0b", b"\x1c\r"


def echo(block: bytes) -> list[bytes]:
    return [b"ACK|" + block[:20]]


@pytest.fixture
def listening():
    started = []

    def start(answer=echo, **more) -> MllpListener:
        listener = MllpListener(answer, host="127.0.0.1", port=0, **more)
        listener.start()
        started.append(listener)
        return listener

    yield start
    for listener in started:
        listener.stop()


def connect(listener: MllpListener) -> socket.socket:
    return socket.create_connection(("127.0.0.1", listener.port), timeout=20)


def answer_of(connection: socket.socket) -> bytes:
    held = b""
    while not held.endswith(END):
        part = connection.recv(4096)
        if not part:
            return held
        held += part
    return held[1:-2]


def test_a_message_in_single_bytes_is_one_message(listening):
    with connect(listening()) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in START + b"MSH|a" + END:
            connection.sendall(bytes([byte]))
        assert answer_of(connection) == b"ACK|MSH|a"


def test_many_messages_of_one_packet_are_answered_in_order(listening):
    with connect(listening()) as connection:
        connection.sendall(b"".join(START + b"MSH|%d" % number + END for number in range(50)))
        expected = b"".join(START + b"ACK|MSH|%d" % number + END for number in range(50))
        held = b""
        while len(held) < len(expected):
            held += connection.recv(65536)
        assert held == expected


def test_lines_between_blocks_and_a_block_that_was_cut_off_do_no_harm(listening):
    with connect(listening()) as connection:
        connection.sendall(b"\r\n" + START + b"MSH|cut off" + START + b"MSH|whole" + END + b"\r\n")
        assert answer_of(connection) == b"ACK|MSH|whole"


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "a browser"),
        (START + b"x" * 5000, "an endless block"),
        (START + b"MSH|never ends", "a block that stands still"),
    ],
)
def test_a_sender_that_does_not_speak_mllp_is_let_go_and_others_are_served(listening, sent, why):
    listener = listening(largest_block_bytes=1000, seconds_for_a_block=0.5)
    with connect(listener) as wrong, connect(listener) as right:
        wrong.sendall(sent)
        right.sendall(START + b"MSH|a" + END)
        assert answer_of(right) == b"ACK|MSH|a"
        with suppress(ConnectionResetError):  # what it still had to send was not read
            assert answer_of(wrong) == b"", why


def test_a_silent_connection_is_kept(listening):
    """Interface engines hold a connection for days and send when there is something."""
    listener = listening(seconds_for_a_block=0.2)
    with connect(listener) as connection:
        time.sleep(0.6)
        connection.sendall(START + b"MSH|a" + END)
        assert answer_of(connection) == b"ACK|MSH|a"


def test_no_more_connections_than_are_allowed_are_served(listening):
    listener = listening(maximum_connections=1)
    with connect(listener) as first:
        first.sendall(START + b"MSH|a" + END)
        assert answer_of(first) == b"ACK|MSH|a"
        with connect(listener) as second:
            assert second.recv(1) == b""


def test_an_answer_under_way_leaves_before_the_listener_ends(listening):
    begun = threading.Event()

    def slow(block: bytes) -> list[bytes]:
        begun.set()
        time.sleep(0.3)
        return echo(block)

    listener = listening(slow)
    with connect(listener) as connection, ThreadPoolExecutor(1) as threads:
        connection.sendall(START + b"MSH|a" + END)
        begun.wait(10)
        stopping = threads.submit(listener.stop)
        assert answer_of(connection) == b"ACK|MSH|a"
        stopping.result(10)


def test_a_port_that_is_taken_is_told(listening):
    with pytest.raises(OSError, match=r"in use|bind"):
        MllpListener(echo, host="127.0.0.1", port=listening().port).start()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(pem)
    return folder


def test_the_service_hears_the_librarys_own_client_with_and_without_tls(tmp_path, certificate):
    """python-hl7's `mllp_send` client in the clear, then TLS; a message is in the ledger when it is accepted."""
    settings = Settings(data_dir=tmp_path, dicom_port=0, http_port=0, hl7_port=0, hl7_results="record")
    with Service(settings) as service, MLLPClient("127.0.0.1", service.hl7_port) as client:
        assert b"MSA|AA|1\r" in client.send_message(oru().decode())
        assert b"MSA|AE|2\r" in client.send_message(oru(bilirubin("x"), control_id="2").decode())
        (waiting,) = service.app.desk.status()["messages"]
        assert waiting["reason"] == "OBX-5 is no number"
    tls = settings.model_copy(
        update={
            "hl7_tls": True, "tls_certificate_file": certificate / "cert.pem", "tls_key_file": certificate / "key.pem",
            "data_dir": tmp_path / "tls",
        }
    )  # fmt: skip
    with Service(tls) as service:
        context = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
        plain = socket.create_connection(("127.0.0.1", service.hl7_port), timeout=20)
        with context.wrap_socket(plain, server_hostname="localhost") as connection:
            connection.sendall(START + oru(control_id="3") + END)
            assert b"MSA|AA|3\r" in answer_of(connection)


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"hl7_tls": True}, "CONNECTOR_TLS_CERTIFICATE_FILE"),
        ({"hl7_local_codes": "BILI=1975-3"}, "CONNECTOR_HL7_LOCAL_CODES"),
    ],
)
def test_settings_that_cannot_be_are_told_at_the_start(tmp_path, more, named):
    with pytest.raises(BadCase, match=named):
        Service(Settings(data_dir=tmp_path, dicom_port=0, http_port=0, hl7_port=0, **more))


@pytest.mark.parametrize(("name", "value"), [("hl7_time_zone", "Mars/Olympus"), ("hl7_charset", "klingon")])
def test_a_zone_or_a_charset_that_is_none_is_told(name, value):
    with pytest.raises(ValueError, match=value):
        Settings(**{name: value})
