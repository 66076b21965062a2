"""The images of the bundled case: real CT slices, with a made-up patient, lesions, segmentations and Y-90 PET."""

import lzma
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, PositronEmissionTomographyImageStorage

from connector.demo import headers
from connector.demo.headers import LIVER, Person, Segment, Study
from connector.dicom.identity import uid_from

PATIENT_ID, ISSUER = "DEMO-0001", "DEMO-HOSPITAL"
PERSON = Person("Fictitious", "Demo", PATIENT_ID, ISSUER, date(1961, 2, 3), "M")

_SHAPE = (3, 512, 512)
_PIXEL_MM, _SLICE_STEP_MM, _SLICE_THICKNESS_MM = 0.810547, -1.0, 1.25
_ORIGIN_MM = (-235.199997, -226.800003, -126.690002)
_LESION_CONTRAST_HU = 45  # how much darker than liver the made-up lesions are

# PET: one pixel covers 5 x 5 pixels of the CT, so each holds a whole number of liver and lesion pixels.
_BLOCK, _PET_SIZE, _PET_PLANES, _PET_STEP_MM = 5, 102, 11, 3.0
_LESION_UPTAKE = 4  # lesion to normal liver
_STEPS = 200  # stored value of one CT pixel of normal liver within a PET pixel
_SLOPE_BQ_ML = 165.6  # 25 pixels of normal liver are 828 kBq/mL at the scan, 860 kBq/mL when given
ADMINISTERED_BQ = 1_600_000_000
_GIVEN_AT, _SCANNED_AT = timedelta(hours=9), timedelta(hours=12, minutes=30)


@dataclass(frozen=True, slots=True)
class Lesion:
    """A made-up lesion: a disc in every slice, at the same place in every study."""

    label: str
    row: int
    column: int

    @property
    def tracking_uid(self) -> str:
        """The lesion's UID for life."""
        return uid_from("demo", "lesion", self.label)


@dataclass(frozen=True, slots=True)
class Visit:
    """One study, and the diameter of every lesion that is there."""

    study: Study
    diameters_mm: dict[Lesion, float]


def visit(number: int, on: date, diameters_mm: dict[Lesion, float]) -> Visit:
    """The visit of the bundled patient on a day."""
    study = Study("demo", PERSON, number, on, "Liver, made-up patient, excerpt of 3 slices", "LIVER")
    return Visit(study, diameters_mm)


def read_bundled() -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """Read the CT slices (stored values) and the liver, both [slice, row, column]."""
    folder = files("connector.demo").joinpath("data")
    slices = lzma.decompress(folder.joinpath("abdomen_ct.xz").read_bytes())
    liver = lzma.decompress(folder.joinpath("liver.xz").read_bytes())
    bits = np.unpackbits(np.frombuffer(liver, np.uint8))[: int(np.prod(_SHAPE))]
    return np.frombuffer(slices, "<i2").reshape(_SHAPE), bits.reshape(_SHAPE).astype(bool)


def _disc(lesion: Lesion, diameter_mm: float) -> NDArray[np.bool_]:
    rows, columns = np.ogrid[: _SHAPE[1], : _SHAPE[2]]
    radius = diameter_mm / 2 / _PIXEL_MM
    inside: NDArray[np.bool_] = (rows - lesion.row) ** 2 + (columns - lesion.column) ** 2 <= radius**2
    return inside


def lesion_masks(visit: Visit) -> dict[Lesion, NDArray[np.bool_]]:
    """Draw the lesions of a visit, each as a mask of one slice."""
    return {lesion: _disc(lesion, diameter) for lesion, diameter in visit.diameters_mm.items()}


