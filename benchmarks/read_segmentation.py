"""A segmentation of 20 lesions on 400 slices, from file to diameters and volumes, against a plain loop over slices."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from interleaved import median_seconds
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels.utils import pack_bits
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from scipy.spatial.distance import cdist

from connector.core.geometry.diameters import lesion_diameters
from connector.core.geometry.volumes import volume_ml
from connector.dicom.headers import read_header
from connector.dicom.read_segmentation import SEGMENTATION, read_segmentation

SLICES, SIZE, LESIONS = 400, 512, 20
SPACING = (1.0, 0.75, 0.75)
RUNS = 3


def lesion_masks() -> Iterator[tuple[list[int], NDArray[np.bool_]]]:
    """Ellipsoids of 10 to 60 mm, each as (first plane, mask of its own box, first row, first column)."""
    random = np.random.default_rng(20)
    for _ in range(LESIONS):
        semi = random.uniform(5, 30, 3) / SPACING
        half = np.ceil(semi).astype(int)
        z, y, x = np.mgrid[tuple(slice(-each, each + 1) for each in half)]
        mask = (z / semi[0]) ** 2 + (y / semi[1]) ** 2 + (x / semi[2]) ** 2 <= 1
        room = np.subtract((SLICES, SIZE, SIZE), mask.shape)
        yield [int(random.integers(0, each)) for each in room], mask


def write(path: Path) -> list[int]:
    """Write the lesions as a binary segmentation with one frame a lesion and slice, as archives hold them."""
    frames, numbers, planes, truth = [], [], [], []
    for number, ((plane, row, column), mask) in enumerate(lesion_masks(), 1):
        truth.append(np.count_nonzero(mask))
        for offset, pixels in enumerate(mask):
            frame = np.zeros((SIZE, SIZE), dtype=np.uint8)
            frame[row : row + mask.shape[1], column : column + mask.shape[2]] = pixels
            frames.append(frame)
            numbers.append(number)
            planes.append(plane + offset)
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = SEGMENTATION
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = (generate_uid() for _ in "123")
    dataset.PatientID, dataset.Modality, dataset.SegmentationType = "BENCHMARK", "SEG", "BINARY"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 0
    dataset.Rows = dataset.Columns = SIZE
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit, dataset.NumberOfFrames = 0, len(frames)
    dataset.SegmentSequence = [described(number) for number in range(1, LESIONS + 1)]
    shared = Dataset()
    shared.PlaneOrientationSequence = [item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])]
    shared.PixelMeasuresSequence = [
        item(PixelSpacing=list(SPACING[1:]), SliceThickness=SPACING[0], SpacingBetweenSlices=SPACING[0])
    ]
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=[0, 0, plane * SPACING[0]])],
            SegmentIdentificationSequence=[item(ReferencedSegmentNumber=number)],
        )
        for plane, number in zip(planes, numbers, strict=True)
    ]
    dataset.PixelData = pack_bits(np.stack(frames))
    dataset.save_as(path, enforce_file_format=True)
    return truth


def item(**values: Any) -> Dataset:
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def code(value: str, meaning: str) -> list[Dataset]:
    return [item(CodeValue=value, CodingSchemeDesignator="SCT", CodeMeaning=meaning)]


def described(number: int) -> Dataset:
    return item(
        SegmentNumber=number,
        SegmentLabel=f"L{number}",
        SegmentedPropertyCategoryCodeSequence=code("49755003", "Morphologically Abnormal Structure"),
        SegmentedPropertyTypeCodeSequence=code("14799000", "Neoplasm, Secondary"),
        TrackingID=f"L{number}",
        TrackingUID=generate_uid(),
    )


def ours(path: Path) -> list[int]:
    segmentation = read_segmentation(read_header(path))
    results = []
    for segment in segmentation.segments:
        mask, geometry = segment.region.mask, segment.region.geometry
        results.append((lesion_diameters(mask, geometry), np.count_nonzero(mask), volume_ml(int(mask.sum()), geometry)))
    return [int(count) for _, count, _ in results]


def naive(path: Path) -> list[int]:
    """One volume a segment, filled frame by frame; then every slice's pixels against every other."""
    dataset = pydicom.dcmread(path)
    frames = dataset.pixel_array
    counts = []
    for number in range(1, LESIONS + 1):
        volume = np.zeros((SLICES, SIZE, SIZE), dtype=np.uint8)
        for frame, group in zip(frames, dataset.PerFrameFunctionalGroupsSequence, strict=True):
            if group.SegmentIdentificationSequence[0].ReferencedSegmentNumber == number:
                plane = round(group.PlanePositionSequence[0].ImagePositionPatient[2] / SPACING[0])
                volume[plane] = frame
        longest = 0.0
        for plane in volume:
            points = np.argwhere(plane) * SPACING[1:]
            if len(points):
                longest = max(longest, cdist(points, points).max())
        counts.append(int(volume.sum()))
    return counts


def seconds(measure: Callable[[Path], list[int]], path: Path, runs: int) -> tuple[float, list[int]]:
    counts: list[int] = []

    def once() -> None:
        counts[:] = measure(path)

    return median_seconds(once, runs), counts


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lesions.dcm"
        truth = write(path)
        fast, counts = seconds(ours, path, RUNS)
        assert counts == truth
        slow, counts = seconds(naive, path, 1)
        assert counts == truth
    print(f"{LESIONS} lesions on {SLICES} slices: {fast:.3f} s, naive loop {slow:.3f} s, ratio {slow / fast:.1f}")
    return 0 if slow / fast >= 20 else 1


if __name__ == "__main__":
    sys.exit(main())
