"""Images that DCMTK compressed hold the values that they held before, signed or not, whatever their bits."""

import sys
from pathlib import Path

import image_case as case
import numpy as np
import pytest

from connector.dicom.headers import read_headers
from connector.dicom.read_image import read_volume

sys.path.insert(0, str(Path(__file__).parent))

from dicom_peers import dcmtk

SIGNED = np.arange(-1500, 1572, dtype=np.int16).reshape(3, 32, 32)
VALUES = {
    "signed, 16 bits": (SIGNED, 16),
    "signed, 12 bits": (SIGNED, 12),
    "unsigned, 16 bits": ((SIGNED.astype(np.int32) + 1500).astype(np.uint16) * 21, 16),
    "unsigned, 12 bits": ((SIGNED + 1500).astype(np.uint16), 12),
}


@pytest.mark.parametrize(
    "program", [("dcmcjpeg", "+e1"), ("dcmcjpeg", "+el"), ("dcmcjpls",), ("dcmcrle",)], ids=" ".join
)
@pytest.mark.parametrize("name", VALUES)
def test_a_compressed_series_holds_the_same_values(tmp_path: Path, program: tuple[str, ...], name: str) -> None:
    planes, bits = VALUES[name]
    plain = case.slices(tmp_path / "plain", planes, BitsStored=bits, HighBit=bits - 1)
    packed = [tmp_path / path.name for path in plain]
    for source, target in zip(plain, packed, strict=True):
        done = dcmtk(*program, str(source), str(target))
        assert done.returncode == 0, done.stderr
    headers, skipped = read_headers(packed)
    assert not skipped
    assert all(header.transfer_syntax.is_compressed for header in headers)
    assert np.array_equal(read_volume(headers).values, read_volume(read_headers(plain)[0]).values)
