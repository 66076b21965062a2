"""Pixels leave a file here, frame by frame: straight from their place when they are plain, else through a decoder."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.pixels.utils import iter_pixels

from connector.core.errors import ImpossibleInput
from connector.dicom.headers import Header, quiet


def plain_bytes(header: Header) -> NDArray[np.uint8] | None:
    """All pixel bytes of a file whose pixels are not compressed; None when they are. Raises ImpossibleInput."""
    if header.pixels is None:
        raise ImpossibleInput("the image has no pixels: send it again")
    if header.transfer_syntax.is_compressed and header.pixels.length is None and not header.transfer_syntax.is_deflated:
        return None
    if header.pixels.length is None:  # a deflated data set is inflated as a whole
        with quiet():
            whole = dcmread(header.path)
        return np.frombuffer(whole.PixelData, dtype=np.uint8)
    with header.path.open("rb") as file:
        file.seek(header.pixels.offset)
        return np.fromfile(file, dtype=np.uint8, count=header.pixels.length)


def stored_frames(header: Header) -> Iterator[NDArray[np.integer]]:
    """
    Yield the stored values of every frame (rows, columns), in order, as whole numbers; one-bit frames as 0 and 1.

    Raises ImpossibleInput for colour, and for pixels that do not decode.
    """
    dataset = header.dataset
    if int(dataset.get("SamplesPerPixel", 1)) != 1:
        raise ImpossibleInput("a colour image holds no measurable values: send the original series")
    plain = plain_bytes(header)
    if plain is None:
        yield from _decoded(header)
        return
    bits = int(dataset.BitsAllocated)
    if bits == 1:
        yield from _one_bit_frames(header, plain)
        return
    if bits not in {8, 16, 32}:
        raise ImpossibleInput(f"pixels of {bits} bits are not read: send 8, 16 or 32 bits")
    shape = (int(dataset.get("NumberOfFrames") or 1), int(dataset.Rows), int(dataset.Columns))
    order = ">" if header.transfer_syntax.is_little_endian is False else "<"
    kind = "i" if int(dataset.get("PixelRepresentation", 0)) else "u"
    needed = int(np.prod(shape)) * bits // 8
    values = plain[:needed].view(np.dtype(f"{order}{kind}{bits // 8}")).reshape(shape)
    spare = bits - int(dataset.get("BitsStored", bits))
    for frame in values:
        # Bits above the stored ones may hold old overlays; shifting there and back also keeps the sign.
        yield (frame << spare) >> spare if spare else frame


def _one_bit_frames(header: Header, packed: NDArray[np.uint8]) -> Iterator[NDArray[np.integer]]:
    rows, columns = int(header.dataset.Rows), int(header.dataset.Columns)
    size = rows * columns
    for number in range(int(header.dataset.get("NumberOfFrames") or 1)):
        start = number * size
        octets = packed[start // 8 : (start + size + 7) // 8]
        bits = np.unpackbits(octets, bitorder="little")
        yield bits[start % 8 : start % 8 + size].reshape(rows, columns)


def _decoded(header: Header) -> Iterator[NDArray[np.integer]]:
    try:
        with quiet():
            yield from iter_pixels(header.path, raw=True)
    except Exception as fault:  # decoders fail in many ways on broken bytes, and each means the same here
        raise ImpossibleInput(
            f"the compressed pixels do not decode ({type(fault).__name__}): send it as Explicit VR Little Endian"
        ) from fault
