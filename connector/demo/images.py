"""The images of the bundled case: real CT slices, with a made-up patient, lesions, segmentations and Y-90 PET."""

import lzma
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from importlib.resources import files

import highdicom as hd
import numpy as np
from highdicom.sr import CodedConcept
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import UID, CTImageStorage, PositronEmissionTomographyImageStorage

from connector.dicom.identity import uid_from

FAMILY_NAME, GIVEN_NAME = "Fictitious", "Demo"
PATIENT_ID, ISSUER = "DEMO-0001", "DEMO-HOSPITAL"
BIRTH_DATE = date(1961, 2, 3)

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

_LIVER = CodedConcept("10200004", "SCT", "Liver")


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
    """One study: its day, and the diameter of every lesion that is there."""

    number: int
    on: date
    diameters_mm: dict[Lesion, float]

    def uid(self, *parts: str) -> str:
        """Make a UID that belongs to this study of this edition of the case."""
        return uid_from("demo", self.on.isoformat(), str(self.number), *parts)


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


def _started(visit: Visit, *, sop_class_uid: UID, kind: str, number: int) -> Dataset:
    """Begin an object: patient, study, series, frame of reference."""
    image = Dataset()
    image.SpecificCharacterSet = "ISO_IR 192"
    image.SOPClassUID, image.SOPInstanceUID = sop_class_uid, visit.uid(kind, str(number))
    image.StudyInstanceUID, image.SeriesInstanceUID = visit.uid("study"), visit.uid(kind)
    image.FrameOfReferenceUID, image.PositionReferenceIndicator = visit.uid("frame of reference"), None
    image.PatientName, image.PatientID, image.IssuerOfPatientID = f"{FAMILY_NAME}^{GIVEN_NAME}", PATIENT_ID, ISSUER
    image.PatientBirthDate, image.PatientSex = BIRTH_DATE.strftime("%Y%m%d"), "M"
    image.StudyDate = image.SeriesDate = image.AcquisitionDate = image.ContentDate = visit.on.strftime("%Y%m%d")
    image.StudyTime = "080000"
    image.AccessionNumber, image.StudyID = f"DEMO{visit.number}", str(visit.number)
    image.StudyDescription = "Liver, made-up patient, excerpt of 3 slices"
    image.ReferringPhysicianName = None
    image.BodyPartExamined = "LIVER"
    image.InstanceNumber, image.AcquisitionNumber = number, 1
    image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
    image.PixelRepresentation = 1
    return image


def ct_slices(visit: Visit) -> list[Dataset]:
    """Make the CT series of a visit: the bundled slices, darker where a lesion is."""
    slices, _ = read_bundled()
    lesions = np.any(list(lesion_masks(visit).values()), axis=0)
    series = []
    for index, stored in enumerate(slices):
        image = _started(visit, sop_class_uid=CTImageStorage, kind="ct", number=index + 1)
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
    masks = lesion_masks(visit)
    everything = np.stack([liver, *(np.broadcast_to(mask, _SHAPE) for mask in masks.values())], axis=-1)
    made = hd.seg.Segmentation(
        source_images=list(images),
        pixel_array=everything.astype(np.uint8),
        segmentation_type="BINARY",
        segment_descriptions=[_liver_segment(), *(_lesion_segment(at, one) for at, one in enumerate(masks, start=2))],
        series_instance_uid=visit.uid("seg"),
        series_number=3,
        sop_instance_uid=visit.uid("seg", "1"),
        instance_number=1,
        manufacturer="Demo",
        manufacturer_model_name="Made-up reader",
        software_versions="1",
        device_serial_number="1",
        series_description="Liver and lesions",
        omit_empty_frames=True,
    )
    return _without_clock(made, visit)


def _liver_segment() -> hd.seg.SegmentDescription:
    return hd.seg.SegmentDescription(
        segment_number=1,
        segment_label="Liver",
        segmented_property_category=CodedConcept("123037004", "SCT", "Anatomical Structure"),
        segmented_property_type=_LIVER,
        algorithm_type="MANUAL",
    )


def _lesion_segment(number: int, lesion: Lesion) -> hd.seg.SegmentDescription:
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=lesion.label,
        segmented_property_category=CodedConcept("49755003", "SCT", "Morphologically Abnormal Structure"),
        segmented_property_type=CodedConcept("14799000", "SCT", "Neoplasm, Secondary"),
        algorithm_type="MANUAL",
        tracking_id=lesion.label,
        tracking_uid=lesion.tracking_uid,
        anatomic_regions=[_LIVER],
    )


