"""Reads an uploaded DICOM file while it arrives: file meta is read and dropped, the data set goes to the intake."""

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connector.core.errors import ImpossibleInput
from connector.dicom.receive_head import require_whole
from connector.dicom.receive_intake import Intake, octets_of, require_uids

if TYPE_CHECKING:
    from connector.dicom.store_file import Incoming

_PREAMBLE = 128
_LARGEST_META = 64 * 1024
_META_GROUP = 0x0002
_LONG_VRS = frozenset({b"OB", b"OW", b"SQ", b"UN", b"UT"})
_NAMES = {0x0002: "sop_class_uid", 0x0003: "sop_instance_uid", 0x0010: "transfer_syntax_uid"}


@dataclass(frozen=True, slots=True)
class Announced:
    """What a file's meta information says of it (PS3.10, 7.1)."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


def read_file_meta(octets: bytes) -> tuple[Announced, int] | None:
    """
    Read preamble and file meta at the start of a file: what it announces, and where the data set begins.

    None when more octets are needed. Raises ImpossibleInput when it is no DICOM file.
    """
    if len(octets) < _PREAMBLE + 4:
        return None
    # dicomweb-client sends data sets that were never in a file without preamble and DICM: the rest is all there.
    bare = octets[_PREAMBLE : _PREAMBLE + 4] != b"DICM"
    if bare and not (octets[:2] == _META_GROUP.to_bytes(2, "little") and octets[4:6].isupper()):
        raise ImpossibleInput("the part is no DICOM file: it must begin with a preamble and DICM")
    found: dict[str, str] = {}
    position = 0 if bare else _PREAMBLE + 4
    while (element := _meta_element(octets, position)) is not None:
        number, start, end = element
        if number < 0:
            break
        if number in _NAMES:
            found[_NAMES[number]] = octets[start:end].decode("ascii", "replace").strip("\0 ")
        position = end
    else:
        return None
    if len(found) != len(_NAMES):
        raise ImpossibleInput("the file meta information lacks SOP class, SOP instance or transfer syntax")
    require_uids(*found.values())
    return Announced(**found), position


def _meta_element(octets: bytes, position: int) -> tuple[int, int, int] | None:
    """Number, start and end of the element at a position; -1 behind the last one, None when octets are missing."""
    if len(octets) < position + 12:
        return None
    group, number = struct.unpack_from("<HH", octets, position)
    if group != _META_GROUP:
        return -1, position, position
    long = octets[position + 4 : position + 6] in _LONG_VRS
    start = position + (12 if long else 8)
    end = start + struct.unpack_from("<L" if long else "<H", octets, start - (4 if long else 2))[0]
    if end > _LARGEST_META:
        raise ImpossibleInput("the file meta information has no end: not a DICOM file")
    return (number, start, end) if len(octets) >= end else None


class Part10:
    """One uploaded file on its way in."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._start = bytearray()
        self.announced: Announced | None = None
        self.incoming: Incoming | None = None

    @property
    def on_disk(self) -> bool:
        """Whether more octets mean disk writes."""
        return self.incoming is not None and self.incoming.part is not None

    def write(self, octets: bytes) -> None:
        """Take more of the file. Raises ImpossibleInput when it is no DICOM file."""
        if self.incoming is not None:
            self.incoming.write(octets)
            return
        self._start += octets
        known = read_file_meta(bytes(self._start))
        if known is None:
            return
        self.announced, begin = known
        self.incoming = self._intake.begin(
            sop_class_uid=self.announced.sop_class_uid,
            sop_instance_uid=self.announced.sop_instance_uid,
            transfer_syntax_uid=self.announced.transfer_syntax_uid,
        )
        self.incoming.write(bytes(self._start[begin:]))
        self._start.clear()

    def require_whole(self) -> None:
        """Raise ImpossibleInput when the file ends inside a value: uploads are often copies, and copies are cut off."""
        if self.incoming is not None and self.announced is not None:
            self.incoming.settle()
            with octets_of(self.incoming) as octets:
                require_whole(octets, self.announced.transfer_syntax_uid)

    def close(self) -> None:
        """Forget what came in and was not accepted."""
        if self.incoming is not None:
            self.incoming.close()
