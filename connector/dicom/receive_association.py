"""
One association from connection to end, as acceptor, in one thread that sleeps in the kernel until octets arrive.

pynetdicom reads and writes what is negotiated; its own acceptor polls every millisecond in two threads for each
association, which costs more than half of the time of a transfer and processor time also while nothing comes.
"""

import io
import socket
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from pydicom import Dataset
from pynetdicom.dsutils import decode, encode

from connector.dicom import receive_wire as wire
from connector.dicom.receive_negotiation import Admission, Context, Doorkeeper
from connector.dicom.receive_wire import Command, WireFault
from connector.dicom.store_file import Incoming
from connector.logs import get_logger

log = get_logger("dicom.receive")

C_STORE, C_FIND, C_ECHO, C_CANCEL = 0x0001, 0x0020, 0x0030, 0x0FFF
N_EVENT_REPORT, N_GET, N_SET, N_ACTION, N_CREATE = 0x0100, 0x0110, 0x0120, 0x0130, 0x0140
_REQUESTS = frozenset({C_FIND, N_GET, N_SET, N_ACTION, N_CREATE})
_PENDING = 0xFF00
_SUCCESS = 0x0000
_UNRECOGNISED_OPERATION = 0x0211
_LARGEST_COMMAND_BYTES = 64 * 1024
_LARGEST_INFORMATION_BYTES = 64 * 2**20
_RELEASE_SECONDS = 2.0
_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux only


@dataclass(slots=True, eq=False)
class Session:
    """One association as the ledger and the log know it."""

    association_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    began: float = field(default_factory=time.monotonic)
    calling_ae_title: str = ""
    called_ae_title: str = ""
    announced: bool = False
    stored: int = 0
    state: str = "open"  # then rejected, released, aborted, or dropped: no word of farewell


@dataclass(frozen=True, slots=True)
class Answer:
    """The status of a service, and for people why."""

    status: int
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """An N-EVENT-REPORT to send on the association that its request came on."""

    sop_class_uid: str
    sop_instance_uid: str
    event_type: int
    information: Dataset


@dataclass(frozen=True, slots=True)
class Reply:
    """What a request is answered with, besides the status: attributes, matches before it, a report after it."""

    answer: Answer
    attributes: Dataset | None = None
    sop_instance_uid: str = ""  # of what was created
    matches: Sequence[Dataset] = ()
    report: Report | None = None


class Services(Protocol):
    """What is done with the messages of an association."""

    def begin_store(self, session: Session, command: Command, context: Context) -> Incoming:
        """Make the place that a data set is collected in."""

    def store(self, session: Session, command: Command, context: Context, incoming: Incoming) -> Answer:
        """Store an instance (C-STORE)."""

    def request(self, session: Session, command: Command, context: Context, information: Dataset) -> Reply:
        """Answer a C-FIND, N-GET, N-SET, N-ACTION or N-CREATE."""

    def event(self, session: Session, command: Command, information: Dataset) -> Answer:
        """Take a report (N-EVENT-REPORT)."""


