"""Reads the few attributes a receipt needs from the head of an encoded data set, without decoding the rest."""

import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from mmap import mmap

from pydicom.charset import convert_encodings

from connector.core.errors import ImpossibleInput

Octets = bytes | bytearray | memoryview | mmap

_IMPLICIT_LITTLE = "1.2.840.10008.1.2"
_EXPLICIT_BIG = "1.2.840.10008.1.2.2"
# Deflated Explicit VR, and the two JPIP referenced deflated syntaxes (PS3.5, A.5, A.7 and A.9).
_DEFLATED = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})

_CHARACTER_SET = 0x00080005
_FIELDS = {
    0x00080016: "sop_class_uid",
    0x00080018: "sop_instance_uid",
    0x00080020: "study_date",
    0x00080060: "modality",
    0x00100020: "patient_id",
    0x00100021: "issuer_of_patient_id",
    0x0008103E: "series_description",
    0x00180015: "body_part",
    0x0020000D: "study_instance_uid",
    0x0020000E: "series_instance_uid",
}
_LAST_TAG = 0x0020000E
_FOR_ROUTING = frozenset({0x0008103E, 0x00180015})  # no study is refused for one of these
_PROCEDURE_CODES, _CODE_VALUE, _CODE_SCHEME = 0x00081032, 0x00080100, 0x00080102
_UIDS = ("sop_class_uid", "sop_instance_uid", "study_instance_uid", "series_instance_uid")

_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_PIXEL_DATA = 0x7FE00010
_UNDEFINED = 0xFFFFFFFF
_HEADER_BYTES = 8
# VRs whose length takes four bytes (PS3.5, table 7.1-1).
_LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})

_LARGEST_DEEP = 64  # nesting
_LARGEST_ELEMENTS = 200_000
_LARGEST_INFLATED = 4 * 2**20
_LARGEST_VALUE = 1024

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_UID_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Head:
    """What the head of a data set says of itself; texts are stripped of padding, absent ones are empty."""

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    patient_id: str = ""
    issuer_of_patient_id: str = ""
    modality: str = ""
    study_date: str = ""
    series_description: str = ""
    body_part: str = ""
    procedure_codes: tuple[str, ...] = ()  # SCHEME:CODE


def is_uid(text: str) -> bool:
    """
    Whether a text can be a UID: digits and points, at most 64 characters.

    Components with leading zeros are let through though PS3.5 section 9.1 forbids them: devices in use make them, and
    refusing them would lose their studies.
    """
    return len(text) <= _UID_LENGTH and _UID.fullmatch(text) is not None


def read_head(dataset: Octets, transfer_syntax_uid: str) -> Head:
    """
    Read the head of a data set (without preamble and file meta) in any transfer syntax.

    Raises ImpossibleInput when it cannot be parsed, or when one of the four UIDs is absent or malformed.
    """
    if transfer_syntax_uid in _DEFLATED:
        dataset = _inflate(dataset)
    little = transfer_syntax_uid != _EXPLICIT_BIG
    scanner = _Scanner(dataset, explicit=transfer_syntax_uid != _IMPLICIT_LITTLE, little=little)
    raw: dict[int, bytes] = {}
    codes: tuple[str, ...] = ()
    try:
        for tag, start, length in scanner.elements():
            if tag == _PROCEDURE_CODES:
                codes = tuple(_codes(scanner, start, length))
            elif tag in _FIELDS or tag == _CHARACTER_SET:
                if length > _LARGEST_VALUE and tag in _FOR_ROUTING:
                    continue
                if length > _LARGEST_VALUE:
                    raise ImpossibleInput(f"({tag >> 16:04X},{tag & 0xFFFF:04X}) is {length} bytes long: not DICOM")
                raw[tag] = bytes(dataset[start : start + length])
    except (struct.error, IndexError) as fault:
        raise ImpossibleInput("the data set ends inside an element: it was cut off, send it again") from fault
    encodings = _encodings(raw.pop(_CHARACTER_SET, b""))
    texts = {_FIELDS[tag]: _text(value, encodings) for tag, value in raw.items()}
    for name in _UIDS:
        if not is_uid(texts.get(name, "")):
            raise ImpossibleInput(f"{name} is missing or not a UID: the sender must correct the object")
    # A text longer than its VR allows must fit the ledger all the same; ACR-NEMA wrote dates with points.
    texts["modality"] = texts.get("modality", "")[:16]
    texts["study_date"] = texts.get("study_date", "").replace(".", "")[:8]
    return Head(**texts, procedure_codes=codes)


