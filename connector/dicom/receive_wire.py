"""The octets of an association (PS3.8 section 9.3, PS3.7 section 6.3): PDUs in, commands both ways."""

import socket
import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

# PDU types, PS3.8 section 9.3.1.
ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)

# Fields of the command set, PS3.7 annex E.
GROUP_LENGTH = 0x0000
AFFECTED_SOP_CLASS, REQUESTED_SOP_CLASS = 0x0002, 0x0003
COMMAND_FIELD, MESSAGE_ID, ANSWERED_MESSAGE_ID = 0x0100, 0x0110, 0x0120
DATA_SET_TYPE, STATUS, ERROR_COMMENT = 0x0800, 0x0900, 0x0902
AFFECTED_SOP_INSTANCE, REQUESTED_SOP_INSTANCE = 0x1000, 0x1001
EVENT_TYPE, ACTION_TYPE = 0x1002, 0x1008
ATTRIBUTE_LIST, MOVE_ORIGINATOR = 0x1005, 0x1030
NO_DATA_SET = 0x0101
ANSWER = 0x8000  # set in the command field of every response
_SUCCESS = 0x0000

_TEXTS = frozenset({
    AFFECTED_SOP_CLASS, REQUESTED_SOP_CLASS, AFFECTED_SOP_INSTANCE, REQUESTED_SOP_INSTANCE, ERROR_COMMENT,
    MOVE_ORIGINATOR,
})  # fmt: skip

# Our maximum PDU is 128 KiB; A-ASSOCIATE-RQ and careless senders may exceed it a little, an attack by gigabytes.
MAXIMUM_PDU_BYTES = 128 * 1024  # measured: larger and unlimited PDUs are slower
_LARGEST_PDU_BYTES = 2**20
_BUFFER_BYTES = 64 * 1024
_READ_AHEAD_BYTES = 256 * 1024
_HEADER = struct.Struct(">BxL")
_ITEM = struct.Struct(">LBB")
_ELEMENT = struct.Struct("<HHL")


class WireFault(Exception):
    """The peer broke the protocol: the association is aborted with this provider reason (PS3.8, table 9-26)."""

    def __init__(self, message: str, reason: int = 0) -> None:
        super().__init__(message)
        self.reason = reason


UNRECOGNISED_PDU, UNEXPECTED_PDU, INVALID_PARAMETER = 1, 2, 6