class Acceptor:
    """The acceptor's side of one association."""

    def __init__(
        self,
        connection: socket.socket,
        session: Session,
        services: Services,
        *,
        doorkeeper: Doorkeeper,
        is_full: Callable[[], bool],
        handshake_seconds: float,
        idle_seconds: float,
    ) -> None:
        self._connection = connection
        self._session = session
        self._services = services
        self._doorkeeper = doorkeeper
        self._is_full = is_full
        self._handshake_seconds = handshake_seconds
        self._idle_seconds = idle_seconds
        self._reader = wire.PduReader(connection)
        self._command = bytearray()
        self._message: _Message | None = None
        self._admission: Admission | None = None

    def run(self) -> None:
        """Serve the association to its end. Whatever the peer does ends only this association."""
        try:
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._acknowledge_promptly()
            if self._negotiate():
                self._serve()
        except WireFault as fault:
            self._abort(str(fault), fault.reason)
        except TimeoutError:
            if self._admission is not None:  # before that, PS3.8 only closes (table 9-10, AA-2)
                self._abort("the sender fell silent")
        except OSError:
            log.info("connection_lost", association_id=self._session.association_id)
        finally:
            if self._message is not None:
                self._message.close()

    def abort(self) -> None:
        """End the association from another thread."""
        self._abort("we are stopping")
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def _negotiate(self) -> bool:
        pdu = self._reader.read(self._handshake_seconds)
        if pdu is None:
            return False
        kind, body = pdu
        if kind != wire.ASSOCIATE_RQ:
            raise WireFault("no request for an association", wire.UNEXPECTED_PDU)
        header = bytes([kind, 0]) + len(body).to_bytes(4, "big")
        admission = self._doorkeeper.admit(header + bytes(body), full=self._is_full())
        self._session.calling_ae_title = admission.calling_ae_title
        self._session.called_ae_title = admission.called_ae_title
        self._send(admission.answer)
        if not admission.accepted:
            self._session.state = "rejected"
            log.warning(
                "association_rejected",
                association_id=self._session.association_id,
                calling_ae_title=admission.calling_ae_title,
                called_ae_title=admission.called_ae_title,
                reason=admission.why_rejected,
            )
            self._await_close()
            return False
        self._admission = admission
        return True

    def _serve(self) -> None:
        while True:
            pdu = self._reader.read(self._idle_seconds)
            if pdu is None:
                return
            kind, body = pdu
            if kind == wire.P_DATA:
                for context, is_command, is_last, octets in wire.data_values(body):
                    self._take(context, octets, is_command=is_command, is_last=is_last)
            elif kind == wire.RELEASE_RQ:
                self._session.state = "released"
                self._send(wire.RELEASE_ANSWER)
                self._await_close()
                return
            elif kind == wire.ABORT:
                self._session.state = "aborted"
                return
            else:
                raise WireFault("a PDU that has no place in an association", wire.UNEXPECTED_PDU)

    def _take(self, context_id: int, octets: memoryview, *, is_command: bool, is_last: bool) -> None:
        """Take one value of a message; serve the message when it is complete."""
        if is_command:
            if self._message is not None or len(self._command) + len(octets) > _LARGEST_COMMAND_BYTES:
                raise WireFault("a command inside a data set, or one without end", wire.INVALID_PARAMETER)
            self._command += octets
            if not is_last:
                return
            self._message = self._begin(context_id, wire.read_command(self._command))
            self._command.clear()
            is_last = not self._message.command.has_data_set
        elif self._message is None or self._message.context_id != context_id:
            raise WireFault("a data set without its command", wire.INVALID_PARAMETER)
        else:
            self._message.write(octets)
        if is_last:
            message, self._message = self._message, None
            try:
                self._answer(message)
            finally:
                message.close()

    def _begin(self, context_id: int, command: Command) -> "_Message":
        assert self._admission is not None  # noqa: S101 - messages are read in an association only
        context = self._admission.contexts.get(context_id)
        if context is None:
            raise WireFault("a message in a context that was not accepted", wire.INVALID_PARAMETER)
        if command.number(wire.COMMAND_FIELD) == C_STORE:
            return _Message(context_id, context, command, self._services.begin_store(self._session, command, context))
        return _Message(context_id, context, command, io.BytesIO())

    def _answer(self, message: "_Message") -> None:
        command = message.command
        kind = command.number(wire.COMMAND_FIELD)
        if kind & wire.ANSWER:
            status = command.number(wire.STATUS)
            log.info("report_answered", association_id=self._session.association_id, status=f"{status:04X}")
            return
        if kind == C_CANCEL:  # there is nothing that could be cancelled
            return
        if kind == C_STORE and isinstance(message.data_set, Incoming):
            answer = self._services.store(self._session, command, message.context, message.data_set)
        elif kind == C_ECHO:
            answer = Answer(_SUCCESS)
        elif kind in _REQUESTS:
            information = message.information() if command.has_data_set else Dataset()
            self._reply(message, self._services.request(self._session, command, message.context, information))
            return
        elif kind == N_EVENT_REPORT:
            answer = self._services.event(self._session, command, message.information())
        else:
            answer = Answer(_UNRECOGNISED_OPERATION)
        self._send(
            wire.encode_message(message.context_id, wire.encode_answer(command, answer.status, comment=answer.comment))
        )

    def _reply(self, message: "_Message", reply: Reply) -> None:
        for match in reply.matches:
            answer = wire.encode_answer(message.command, _PENDING, has_data_set=True)
            self._send_with(message, answer, match)
        answer = wire.encode_answer(
            message.command, reply.answer.status, comment=reply.answer.comment,
            sop_instance_uid=reply.sop_instance_uid, has_data_set=reply.attributes is not None,
        )  # fmt: skip
        self._send_with(message, answer, reply.attributes)
        if reply.report is not None:
            self._send_report(message, reply.report)

    def _send_with(self, message: "_Message", command: bytes, data_set: Dataset | None) -> None:
        """Send a command, with its data set if it has one."""
        assert self._admission is not None  # noqa: S101 - messages are read in an association only
        octets: bytes | None = b""
        if data_set is not None:
            octets = encode(data_set, *_encoding(message.context.transfer_syntax))
        if octets is None:
            raise WireFault("our own message could not be encoded")
        largest = self._admission.largest_pdu_bytes
        self._send(wire.encode_message(message.context_id, command, octets, largest=largest))

    def _send_report(self, message: "_Message", report: Report) -> None:
        command = wire.encode_command({
            wire.AFFECTED_SOP_CLASS: report.sop_class_uid,
            wire.COMMAND_FIELD: N_EVENT_REPORT,
            wire.MESSAGE_ID: 1,
            wire.DATA_SET_TYPE: 0,
            wire.AFFECTED_SOP_INSTANCE: report.sop_instance_uid,
            wire.EVENT_TYPE: report.event_type,
        })  # fmt: skip
        self._send_with(message, command, report.information)

    def _send(self, octets: bytes) -> None:
        self._connection.settimeout(self._idle_seconds)
        self._connection.sendall(octets)
        self._acknowledge_promptly()

    def _acknowledge_promptly(self) -> None:
        """
        Ask the kernel not to delay the next acknowledgement; it forgets after a while, so after every send.

        Senders with Nagle's algorithm on (DCMTK since 3.6.2) stall 40 ms and more on each object otherwise.
        """
        if _QUICK_ACK is not None:
            self._connection.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)

    def _abort(self, reason: str, code: int = 0) -> None:
        self._session.state = "aborted"
        log.warning("association_aborted", association_id=self._session.association_id, reason=reason)
        with suppress(OSError):
            self._connection.settimeout(_RELEASE_SECONDS)
            self._connection.sendall(wire.encode_abort(code))

    def _await_close(self) -> None:
        """Let the peer close first, so that our last words are not lost to a reset."""
        with suppress(OSError, WireFault):
            self._reader.read(_RELEASE_SECONDS)