def require_whole(dataset: Octets, transfer_syntax_uid: str) -> None:
    """
    Raise ImpossibleInput when a data set ends inside a value, as a file does that was cut off while it was copied.

    What stands behind the last element, such as padding, is let pass, and so is what cannot be walked to its end.
    """
    if transfer_syntax_uid in _DEFLATED:
        return
    little, explicit = transfer_syntax_uid != _EXPLICIT_BIG, transfer_syntax_uid != _IMPLICIT_LITTLE
    if _Scanner(dataset, explicit=explicit, little=little).is_cut_off():
        raise ImpossibleInput("the data set ends inside an element: it was cut off, send it again")


def _codes(scanner: "_Scanner", start: int, length: int) -> Iterator[str]:
    """The codes of a code sequence as SCHEME:CODE (PS3.3, section 8.8), ASCII as they must be."""
    value = ""
    # No study is refused because a rule could not read its codes.
    with suppress(struct.error, IndexError, ImpossibleInput):
        for tag, at, size in scanner.within(start, start + length):
            if tag in {_CODE_VALUE, _CODE_SCHEME}:
                text = _text(scanner.octets(at, size), ["ascii"])
                if tag == _CODE_SCHEME:
                    yield f"{text}:{value}"
                value = text


def _inflate(dataset: Octets) -> bytes:
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(bytes(dataset[:_LARGEST_INFLATED]), _LARGEST_INFLATED)
    except zlib.error as fault:
        raise ImpossibleInput("the deflated data set cannot be inflated: send it again or uncompressed") from fault


def _encodings(character_set: bytes) -> list[str]:
    names = [name.strip() for name in character_set.decode("ascii", "replace").rstrip("\0").split("\\")]
    try:
        return list(convert_encodings(names)) if any(names) else ["iso8859"]
    except (LookupError, ValueError):  # unknown; or with a NUL inside, which Python looks up in no table
        return ["iso8859"]


def _text(value: bytes, encodings: list[str]) -> str:
    try:
        text = value.decode("ascii" if value.isascii() else encodings[0])
    except (UnicodeDecodeError, LookupError):
        # Two different patient IDs must never become one text, so nothing is replaced by a common sign.
        text = value.decode("ascii", "backslashreplace")
    # A NUL inside is what PostgreSQL keeps in no text; written out, two IDs stay two here too.
    return text.strip("\0 ").replace("\0", "\\x00")


