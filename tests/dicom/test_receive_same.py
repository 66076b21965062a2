"""When two received files are the same data set: by content, in whatever transfer syntax each was sent."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, Sequence
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)
from receive_case import make_image

from connector.dicom.receive_same import same_dataset


def rich_image() -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.3", "1.2.3.4"
    image = make_image(ReferencedStudySequence=Sequence([item]), SliceThickness="2.50")
    image.add_new(0x00091001, "LO", "private")
    image.add_new(0x00090010, "LO", "LAB")
    image.SmallestImagePixelValue = 32
    return image


def saved(image: Dataset, path: Path, syntax: str) -> Path:
    if syntax == RLELossless:
        image.compress(syntax, generate_instance_uid=False)
        image.save_as(path, enforce_file_format=True)
        return path
    image.file_meta.TransferSyntaxUID = syntax
    if syntax == ExplicitVRBigEndian:
        image.PixelData = np.frombuffer(image.PixelData, "<u2").astype(">u2").tobytes()
    image.save_as(
        path, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=syntax != ExplicitVRBigEndian,
        enforce_file_format=True,
    )  # fmt: skip
    return path


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless])
def test_one_data_set_in_two_transfer_syntaxes_is_the_same(tmp_path: Path, syntax: str) -> None:
    uid = make_image().SOPInstanceUID
    image = rich_image()
    image.SOPInstanceUID = uid
    first = saved(image.copy(), tmp_path / "a", ExplicitVRLittleEndian)
    second = saved(copy.deepcopy(image), tmp_path / "b", syntax)
    assert first.read_bytes() != second.read_bytes()
    assert same_dataset(first, second)
    assert same_dataset(second, first)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda image: setattr(image, "PatientID", "ANOTHER"), "a value"),
        (lambda image: setattr(image, "SmallestImagePixelValue", 0), "a number that is padding as text"),
        (lambda image: image.__delattr__("Modality"), "an element less"),
        (lambda image: setattr(image, "StudyID", "1"), "an element more"),
        (lambda image: setattr(image.ReferencedStudySequence[0], "ReferencedSOPInstanceUID", "1.2.3.5"), "in an item"),
        (lambda image: image.ReferencedStudySequence.append(Dataset()), "an item more"),
        (lambda image: setattr(image, "PixelData", image.PixelData[:-2] + b"\x01\x02"), "one pixel"),
        (lambda image: image.__delattr__("PixelData"), "no pixels"),
    ],
)
def test_any_difference_in_content_is_one(tmp_path: Path, change: Any, why: str) -> None:
    image = rich_image()
    other = copy.deepcopy(image)
    change(other)
    first = saved(image, tmp_path / "a", ExplicitVRLittleEndian)
    for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian):
        second = saved(copy.deepcopy(other), tmp_path / "b", syntax)
        assert not same_dataset(first, second), why


def test_what_cannot_be_read_counts_as_different(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"not DICOM")
    assert not same_dataset(tmp_path / "a", tmp_path / "a")
    assert not same_dataset(tmp_path / "a", tmp_path / "absent")
