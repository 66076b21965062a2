"""Every reader starts here: one pass over the files' headers, who they belong to, and when they were made."""

import os
import re
import struct
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, MediaStorageDirectoryStorage
from pydicom.valuerep import PersonName

from connector.core.case import Identifier, PatientIdentity
from connector.core.errors import ImpossibleInput
from connector.core.evidence import Skipped
from connector.dicom.read_values import day

_PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)  # float, double float, integer
_UNDEFINED_LENGTH = 0xFFFFFFFF
_SEQUENCE_DELIMITER = bytes.fromhex("feffdde000000000")
_LONG_VR = (b"OB", b"OW", b"OF", b"OD", b"UN", b"OV", b"OL")
_UID = re.compile(r"[0-9]+(\.[0-9]+)*", re.ASCII)
_LONGEST_UID = 64


@dataclass(frozen=True, slots=True)
class PixelPlace:
    """Where the pixels lie in the file: `length` is None when they are encapsulated, or the data set is deflated."""

    offset: int
    length: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Header:
    """One readable file: its data set without pixels, and where the pixels are (None: it has none)."""

    path: Path
    dataset: Dataset
    pixels: PixelPlace | None

    @property
    def sop_instance_uid(self) -> str:
        """The instance's UID."""
        return str(self.dataset.SOPInstanceUID)

    @property
    def sop_class_uid(self) -> str:
        """The instance's class."""
        return str(self.dataset.SOPClassUID)

    @property
    def study_instance_uid(self) -> str:
        """The study it belongs to."""
        return str(self.dataset.StudyInstanceUID)

    @property
    def series_instance_uid(self) -> str:
        """The series it belongs to."""
        return str(self.dataset.SeriesInstanceUID)

    @property
    def transfer_syntax(self) -> UID:
        """The encoding of the pixels."""
        return UID(self.dataset.file_meta.TransferSyntaxUID)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pydicom's warnings off: they quote values of the patient, and every fault that matters is checked here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def reading() -> Iterator[None]:
    """
    Tell malformed attributes of one object as ImpossibleInput, without quoting them.

    pydicom decodes a value when it is first looked at, and fails in many ways on what the standard forbids.
    """
    with quiet():
        try:
            yield
        except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as fault:
            raise ImpossibleInput(
                f"an attribute is missing or malformed ({type(fault).__name__}): ask the sender to check the object"
            ) from fault


def read_headers(paths: Sequence[Path]) -> tuple[list[Header], list[Skipped]]:
    """
    Read each file once, up to its pixels; a file that cannot be used becomes a line that says why.

    Headers come sorted by SOP Instance UID. The same instance twice counts once; two files with one UID but other
    content are both set aside, because neither can be trusted over the other.
    """
    names = names_of(paths)
    headers: dict[str, Header] = {}
    conflicts: set[str] = set()
    skipped: list[Skipped] = []
    for path in sorted(paths):
        where = names[path]
        try:
            header = read_header(path)
        except ImpossibleInput as fault:
            skipped.append(Skipped(where, str(fault)))
            continue
        known = headers.setdefault(header.sop_instance_uid, header)
        if known is header:
            continue
        if _same_content(known, header):
            skipped.append(Skipped(where, "the same instance is in another file: counted once"))
        else:
            conflicts.add(header.sop_instance_uid)
            skipped.append(Skipped(where, "another file has the same SOP Instance UID and other content: neither used"))
    for uid in sorted(conflicts):
        conflicting = headers.pop(uid)
        reason = "another file has the same SOP Instance UID and other content: neither used"
        skipped.append(Skipped(names[conflicting.path], reason))
    return [headers[uid] for uid in sorted(headers)], skipped


def names_of(paths: Sequence[Path]) -> dict[Path, str]:
    """Name files for a report: relative to the folder that all of them share."""
    if not paths:
        return {}
    root = os.path.commonpath({path.absolute().parent for path in paths})
    return {path: os.path.relpath(path.absolute(), root) for path in paths}