def ct_slices(visit: Visit) -> list[Dataset]:
    """Make the CT series of a visit: the bundled slices, darker where a lesion is."""
    slices, _ = read_bundled()
    lesions = np.any(list(lesion_masks(visit).values()), axis=0)
    series = []
    for index, stored in enumerate(slices):
        image = headers.started(visit.study, sop_class_uid=CTImageStorage, kind="ct", number=index + 1)
        image.Modality, image.SeriesNumber, image.SeriesDescription = "CT", 2, "Abdomen"
        image.Manufacturer, image.ManufacturerModelName = "GE MEDICAL SYSTEMS", "LightSpeed Ultra"
        image.SeriesTime = image.AcquisitionTime = image.ContentTime = "081500"
        image.ImageType = ["DERIVED", "PRIMARY", "AXIAL"]
        image.ImageComments = "Real slices of QIICR/dcmqi (BSD-3-Clause); patient, lesions and dates are made up"
        x, y, z = _ORIGIN_MM
        image.ImagePositionPatient = [x, y, round(z + index * _SLICE_STEP_MM, 6)]
        image.PixelSpacing, image.SliceThickness = [_PIXEL_MM, _PIXEL_MM], _SLICE_THICKNESS_MM
        image.KVP, image.ConvolutionKernel, image.PatientPosition = 120, "STANDARD", "FFS"
        image.Rows, image.Columns = stored.shape
        image.PixelPaddingValue = -2000
        image.RescaleIntercept, image.RescaleSlope, image.RescaleType = -1024, 1, "HU"
        image.WindowCenter, image.WindowWidth = 40, 400
        image.PixelData = np.where(lesions, stored - _LESION_CONTRAST_HU, stored).astype("<i2").tobytes()
        series.append(image)
    return series


def segmentation(visit: Visit, images: Sequence[Dataset]) -> Dataset:
    """Make the segmentation of a visit: the liver, and each lesion with its tracking UID."""
    _, liver = read_bundled()
    drawn = {Segment("Liver", LIVER): liver}
    for lesion, mask in lesion_masks(visit).items():
        drawn[Segment(lesion.label, LIVER, lesion.tracking_uid)] = np.broadcast_to(mask, _SHAPE)
    return headers.segmentation(visit.study, images, drawn, series_description="Liver and lesions")


def pet_slices(visit: Visit) -> list[Dataset]:
    """Make the Y-90 PET of a visit: what the microspheres would show if they went where the liver and lesions are."""
    _, liver = read_bundled()
    lesions = np.any(list(lesion_masks(visit).values()), axis=0)
    weights = np.where(lesions, _LESION_UPTAKE, liver[1].astype(np.int64))
    side = _PET_SIZE * _BLOCK
    blocks = weights[:side, :side].reshape(_PET_SIZE, _BLOCK, _PET_SIZE, _BLOCK).sum(axis=(1, 3))
    stored = (blocks * _STEPS).astype("<i2")
    return [_pet_slice(visit, index, stored) for index in range(_PET_PLANES)]


def _pet_slice(visit: Visit, index: int, stored: NDArray[np.int16]) -> Dataset:
    study = visit.study
    image = headers.started(study, sop_class_uid=PositronEmissionTomographyImageStorage, kind="pet", number=index + 1)
    midnight = datetime.combine(study.on, datetime.min.time())
    headers.describe_pet(
        image, scanned_at=midnight + _SCANNED_AT, given_at=midnight + _GIVEN_AT,
        administered_bq=ADMINISTERED_BQ, planes=_PET_PLANES,
    )  # fmt: skip
    x, y, z = _ORIGIN_MM
    middle = (_BLOCK - 1) / 2 * _PIXEL_MM
    height = z + _SLICE_STEP_MM + (index - _PET_PLANES // 2) * _PET_STEP_MM
    image.ImagePositionPatient = [round(x + middle, 6), round(y + middle, 6), round(height, 6)]
    image.PixelSpacing, image.SliceThickness = [round(_BLOCK * _PIXEL_MM, 6)] * 2, _PET_STEP_MM
    image.Rows, image.Columns = stored.shape
    image.RescaleIntercept, image.RescaleSlope = 0, _SLOPE_BQ_ML
    image.PixelData = stored.tobytes()
    return image