@dataclass(slots=True)
class _Message:
    """A message on its way in."""

    context_id: int
    context: Context
    command: Command
    data_set: io.BytesIO | Incoming

    def write(self, octets: memoryview) -> None:
        self.data_set.write(octets)
        if isinstance(self.data_set, io.BytesIO) and self.data_set.tell() > _LARGEST_INFORMATION_BYTES:
            raise WireFault("a message that is not a C-STORE is larger than it may be", wire.INVALID_PARAMETER)

    def information(self) -> Dataset:
        """The decoded data set of an N-ACTION or N-EVENT-REPORT."""
        implicit, little = _encoding(self.context.transfer_syntax)
        assert isinstance(self.data_set, io.BytesIO)  # noqa: S101 - what is stored is never decoded here
        try:
            return decode(self.data_set, implicit, little)
        except Exception as fault:  # pydicom raises whatever the octets lead it to
            raise WireFault("the data set of a message cannot be read", wire.INVALID_PARAMETER) from fault

    def close(self) -> None:
        self.data_set.close()


def _encoding(transfer_syntax_uid: str) -> tuple[bool, bool]:
    """Whether implicit, whether little endian: the contexts of our own services are never compressed."""
    return transfer_syntax_uid == "1.2.840.10008.1.2", transfer_syntax_uid != "1.2.840.10008.1.2.2"