def read_header(path: Path) -> Header:
    """
    Read one file's data set up to its pixels, and check that the file is whole and its pixels can be decoded.

    Raises ImpossibleInput: not DICOM, truncated, without its UIDs or patient ID, or in an unknown transfer syntax.
    """
    with quiet():
        try:
            with path.open("rb") as file:
                dataset = _parse(file)
                at = file.tell()
                header = _header(path, dataset, file, at)
        except InvalidDicomError as fault:
            raise ImpossibleInput("not a DICOM file") from fault
        except ImpossibleInput:
            raise
        except (PermissionError, FileNotFoundError, IsADirectoryError) as fault:
            raise ImpossibleInput(f"the file cannot be opened ({fault.strerror}): check its permissions") from fault
        except Exception as fault:  # pydicom fails in many ways on broken bytes, and each means the same here
            raise ImpossibleInput(f"broken or truncated DICOM ({type(fault).__name__}): send it again") from fault
    return header


def _parse(file: Any) -> Dataset:
    try:
        return dcmread(file, stop_before_pixels=True)
    except InvalidDicomError:
        file.seek(0)
        dataset = dcmread(file, stop_before_pixels=True, force=True)
        if "SOPClassUID" not in dataset or "SOPInstanceUID" not in dataset:
            raise
        return dataset


def _header(path: Path, dataset: Dataset, file: Any, at: int) -> Header:
    if dataset.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
        raise ImpossibleInput("a DICOMDIR, the index of a medium, holds nothing to read: leave it out")
    for keyword in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        uid = str(dataset.get(keyword, ""))
        if not _UID.fullmatch(uid) or len(uid) > _LONGEST_UID:
            raise ImpossibleInput(f"{keyword} is missing or not a UID: send the object again from its source")
    if not str(dataset.get("PatientID") or "").strip():
        raise ImpossibleInput("there is no Patient ID (0010,0020): the object cannot be told to belong to the patient")
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        guessed = UID("1.2.840.10008.1.2" + ("" if implicit else ".1" if little else ".2"))
        dataset.file_meta.TransferSyntaxUID = guessed
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    if not syntax.is_transfer_syntax or syntax.is_private:
        raise ImpossibleInput(f"transfer syntax {syntax} is not known: send it as Explicit VR Little Endian")
    if syntax == DeflatedExplicitVRLittleEndian:
        return Header(path, dataset, PixelPlace(0, None) if "Rows" in dataset else None)
    pixels = _pixel_place(dataset, file, at)
    if pixels is None and ("Rows" in dataset or UID(dataset.SOPClassUID).name.endswith("Image Storage")):
        raise ImpossibleInput("the image has no pixels: send it again")
    if pixels is not None and syntax.is_compressed and not get_decoder(syntax).is_available:
        raise ImpossibleInput(f"pixels in {syntax.name} cannot be decoded here: send it as Explicit VR Little Endian")
    return Header(path, dataset, pixels)


def _check_end(dataset: Dataset, size: int) -> None:
    """Check that the last element of a data set without pixels is whole, and is where the file ends."""
    elements: list[Any] = [dataset.get_item(tag) for tag in dataset.keys()]  # noqa: SIM118 - iterating decodes every value
    raw = [element for element in elements if isinstance(element, RawDataElement)]
    if not raw or (len(raw) != len(elements) and _ends_in_sequence(elements)):
        return
    last = max(raw, key=lambda element: element.value_tell)
    if len(last.value or b"") != last.length or last.value_tell + last.length < size:
        raise ImpossibleInput("the file is truncated: send it again")


def _ends_in_sequence(elements: Sequence[Any]) -> bool:
    """Whether the last element is a sequence of undefined length, which pydicom has read to its end."""
    places = [(getattr(each, "value_tell", None) or getattr(each, "file_tell", None) or 0, each) for each in elements]
    return not isinstance(max(places, key=lambda pair: pair[0])[1], RawDataElement)


