"""Sends audit messages by syslog over TLS or TCP (RFC 5424, 5425, 6587), as IHE ATNA asks: one connection, kept."""

import fcntl
import os
import socket
import ssl
import struct
import termios
import threading
import time

from connector import __version__
from connector.audit import Speaker
from connector.core.errors import TryLater
from connector.dicom.write_audit import audit_message
from connector.ports import AuditRecord
from connector.unreached import why_unreached

_SECURITY_NOTICE = 10 * 8 + 5  # PS3.15, A.6: facility 10 (security), severity notice
_CONNECT_SECONDS = 5.0


class SyslogRepository:
    """
    An ATNA audit record repository.

    Syslog has no answer of its own, so a message counts as sent when the other machine's TCP has acknowledged every
    byte of it (Linux); a connection that the other side has closed is noticed before the next message is written. TCP
    without TLS is for a relay on this machine.
    """

    def __init__(self, host: str, port: int, *, speaker: Speaker, tls: ssl.SSLContext | None) -> None:
        self._address = (host, port)
        self._speaker = speaker
        self._tls = tls
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def send(self, record: AuditRecord) -> None:
        """Send one message. Raises TryLater."""
        message = syslog_message(record, self._speaker)
        with self._lock:
            try:
                connection = self._open()
                connection.sendall(b"%d %b" % (len(message), message))
                _wait_until_acknowledged(connection)
            except OSError as fault:
                self._close()
                raise TryLater(f"the audit repository does not take messages ({type(fault).__name__})") from fault

    def check(self) -> None:
        """Open the connection, with TLS where that is set. Raises TryLater with why it cannot be."""
        with self._lock:
            try:
                self._open()
            except OSError as fault:
                why = why_unreached(fault, ca_setting="CONNECTOR_AUDIT_SYSLOG_CA_FILE") or type(fault).__name__
                raise TryLater(f"the audit repository does not answer ({why}): check CONNECTOR_AUDIT_SYSLOG") from None
            finally:
                self._close()

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._close()

    def _open(self) -> socket.socket:
        if self._socket is not None and _is_closed(self._socket):
            self._close()
        if self._socket is None:
            plain = socket.create_connection(self._address, _CONNECT_SECONDS)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                self._socket = self._tls.wrap_socket(plain, server_hostname=self._address[0]) if self._tls else plain
            except OSError:
                plain.close()
                raise
        return self._socket

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _is_closed(connection: socket.socket) -> bool:
    """Whether the other side has hung up: a repository sends nothing, so anything to read is its goodbye."""
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(_CONNECT_SECONDS)


def _wait_until_acknowledged(connection: socket.socket) -> None:
    end = time.monotonic() + _CONNECT_SECONDS
    while _unacknowledged_bytes(connection):
        if time.monotonic() > end:
            raise TimeoutError("the message was not acknowledged")
        time.sleep(0.002)


def _unacknowledged_bytes(connection: socket.socket) -> int:
    (count,) = struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0" * 4))
    return int(count)


def syslog_message(record: AuditRecord, speaker: Speaker) -> bytes:
    """The syslog message: a header of RFC 5424 with the ID of PS3.15, A.6, no structured data, a BOM, the XML."""
    at = record.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    header = f"<{_SECURITY_NOTICE}>1 {at} {speaker.host} connector-{__version__} {os.getpid()} DICOM+RFC3881 - "
    return header.encode("ascii") + b"\xef\xbb\xbf" + audit_message(record, speaker)
