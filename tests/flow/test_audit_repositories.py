"""The audit trail reaches its repositories: rsyslog over TCP, any receiver over TLS, each event at least once."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ledger_case import Bench, make_bench
from state_peers import answers, free_port, wait_until

from connector.audit import Speaker
from connector.core.errors import Refused, TryLater
from connector.dicom.audit_syslog import SyslogRepository
from connector.forward import Forwarder
from connector.ports import AuditRecord

SPEAKER = Speaker("CONNECTOR", "host.example", "PACS", "https://ehr.example/fhir")
NO_LOCK = type("NoLock", (), {"alone": staticmethod(lambda _: nullcontext())})()


def record(number: int = 1) -> AuditRecord:
    return AuditRecord(number, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "viewed", "1.2.3", "c", "alice", True, "")


@contextmanager
def rsyslog(folder: Path, port: int) -> Iterator[Path]:
    """An rsyslog that writes what it gets, as it gets it, into a file."""
    kept = folder / "kept.log"
    configuration = folder / "rsyslog.conf"
    configuration.write_text(
        f'global(workDirectory="{folder}" maxMessageSize="64k")\n'
        'module(load="imtcp")\n'
        f'input(type="imtcp" address="127.0.0.1" port="{port}")\n'
        'template(name="raw" type="string" string="%rawmsg%\\n")\n'
        f'action(type="omfile" file="{kept}" template="raw")\n'
    )
    command = ["rsyslogd", "-n", "-f", configuration, "-i", folder / "rsyslog.pid"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: answers(port), seconds=20, what="the start of rsyslog")
        yield kept
    finally:
        process.terminate()
        process.wait(10)


def lines(kept: Path) -> list[str]:
    return [line for line in kept.read_text().splitlines() if "AuditMessage" in line] if kept.exists() else []


def test_rsyslog_takes_the_messages_as_they_are(tmp_path: Path) -> None:
    port = free_port()
    with rsyslog(tmp_path, port) as kept:
        repository = SyslogRepository("127.0.0.1", port, speaker=SPEAKER, tls=None)
        for number in range(3):
            repository.send(record(number))
        wait_until(lambda: len(lines(kept)) == 3, seconds=10, what="three messages in rsyslog's file")
        repository.close()
    first = lines(kept)[0]
    assert first.startswith("<85>1 2026-01-02T03:04:05.000Z host.example connector-")
    assert " DICOM+RFC3881 - " in first
    assert first.endswith("</AuditMessage>")


def bench_with(tmp_path: Path, *names: str) -> Bench:
    return make_bench(f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path, audit_repositories=names)


def test_events_wait_in_the_ledger_while_the_repository_is_away_and_come_in_order(tmp_path: Path) -> None:
    bench, port = bench_with(tmp_path, "syslog"), free_port()
    repository = SyslogRepository("127.0.0.1", port, speaker=SPEAKER, tls=None)
    forwarder = Forwarder(bench.ledger.trail, {"syslog": repository}, NO_LOCK)
    for name in ("alice", "bob"):
        bench.desk.audit(kind="viewed", ref="1.2.3", actor=name)
    assert forwarder.run() == 0
    assert bench.ledger.trail.waiting()["syslog"][0] == 2
    with rsyslog(tmp_path, port) as kept:
        assert forwarder.run() == 2
        wait_until(lambda: len(lines(kept)) == 2, seconds=10, what="both events")
        assert ['UserID="alice"' in line for line in lines(kept)] == [True, False]
    assert forwarder.run() == 0, "what was taken is not sent again"
    bench.desk.audit(kind="viewed", ref="1.2.3", actor="carol")
    assert forwarder.run() == 0, "the connection that was kept is seen to be closed"
    with rsyslog(tmp_path, port) as kept:
        assert forwarder.run() == 1
        wait_until(lambda: len(lines(kept)) == 3, seconds=10, what="the third event")
    repository.close()
    bench.inbox.close()


@dataclass
class Repository:
    """A repository that fails as told and remembers what it took."""

    faults: list[Exception | None] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)

    def send(self, told: AuditRecord) -> None:
        fault = self.faults.pop(0) if self.faults else None
        if fault:
            raise fault
        self.taken.append(told.actor)


def test_one_repository_that_is_away_does_not_hold_up_the_other(tmp_path: Path) -> None:
    bench = bench_with(tmp_path, "fhir", "syslog")
    bench.desk.audit(kind="viewed", ref="1.2.3", actor="alice")
    away, here = Repository([TryLater("busy")]), Repository()
    forwarder = Forwarder(bench.ledger.trail, {"fhir": away, "syslog": here}, NO_LOCK)
    assert forwarder.run() == 1
    assert (away.taken, here.taken) == ([], ["alice"])
    assert forwarder.run() == 1
    assert (away.taken, here.taken) == (["alice"], ["alice"])
    bench.inbox.close()


def test_an_event_that_is_refused_for_good_holds_up_no_other_and_is_told(tmp_path: Path) -> None:
    bench = bench_with(tmp_path, "fhir")
    for name in ("alice", "bob"):
        bench.desk.audit(kind="viewed", ref="1.2.3", actor=name)
    repository = Repository([Refused("AuditEvent is not supported")])
    assert Forwarder(bench.ledger.trail, {"fhir": repository}, NO_LOCK).run() == 2
    assert repository.taken == ["bob"]
    assert bench.desk.status()["events"][0]["kind"] == "audit_refused"
    bench.inbox.close()


def test_a_crash_between_sending_and_noting_sends_again(tmp_path: Path) -> None:
    bench = bench_with(tmp_path, "fhir")
    bench.desk.audit(kind="viewed", ref="1.2.3", actor="alice")
    repository = Repository()
    trail = bench.ledger.trail
    (due,) = trail.due("fhir")
    repository.send(due)  # and here the process dies
    assert Forwarder(trail, {"fhir": repository}, NO_LOCK).run() == 1
    assert repository.taken == ["alice", "alice"], "at least once"
    bench.inbox.close()


@contextmanager
def tls_receiver(folder: Path) -> Iterator[tuple[int, ssl.SSLContext, list[bytes]]]:
    """A TLS receiver with a certificate of its own; yields its port, what trusts it, and the frames it got."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=audit", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listening = socket.create_server(("127.0.0.1", 0))
    frames: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                plain, _ = listening.accept()
                with context.wrap_socket(plain, server_side=True) as connection, connection.makefile("rb") as stream:
                    while size := b"".join(iter(lambda: stream.read(1).strip(b" "), b"")):
                        frames.append(stream.read(int(size)))
            except ssl.SSLError:
                continue
            except OSError:
                return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1], ssl.create_default_context(cafile=str(certificate)), frames
    finally:
        listening.close()


def test_frames_are_counted_in_octets_over_tls(tmp_path: Path) -> None:
    with tls_receiver(tmp_path) as (port, trust, frames):
        repository = SyslogRepository("127.0.0.1", port, speaker=SPEAKER, tls=trust)
        repository.send(record(1))
        repository.send(record(2))
        wait_until(lambda: len(frames) == 2, seconds=10, what="two frames")
        repository.close()
    assert all(frame.startswith(b"<85>1 ") and frame.endswith(b"</AuditMessage>") for frame in frames)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_repository_that_is_not_trusted_gets_nothing(tmp_path: Path, name: str) -> None:
    with tls_receiver(tmp_path) as (port, trust, frames):
        context = ssl.create_default_context() if name == "127.0.0.1" else trust  # another CA; or another name
        repository = SyslogRepository(name, port, speaker=SPEAKER, tls=context)
        with pytest.raises(TryLater, match="does not take messages"):
            repository.send(record())
        assert frames == []