def _pixel_place(dataset: Dataset, file: Any, at: int) -> PixelPlace | None:
    """Find the pixels behind the header, and check that all their bytes are there."""
    size = file.seek(0, os.SEEK_END)
    file.seek(at)
    head = file.read(12)
    implicit, little = dataset.original_encoding
    numbers = struct.Struct("<HHHHL" if little else ">HHHHL")
    group, element, _, _, long_length = numbers.unpack(head.ljust(12, b"\0"))
    if group << 16 | element not in _PIXEL_TAGS:
        _check_end(dataset, size)
        return None
    explicit_long = not implicit and head[4:6] in _LONG_VR
    start = 12 if explicit_long else 8
    length = long_length if explicit_long else struct.unpack("<L" if little else ">L", head[4:8])[0]
    if length == _UNDEFINED_LENGTH:
        _check_encapsulated_end(file, size)
        return PixelPlace(at, None)
    if at + start + length > size or length < _needed_bytes(dataset):
        raise ImpossibleInput("the pixels are truncated: send the object again")
    return PixelPlace(at + start, length)


def _check_encapsulated_end(file: Any, size: int) -> None:
    file.seek(max(0, size - 4096))
    if _SEQUENCE_DELIMITER not in file.read():
        raise ImpossibleInput("the compressed pixels are truncated: send the object again")


def _needed_bytes(dataset: Dataset) -> int:
    bits = int(dataset.get("BitsAllocated", 0)) * int(dataset.get("SamplesPerPixel", 1))
    pixels = int(dataset.get("Rows", 0)) * int(dataset.get("Columns", 0)) * int(dataset.get("NumberOfFrames") or 1)
    if str(dataset.get("PhotometricInterpretation", "")) == "YBR_FULL_422":
        bits = bits * 2 // 3
    return (pixels * bits + 7) // 8


def _same_content(one: Header, other: Header) -> bool:
    if one.dataset != other.dataset or (one.pixels is None) != (other.pixels is None):
        return False
    return _pixel_bytes(one) == _pixel_bytes(other)


def _pixel_bytes(header: Header) -> bytes:
    """Read the pixels as they are in the file (of a deflated file: all of it)."""
    if header.pixels is None:
        return b""
    with header.path.open("rb") as file:
        file.seek(header.pixels.offset)
        return file.read(-1 if header.pixels.length is None else header.pixels.length)


def identity(dataset: Dataset) -> PatientIdentity:
    """
    Read who the patient is, as sent (Patient module, PS3.3 C.7.1.1): identifiers with their issuers, name, birth, sex.

    Names are those of the alphabetic group, or of the next group that is filled.
    """
    found = [_identifier(dataset)]
    found += [_identifier(item) for item in dataset.get("OtherPatientIDsSequence") or []]
    family, given = _name(dataset.get("PatientName"))
    sex = str(dataset.get("PatientSex") or "").strip().upper()
    return PatientIdentity(
        identifiers=tuple(dict.fromkeys(identifier for identifier in found if identifier is not None)),
        family_name=family,
        given_name=given,
        birth_date=day(dataset.get("PatientBirthDate")),
        sex=sex if sex in {"M", "F", "O"} else None,
    )


def _identifier(dataset: Dataset) -> Identifier | None:
    value = str(dataset.get("PatientID") or "").strip()
    return Identifier(value, str(dataset.get("IssuerOfPatientID") or "").strip() or None) if value else None


def _name(value: Any) -> tuple[str | None, str | None]:
    if not value:
        return None, None
    groups = PersonName(str(value)).components
    filled = next((group for group in groups if group.strip("^ ")), "")
    family, given = (f"{filled}^".split("^"))[:2]
    return family.strip() or None, given.strip() or None


def studied_on(headers: Iterable[Header]) -> date | None:
    """Date of a study: its Study Date, or the earliest date of its series, acquisitions or contents."""
    datasets = [header.dataset for header in headers]
    for keyword in ("StudyDate", "AcquisitionDate", "SeriesDate", "ContentDate"):
        found = [day(dataset.get(keyword)) for dataset in datasets]
        known = [each for each in found if each is not None]
        if known:
            return min(known)
    return None
