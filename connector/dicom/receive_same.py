"""Tells whether two files hold the same data set, however each was encoded on its way."""

from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.dataelem import RawDataElement

from connector.logs import get_logger

log = get_logger("dicom.receive")

_PIXEL_DATA = 0x7FE00010
# Padding, and the offset tables of compressed pixels: they change with the encoding and say nothing of the content.
_OF_THE_ENCODING = frozenset({0xFFFCFFFC, 0x7FE00001, 0x7FE00002})
# Photometric interpretation and planar configuration follow the transfer syntax; the decoded pixels are compared.
_OF_THE_PIXEL_LAYOUT = frozenset({0x00280004, 0x00280006})


def same_dataset(path_a: Path, path_b: Path) -> bool:
    """
    Whether two DICOM files hold equal data sets: every element, and the pixels as they are seen.

    File meta and transfer syntax do not count. When either cannot be decoded they count as different: then both are
    kept and a person looks. Never raises.
    """
    try:
        return _same(dcmread(path_a), dcmread(path_b))
    except Exception as fault:  # noqa: BLE001 - whatever is wrong with a file, both must be kept
        log.warning("instances_not_comparable", exception_type=type(fault).__name__)
        return False


def _same(first: Dataset, second: Dataset) -> bool:
    other_syntax = first.file_meta.TransferSyntaxUID != second.file_meta.TransferSyntaxUID
    beside = frozenset({_PIXEL_DATA}) | (_OF_THE_PIXEL_LAYOUT if other_syntax else frozenset())
    if (_PIXEL_DATA in first) != (_PIXEL_DATA in second) or not _same_elements(first, second, beside):
        return False
    if _PIXEL_DATA not in first or (not other_syntax and first.PixelData == second.PixelData):
        return True
    return bool(np.array_equal(first.pixel_array, second.pixel_array))


def _same_elements(first: Dataset, second: Dataset, beside: frozenset[int] = frozenset()) -> bool:
    tags = _tags(first, beside)
    return tags == _tags(second, beside) and all(_same_element(first, second, tag) for tag in tags)


def _tags(dataset: Dataset, beside: frozenset[int]) -> set[int]:
    """Tags that carry content; group lengths (gggg,0000) do not."""
    return {int(tag) for tag in dataset.keys() if tag.element != 0} - beside - _OF_THE_ENCODING  # noqa: SIM118 - no iteration over elements wanted


def _same_element(first: Dataset, second: Dataset, tag: int) -> bool:
    # As sent, two encodings of one value mostly have the same octets, also where only one of them names the VR.
    sent = _as_sent(first, tag)
    if sent is not None and sent == _as_sent(second, tag):
        return True
    one: Any = first[tag]
    other: Any = second[tag]
    if [one.VR, other.VR] == ["SQ", "SQ"]:
        return len(one.value) == len(other.value) and all(
            _same_elements(a, b) for a, b in zip(one.value, other.value, strict=True)
        )
    return bool(_content(one.value) == _content(other.value))


def _as_sent(dataset: Dataset, tag: int) -> tuple[bytes, bool] | None:
    """Octets and byte order of a value that nobody decoded yet, but for sequences."""
    element: Any = dataset.get_item(tag)
    if isinstance(element, RawDataElement) and element.VR != "SQ" and element.value is not None:
        return element.value, element.is_little_endian
    return None


def _content(value: Any) -> Any:
    """A value that is equal for equal contents: empty is empty in every VR."""
    return None if value in (None, "", b"") else value