def _without_clock(made: Dataset, visit: Visit) -> Dataset:
    """Replace what highdicom takes from the clock and from chance."""
    made.InstanceCreationDate = made.ContentDate = visit.on.strftime("%Y%m%d")
    made.InstanceCreationTime = made.ContentTime = "100000"
    made.SeriesDate, made.SeriesTime = visit.on.strftime("%Y%m%d"), "100000"
    organization = visit.uid("seg", "dimensions")
    for item in (*made.DimensionOrganizationSequence, *made.DimensionIndexSequence):
        item.DimensionOrganizationUID = organization
    del made.ContributingEquipmentSequence  # the time of the making, and a library's version
    return made


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
    image = _started(visit, sop_class_uid=PositronEmissionTomographyImageStorage, kind="pet", number=index + 1)
    midnight = datetime.combine(visit.on, datetime.min.time())
    scanned = (midnight + _SCANNED_AT).strftime("%H%M%S")
    image.Modality, image.SeriesNumber, image.SeriesDescription = "PT", 4, "Y-90 PET"
    image.Manufacturer, image.ManufacturerModelName = "Demo", "Made-up scanner"
    image.SeriesTime = image.AcquisitionTime = image.ContentTime = scanned
    image.ImageType = ["DERIVED", "PRIMARY"]
    x, y, z = _ORIGIN_MM
    middle = (_BLOCK - 1) / 2 * _PIXEL_MM
    height = z + _SLICE_STEP_MM + (index - _PET_PLANES // 2) * _PET_STEP_MM
    image.ImagePositionPatient = [round(x + middle, 6), round(y + middle, 6), round(height, 6)]
    image.PixelSpacing, image.SliceThickness = [round(_BLOCK * _PIXEL_MM, 6)] * 2, _PET_STEP_MM
    image.Rows, image.Columns = stored.shape
    image.RescaleIntercept, image.RescaleSlope = 0, _SLOPE_BQ_ML
    image.PixelData = stored.tobytes()
    image.CorrectedImage = ["DECY", "ATTN", "SCAT", "DTIM", "RAN", "NORM"]
    image.Units, image.CountsSource, image.SeriesType = "BQML", "EMISSION", ["STATIC", "IMAGE"]
    image.DecayCorrection, image.DecayFactor, image.FrameReferenceTime = "START", 1, 0
    image.CollimatorType, image.ActualFrameDuration = "NONE", 1_200_000
    image.RandomsCorrectionMethod, image.ScatterCorrectionMethod = "DLYD", "SSS"
    image.AttenuationCorrectionMethod, image.ReconstructionMethod = "measured,CT", "OSEM-TOF-PSF"
    image.DoseCalibrationFactor, image.ScatterFractionFactor, image.DeadTimeFactor = 1, 0, 1
    image.NumberOfSlices, image.ImageIndex = _PET_PLANES, index + 1
    image.PatientWeight, image.PatientSize = 78, 1.76
    image.RadiopharmaceuticalInformationSequence = [_microspheres(midnight + _GIVEN_AT)]
    supine = CodedConcept("40199007", "SCT", "supine")
    recumbent = CodedConcept("102538003", "SCT", "recumbent")
    recumbent.PatientOrientationModifierCodeSequence = [supine]
    image.PatientOrientationCodeSequence = [recumbent]
    image.PatientGantryRelationshipCodeSequence = [CodedConcept("102541002", "SCT", "feet-first")]
    return image


def _microspheres(given: datetime) -> Dataset:
    item = Dataset()
    item.Radiopharmaceutical = "Y-90 microspheres"
    item.RadiopharmaceuticalStartTime = given.strftime("%H%M%S")
    item.RadiopharmaceuticalStartDateTime = given.strftime("%Y%m%d%H%M%S")
    item.RadionuclideTotalDose = ADMINISTERED_BQ
    item.RadionuclideHalfLife, item.RadionuclidePositronFraction = 230760, 0.0000319
    item.RadionuclideCodeSequence = [CodedConcept("14691008", "SCT", "^90^Yttrium")]
    item.RadiopharmaceuticalCodeSequence = [CodedConcept("764678003", "SCT", "Yttrium^90^ microspheres")]
    item.AdministrationRouteCodeSequence = [CodedConcept("58100008", "SCT", "Intra-arterial route")]
    return item