class _Scanner:
    """Walks the top level of a data set; sequences are skipped, whether their length is given or delimited."""

    def __init__(self, dataset: Octets, *, explicit: bool, little: bool) -> None:
        self._dataset = dataset
        self._size = len(dataset)
        self._explicit = explicit
        self._tag = struct.Struct("<HH" if little else ">HH").unpack_from
        self._long = struct.Struct("<L" if little else ">L").unpack_from
        self._short = struct.Struct("<H" if little else ">H").unpack_from
        self._left = _LARGEST_ELEMENTS

    def elements(self) -> Iterator[tuple[int, int, int]]:
        """Yield (tag, start of value, length of value) up to the last tag that matters."""
        position = 0
        while position < self._size:
            tag, vr, start, length = self._header(position, explicit=self._explicit)
            if tag > _LAST_TAG:
                return
            if length == _UNDEFINED:
                position = self._skip_sequence(start, explicit=self._explicit and vr != b"UN")
                if tag == _PROCEDURE_CODES and vr != b"UN":
                    yield tag, start, position - start
                continue
            position = start + length
            if position > self._size:
                raise struct.error
            yield tag, start, length

    def is_cut_off(self) -> bool:
        """Whether the data set ends inside a value of its top level, or inside a sequence or fragment."""
        position = 0
        with suppress(ImpossibleInput):  # no element at all, or too many to be walked
            while self._size - position >= _HEADER_BYTES:
                try:
                    position = self._end_of_element(position)
                except (struct.error, IndexError):
                    return True
                if position > self._size:
                    return True
        return False

    def _end_of_element(self, position: int) -> int:
        tag, vr, start, length = self._header(position, explicit=self._explicit)
        if length != _UNDEFINED:
            return start + length
        if tag != _PIXEL_DATA:
            return self._skip_sequence(start, explicit=self._explicit and vr != b"UN")
        # Fragments: devices in use leave out the delimiter behind the last one.
        position = start
        while self._size - position >= _HEADER_BYTES:
            tag, _, start, length = self._header(position, explicit=False)
            position = start if tag == _SEQUENCE_END else start + length
            if tag == _SEQUENCE_END:
                break
        return position

    def within(self, position: int, end: int) -> Iterator[tuple[int, int, int]]:
        """Yield the elements of a sequence's items, as if they stood in one row; sequences in them are skipped."""
        while position < end:
            tag, vr, start, length = self._header(position, explicit=self._explicit)
            position = start
            if tag in {_ITEM, _ITEM_END, _SEQUENCE_END}:
                continue
            if length == _UNDEFINED:
                position = self._skip_sequence(start, explicit=self._explicit and vr != b"UN")
                continue
            position = start + length
            if position > self._size:
                raise struct.error
            yield tag, start, length

    def octets(self, start: int, length: int) -> bytes:
        """Some of the data set."""
        if length > _LARGEST_VALUE:
            raise ImpossibleInput(f"a code is {length} bytes long: not DICOM")
        return bytes(self._dataset[start : start + length])

    def _header(self, position: int, *, explicit: bool) -> tuple[int, bytes, int, int]:
        """Tag, VR (empty when implicit), start and length of the value of the element at a position."""
        self._left -= 1
        if self._left < 0:
            raise ImpossibleInput("too many elements before the Series Instance UID: not a DICOM object")
        group, element = self._tag(self._dataset, position)
        tag = group << 16 | element
        if not explicit or group == 0xFFFE:  # noqa: PLR2004 - delimiters carry no VR
            return tag, b"", position + 8, self._long(self._dataset, position + 4)[0]
        vr = bytes(self._dataset[position + 4 : position + 6])
        if not (vr.isalpha() and vr.isupper()):
            raise ImpossibleInput(f"({group:04X},{element:04X}) has no VR: not in the transfer syntax it was sent in")
        if vr in _LONG_VRS:
            return tag, vr, position + 12, self._long(self._dataset, position + 8)[0]
        return tag, vr, position + 8, self._short(self._dataset, position + 6)[0]

    def _skip_sequence(self, position: int, *, explicit: bool) -> int:
        """Position after a sequence of undefined length whose first item is at a position."""
        # Each open level: is it an item (else a sequence), and are its elements explicit? UN contents are implicit.
        levels = [(False, explicit)]
        while levels:
            in_item, explicit = levels[-1]
            tag, vr, start, length = self._header(position, explicit=explicit)
            position = start
            if tag == (_ITEM_END if in_item else _SEQUENCE_END):
                levels.pop()
            elif not in_item and tag != _ITEM:
                raise ImpossibleInput("a sequence holds something that is not an item: not a DICOM object")
            elif length != _UNDEFINED:
                position += length
            elif len(levels) >= _LARGEST_DEEP:
                raise ImpossibleInput(f"sequences nested more than {_LARGEST_DEEP} deep: not a DICOM object")
            else:
                levels.append((not in_item, explicit and vr != b"UN"))
        return position
