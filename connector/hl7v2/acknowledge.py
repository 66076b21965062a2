"""Writes acknowledgements: original and enhanced mode, with the place of a fault (HL7 v2.5.1, 2.9 and 2.15)."""

from collections.abc import Callable, Sequence
from datetime import datetime

from connector.hl7v2.message import CHARSETS, CONDITIONS, BadMessage, Header, Place

# Since when a fault has its own fields (ERR-2 and following).
_ERR_BY_FIELDS = (2, 5)
_STRUCTURE_NAMED = (2, 3, 1)  # since when MSH-9 has a third component
_ESCAPES = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "\r": " ", "\n": " "}
NOBODY = Header(("", ""), ("", ""), "", "", "", "P", "2.5", "", "", "")


def acknowledgements(
    header: Header, fault: BadMessage | None, *, now: datetime, new_id: Callable[[], str]
) -> Sequence[bytes]:
    """
    What is sent back for one message: in original mode one answer; in enhanced mode those that MSH-15 and 16 ask for.

    Everything is done and stored before the first of them, so both may leave at once.
    """
    letter = "A" if fault is None else "R" if fault.rejects else "E"
    if not header.is_enhanced:
        return [_acknowledge(header, f"A{letter}", fault, now=now, control_id=new_id())]
    wanted = [
        (asked, code)
        for asked, code in ((header.accept_when, f"C{letter}"), (header.apply_when, f"A{letter}"))
        if asked == "AL" or (asked == "ER" and fault is not None) or (asked == "SU" and fault is None)
    ]
    return [_acknowledge(header, code, fault, now=now, control_id=new_id()) for _, code in wanted]


def batch(answers: Sequence[bytes], *, now: datetime) -> bytes:
    """The answers to the messages of a batch, as a batch."""
    begins = f"BHS|^~\\&|||||{_stamp(now)}\r".encode()
    return begins + b"".join(answers) + f"BTS|{len(answers)}\r".encode()


def _acknowledge(header: Header, code: str, fault: BadMessage | None, *, now: datetime, control_id: str) -> bytes:
    structure = "^ACK" if _version(header) >= _STRUCTURE_NAMED else ""
    kind = f"ACK^{_escaped(header.trigger)}{structure}" if header.trigger else "ACK"
    msh = ["MSH", "^~\\&", *map(_escaped, (*header.receiving, *header.sending)), _stamp(now), "", kind, control_id,
           _escaped(header.processing_id or "P"), _escaped(header.version or "2.5"), "", "", "", "", "",
           _escaped(header.charset)]  # fmt: skip
    msa = ["MSA", code, _escaped(header.control_id)]
    lines = ["|".join(msh).rstrip("|"), "|".join(msa)]
    if fault is not None:
        lines.append(_error(header, fault))
        if _version(header) < _ERR_BY_FIELDS:
            lines[1] += f"|{_escaped(fault.says)}"  # MSA-3 was the only place for a sentence
    return ("\r".join(lines) + "\r").encode(CHARSETS.get(header.charset, "utf-8"), "replace")


def _error(header: Header, fault: BadMessage) -> str:
    place = fault.place or Place("MSH")
    condition = CONDITIONS[fault.condition]
    parts = [place.segment, str(place.number), str(place.field or "")]
    if _version(header) < _ERR_BY_FIELDS:
        return "ERR|" + "^".join((*parts, f"{fault.condition}&{condition}&HL70357"))
    where = "^".join((*parts, *(["1", str(place.component)] if place.component else []))).rstrip("^")
    return f"ERR||{where}|{fault.condition}^{condition}^HL70357|E||||{_escaped(fault.says)}"


def _version(header: Header) -> tuple[int, ...]:
    parts = header.version.split(".")
    known = len(parts) > 1 and all(part.isascii() and part.isdecimal() and len(part) < 4 for part in parts)  # noqa: PLR2004 - a version's number
    return tuple(map(int, parts)) if known else _ERR_BY_FIELDS


def _escaped(value: str) -> str:
    return "".join(_ESCAPES.get(character, character) for character in value)


def _stamp(now: datetime) -> str:
    return now.strftime("%Y%m%d%H%M%S%z")
