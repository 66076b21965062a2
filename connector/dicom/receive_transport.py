"""Where pynetdicom meets the socket: handshakes off the accept loop, bounded reads, prompt acknowledgements."""

import queue
import socket
import socketserver
import ssl
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pynetdicom import evt
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from connector.dicom.receive_intake import Intake, file_meta
from connector.dicom.store_file import Incoming
from connector.logs import get_logger

if TYPE_CHECKING:
    from pynetdicom.association import Association
    from pynetdicom.pdu_primitives import P_DATA

log = get_logger("dicom.receive")

# Our maximum PDU is 128 KiB; A-ASSOCIATE-RQ and careless senders may exceed it a little, an attack by gigabytes.
_LARGEST_PDU_BYTES = 2**20
# Connections that have not asked for an association yet; above the limit of associations, each costs two threads.
_CONNECTIONS_IN_WAITING = 64
_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux only


@dataclass(slots=True, eq=False)
class Session:
    """One association as the ledger knows it."""

    association_id: str
    began: float = field(default_factory=time.monotonic)
    announced: bool = False
    stored: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """What a server needs for every connection."""

    intake: Intake
    open_session: Callable[[], Session]
    close_session: Callable[[Session, "Association"], None]
    maximum_associations: int
    idle_seconds: float
    handshake_seconds: float
    tls: ssl.SSLContext | None
    reuse_port: bool


class Server(ThreadedAssociationServer):
    """An association server that survives slow, silent and hostile connections."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *arguments: Any, transport: Transport, **named: Any) -> None:
        self.transport = transport
        self._connections = 0
        self._lock = threading.Lock()
        named["request_handler"] = _Connection
        super().__init__(*arguments, **named)

    def server_bind(self) -> None:
        """Bind; with `reuse_port` the kernel spreads connections over all processes that listen."""
        if self.transport.reuse_port:
            assert self.socket is not None  # noqa: S101 - socketserver made it
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002 - socketserver's signature
        """Drop a connection above what all associations and a waiting room need."""
        with self._lock:
            return self._connections < self.transport.maximum_associations + _CONNECTIONS_IN_WAITING

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection to its end, in its own thread: a TLS handshake that stalls holds up nobody else."""
        with self._lock:
            self._connections += 1
        try:
            if self.transport.tls is not None:
                request.settimeout(self.transport.handshake_seconds)
                request = self.transport.tls.wrap_socket(request, server_side=True)
            request.settimeout(self.transport.idle_seconds)
            super().finish_request(request, client_address)
        finally:
            with self._lock:
                self._connections -= 1

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - socketserver's signature
        """Tell that a connection failed; socketserver would print a traceback."""
        log.warning("connection_failed", exception_type=getattr(sys.exc_info()[1], "__class__", type(None)).__name__)

    def shutdown(self) -> None:
        """Stop accepting and close the socket; pynetdicom's own expects a server that it started itself."""
        socketserver.BaseServer.shutdown(self)
        self.server_close()


class _Connection(RequestHandler):
    """One connection: an association with our socket and our DIMSE provider in it."""

    server: Server

    def handle(self) -> None:
        """Run the association and return when it has ended, in whatever way."""
        transport = self.server.transport
        session = transport.open_session()
        association = self._create_association()  # pynetdicom offers no public way to reach an association earlier
        association.dul.socket = _BoundedSocket.taking_over(association.dul.socket, transport.idle_seconds)
        dimse = _Dimse(association, transport.intake, session)
        association.dimse = dimse
        evt.trigger(association, evt.EVT_CONN_OPEN, {"address": self.client_address})
        try:
            association.start()
            association.join()
        finally:
            dimse.forget()
            transport.close_session(session, association)


class _BoundedSocket(AssociationSocket):
    """Reads a PDU straight into one buffer, of a bounded size and in a bounded time."""

    pdu_seconds: float

    @classmethod
    def taking_over(cls, accepted: Any, pdu_seconds: float) -> "_BoundedSocket":
        """The same socket in the same state; making another would announce the connection twice."""
        bounded = cls.__new__(cls)
        bounded.__dict__.update(accepted.__dict__, pdu_seconds=pdu_seconds)
        return bounded

    def recv(self, nr_bytes: int) -> bytearray:
        """Read so many bytes; fewer when the peer closed. Raises OSError on a stalled or an absurd PDU."""
        if nr_bytes > _LARGEST_PDU_BYTES:
            raise OSError(f"a PDU of {nr_bytes} bytes was announced: more than any sender may send")
        if self.socket is None:
            raise OSError("the connection is closed")
        deadline = time.monotonic() + self.pdu_seconds
        buffer = bytearray(nr_bytes)
        done = 0
        with memoryview(buffer) as view:
            while done < nr_bytes:
                count = self.socket.recv_into(view[done:])
                if not count:
                    break
                done += count
                if done < nr_bytes and time.monotonic() > deadline:
                    raise TimeoutError("the sender takes too long for one PDU")
        del buffer[done:]
        return buffer


class _Dimse(DIMSEServiceProvider):
    """Collects messages; the data set of a large object goes to disk while it arrives."""

    def __init__(self, association: "Association", intake: Intake, session: Session) -> None:
        super().__init__(association)
        self._intake = intake
        self.session = session

    def receive_primitive(self, primitive: "P_DATA") -> None:
        """Take one P-DATA; one that is not DICOM aborts the association instead of killing its thread."""
        if self.message is None:
            message = DIMSEMessage()
            message.data_set = self._intake.begin_later(lambda: self._file_meta(message))
            self.message = message
        try:
            super().receive_primitive(primitive)
        except Exception as fault:  # noqa: BLE001 - whatever bytes from outside cause ends this association only
            log.warning("message_unreadable", exception_type=type(fault).__name__)
            self.dul.event_queue.put("Evt19")

    def forget(self) -> None:
        """Drop what came in but was never answered."""
        if self.message is not None and self.message.data_set is not None:
            self.message.data_set.close()
        while True:
            try:
                _, message = self.msg_queue.get_nowait()
            except queue.Empty:
                return
            data_set = getattr(message, "DataSet", None)
            if isinstance(data_set, Incoming):
                data_set.close()

    def _file_meta(self, message: DIMSEMessage) -> bytes:
        context = self.assoc._accepted_cx.get(message.context_id or 0)  # noqa: SLF001 - the public list is sorted on each call
        return file_meta(
            sop_class_uid=message.command_set.get("AffectedSOPClassUID", ""),
            sop_instance_uid=message.command_set.get("AffectedSOPInstanceUID", ""),
            transfer_syntax_uid=context.transfer_syntax[0] if context else "",
            source_ae_title=self.assoc.requestor.ae_title,
        )


def acknowledge_promptly(event: Any) -> None:
    """
    Ask the kernel not to delay the next acknowledgement; bound to EVT_CONN_OPEN and EVT_DATA_SENT.

    Senders with Nagle's algorithm on (DCMTK since 3.6.2) stall 40 ms and more on each object otherwise.
    """
    wrapped = event.assoc.dul.socket
    if _QUICK_ACK is not None and wrapped is not None and wrapped.socket is not None:
        try:
            wrapped.socket.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)
        except OSError:
            return  # the connection just closed; the reader notices