class PduReader:
    """Reads PDUs of a bounded size in a bounded time, ahead of need, into one buffer."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = bytearray(_BUFFER_BYTES)
        self._start = 0
        self._end = 0

    def read(self, seconds: float) -> tuple[int, memoryview] | None:
        """
        Type and body of the next PDU, or None when the peer closed the connection; valid until the next call.

        Raises TimeoutError when it does not begin, or is not complete, within the given seconds, WireFault, OSError.
        """
        deadline = time.monotonic() + seconds
        if not self._fill(_HEADER.size, deadline):
            return None
        kind, length = _HEADER.unpack_from(self._buffer, self._start)
        if not ASSOCIATE_RQ <= kind <= ABORT:
            raise WireFault("a PDU of an unknown type", UNRECOGNISED_PDU)
        if length > _LARGEST_PDU_BYTES:
            raise WireFault(f"a PDU of {length} bytes: more than any sender may send", INVALID_PARAMETER)
        if not self._fill(_HEADER.size + length, max(deadline, time.monotonic() + seconds)):
            return None
        begin = self._start + _HEADER.size
        self._start = begin + length
        return kind, memoryview(self._buffer)[begin : self._start]

    def _fill(self, count: int, deadline: float) -> bool:
        """Have so many octets in the buffer; False when the peer closed before."""
        self._make_room(count)
        with memoryview(self._buffer) as view:
            while self._end - self._start < count:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError("the sender takes too long for one PDU")
                self._connection.settimeout(left)
                got = self._connection.recv_into(view[self._end :])
                if not got:
                    return False
                self._end += got
        return True

    def _make_room(self, count: int) -> None:
        if self._start == self._end:
            self._start = self._end = 0
        if self._start + count <= len(self._buffer):
            return
        rest = self._buffer[self._start : self._end]
        if count > len(self._buffer):
            # A new buffer, not a larger one: views of the old one may still be alive.
            self._buffer = bytearray(max(count, _READ_AHEAD_BYTES))
        self._buffer[: len(rest)] = rest
        self._start, self._end = 0, len(rest)


def data_values(body: memoryview) -> Iterator[tuple[int, bool, bool, memoryview]]:
    """The values of a P-DATA PDU: context, whether of the command, whether the last of it, octets."""
    position = 0
    while position < len(body):
        if len(body) - position < _ITEM.size:
            raise WireFault("a P-DATA ends inside an item", INVALID_PARAMETER)
        length, context, control = _ITEM.unpack_from(body, position)
        end = position + 4 + length
        if length < 2 or end > len(body):  # noqa: PLR2004 - context and control are in every item
            raise WireFault("an item of a P-DATA is longer than its PDU", INVALID_PARAMETER)
        yield context, bool(control & 1), bool(control & 2), body[position + _ITEM.size : end]
        position = end


@dataclass(frozen=True, slots=True)
class Command:
    """A command set; absent fields are 0 or empty."""

    fields: Mapping[int, int | str]

    def number(self, field: int) -> int:
        """A numeric field."""
        value = self.fields.get(field, 0)
        return value if isinstance(value, int) else 0

    def text(self, field: int) -> str:
        """A UID or text."""
        value = self.fields.get(field, "")
        return value if isinstance(value, str) else ""

    @property
    def has_data_set(self) -> bool:
        """Whether a data set follows."""
        return self.number(DATA_SET_TYPE) != NO_DATA_SET


def read_command(octets: bytes | bytearray) -> Command:
    """Read a command set (implicit VR little endian). Raises WireFault."""
    fields: dict[int, int | str] = {}
    position = 0
    while position < len(octets):
        if len(octets) - position < _ELEMENT.size:
            raise WireFault("a command set ends inside an element", INVALID_PARAMETER)
        group, element, length = _ELEMENT.unpack_from(octets, position)
        position += _ELEMENT.size
        value = octets[position : position + length]
        position += length
        if group != 0 or position > len(octets):
            raise WireFault("a command set holds what is no command element", INVALID_PARAMETER)
        if element == ATTRIBUTE_LIST:
            tags = struct.unpack(f"<{len(value) // 2}H", value[: len(value) // 4 * 4])
            fields[element] = ",".join(f"{tags[at]:04X}{tags[at + 1]:04X}" for at in range(0, len(tags) - 1, 2))
        elif element in _TEXTS:
            fields[element] = value.decode("ascii", "replace").strip("\0 ")
        elif length == 2:  # noqa: PLR2004 - US; other lengths are fields that nobody reads here
            fields[element] = int.from_bytes(value, "little")
    if not fields.get(COMMAND_FIELD):
        raise WireFault("a command set without a command", INVALID_PARAMETER)
    return Command(fields)


def encode_command(fields: Mapping[int, int | str]) -> bytes:
    """Encode a command set, with its group length, in the order of its elements."""
    elements = []
    for field in sorted(fields):
        value = fields[field]
        if isinstance(value, int):
            octets = value.to_bytes(2, "little")
        else:
            octets = value.encode("ascii", "replace")
            octets += (b" " if field == ERROR_COMMENT else b"\0") * (len(octets) % 2)
        elements.append(_ELEMENT.pack(0, field, len(octets)) + octets)
    group = b"".join(elements)
    return _ELEMENT.pack(0, GROUP_LENGTH, 4) + struct.pack("<L", len(group)) + group


def encode_answer(
    command: Command, status: int, *, comment: str = "", sop_instance_uid: str = "", has_data_set: bool = False
) -> bytes:
    """The response to a command; `sop_instance_uid` is that of what was created, else the command's."""
    fields: dict[int, int | str] = {
        COMMAND_FIELD: command.number(COMMAND_FIELD) | ANSWER,
        ANSWERED_MESSAGE_ID: command.number(MESSAGE_ID),
        DATA_SET_TYPE: 0 if has_data_set else NO_DATA_SET,
        STATUS: status,
    }
    named = command.text(AFFECTED_SOP_INSTANCE) or command.text(REQUESTED_SOP_INSTANCE)
    texts = {
        AFFECTED_SOP_CLASS: command.text(AFFECTED_SOP_CLASS) or command.text(REQUESTED_SOP_CLASS),
        AFFECTED_SOP_INSTANCE: sop_instance_uid or named,
        ERROR_COMMENT: comment,
    }
    fields |= {number: text for number, text in texts.items() if text}
    if status == _SUCCESS:
        repeated = (ACTION_TYPE, EVENT_TYPE)
        fields |= {number: command.number(number) for number in repeated if number in command.fields}
    return encode_command(fields)


def encode_message(context: int, command: bytes, data_set: bytes = b"", *, largest: int = 0) -> bytes:
    """A message as P-DATA PDUs; `largest` is what the peer takes in one PDU, 0 for any."""
    room = (largest or MAXIMUM_PDU_BYTES) - _ITEM.size
    parts = [*_fragments(command, room, control=1)]
    if data_set:
        parts += _fragments(data_set, room, control=0)
    return b"".join(
        _HEADER.pack(P_DATA, len(octets) + _ITEM.size) + _ITEM.pack(len(octets) + 2, context, control) + octets
        for control, octets in parts
    )


def _fragments(octets: bytes, room: int, *, control: int) -> Iterator[tuple[int, bytes]]:
    for at in range(0, len(octets), room):
        last = at + room >= len(octets)
        yield control | (2 if last else 0), octets[at : at + room]


RELEASE_ANSWER = _HEADER.pack(RELEASE_RP, 4) + bytes(4)


def encode_abort(reason: int) -> bytes:
    """An A-ABORT by the service provider."""
    return _HEADER.pack(ABORT, 4) + bytes([0, 0, 2, reason])


def encode_rejection(result: int, source: int, reason: int) -> bytes:
    """An A-ASSOCIATE-RJ, PS3.8 table 9-21."""
    return _HEADER.pack(ASSOCIATE_RJ, 4) + bytes([0, result, source, reason])
