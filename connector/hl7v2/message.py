"""Reads an HL7 v2 message: characters as the sender declares them, fields by place, and faults with their place."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import hl7

# HL7 table 0211 to Python's names.
CHARSETS = {
    "ASCII": "ascii",
    **{f"8859/{part}": f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)},
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "ISO IR14": "shift_jis",
    "ISO IR87": "iso2022_jp",
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc_kr",
    "CNS 11643-1992": "big5",
}
_HEADERS = ("MSH", "BHS", "FHS")
_SHORTEST_HEADER = 8  # MSH|^~\&


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a message: segment, which one of its kind, field (HL7 data type ERL)."""

    segment: str
    number: int = 1
    field: int | None = None
    component: int | None = None


# HL7 table 0357, message error condition codes.
CONDITIONS = {
    100: "Segment sequence error",
    101: "Required field missing",
    102: "Data type error",
    103: "Table value not found",
    200: "Unsupported message type",
    201: "Unsupported event code",
    202: "Unsupported processing id",
    203: "Unsupported version id",
    207: "Application internal error",
}


class BadMessage(Exception):
    """
    The message cannot be taken: `rejects` when its kind or its sender is the reason (AR), else its content (AE).

    The text names the place and what to do, and holds nothing of the patient.
    """

    def __init__(self, condition: int, says: str, place: Place | None = None, *, rejects: bool = False) -> None:
        super().__init__(says)
        self.condition = condition
        self.says = says
        self.place = place
        self.rejects = rejects


@dataclass(frozen=True, slots=True)
class Header:
    """What MSH says; texts are unescaped, fields with components stand as their parts."""

    sending: tuple[str, str]  # application, facility
    receiving: tuple[str, str]
    message_type: str
    trigger: str
    control_id: str
    processing_id: str
    version: str
    accept_when: str  # MSH-15
    apply_when: str  # MSH-16
    charset: str  # MSH-18 as sent

    @property
    def is_enhanced(self) -> bool:
        """Whether the sender asks for acknowledgements in enhanced mode."""
        return bool(self.accept_when or self.apply_when)


class Segments:
    """One message, its segments in order."""

    def __init__(self, message: hl7.Message) -> None:
        self._message = message
        self.header = _header(message)

    def __iter__(self) -> Iterator[tuple[str, int, hl7.Segment]]:
        """Name, number among its kind, and segment."""
        counts: dict[str, int] = {}
        for segment in self._message:
            name = str(segment[0])
            counts[name] = counts.get(name, 0) + 1
            yield name, counts[name], segment


def text(segment: hl7.Segment, field: int, component: int = 1, subcomponent: int = 1, *, repetition: int = 1) -> str:
    """One value, unescaped; empty when it is not there or the HL7 null."""
    try:
        value = segment.extract_field(1, field, repetition, component, subcomponent)
    except (IndexError, KeyError, ValueError):
        return ""  # the tree ends before the place: nothing was sent
    found = "" if value is None else str(value).strip()
    return "" if found == '""' else found


def repetitions(segment: hl7.Segment, field: int) -> int:
    """How many repetitions a field has, none when it is not there."""
    return len(segment[field]) if field < len(segment) else 0


def decode(block: bytes, default_charset: str) -> str:
    """
    The text of a block in the character set of its MSH-18, else in the default.

    Segments end with a carriage return; those of senders that end them otherwise are put right. Raises BadMessage.
    """
    if block[:3] not in (b"MSH", b"BHS", b"FHS") or len(block) < _SHORTEST_HEADER:
        raise BadMessage(100, "the block does not begin with MSH, BHS or FHS", Place("MSH"))
    declared = _declared_charset(block)
    codec = CHARSETS.get(declared) if declared else default_charset
    if codec is None:
        raise BadMessage(103, "MSH-18 names a character set that is not known: send UNICODE UTF-8", Place("MSH", 1, 18))
    try:
        found = block.decode(codec)
    except UnicodeDecodeError:
        says = f"the characters are not {declared or default_charset}: declare them in MSH-18"
        raise BadMessage(102, says, Place("MSH", 1, 18)) from None
    return found.replace("\r\n", "\r").replace("\n", "\r").strip("\r ") + "\r"


def messages_in(decoded: str) -> Sequence[str]:
    """The messages of a block: one, or those of a batch or a file of batches."""
    if decoded.startswith("MSH") and f"\rMSH{decoded[3]}" not in decoded:
        return [decoded]
    return list(hl7.split_file(decoded))


def parse(decoded: str) -> Segments:
    """One message as segments. Raises BadMessage."""
    try:
        return Segments(hl7.parse(decoded))
    except (hl7.HL7Exception, ValueError, IndexError, KeyError, AssertionError) as fault:
        raise BadMessage(100, f"the message cannot be read ({type(fault).__name__})", Place("MSH")) from None


def _declared_charset(block: bytes) -> str:
    """MSH-18 of the first message header, read before anything is decoded: it is ASCII in every set that is allowed."""
    start = block.find(b"MSH")
    header = block[start:].replace(b"\n", b"\r").split(b"\r", 1)[0]
    fields = header.split(header[3:4])
    first = fields[17].split(b"~")[0].strip() if len(fields) > 17 else b""  # noqa: PLR2004 - MSH-1 is the separator
    return first.decode("ascii", "replace").upper()


def _header(message: hl7.Message) -> Header:
    msh = message[0]
    if str(msh[0]) not in _HEADERS:
        raise BadMessage(100, "the message does not begin with MSH", Place("MSH"))
    return Header(
        sending=(text(msh, 3), text(msh, 4)),
        receiving=(text(msh, 5), text(msh, 6)),
        message_type=text(msh, 9, 1).upper(),
        trigger=text(msh, 9, 2).upper(),
        control_id=text(msh, 10),
        processing_id=text(msh, 11).upper(),
        version=text(msh, 12),
        accept_when=text(msh, 15).upper(),
        apply_when=text(msh, 16).upper(),
        charset=text(msh, 18).upper(),
    )
