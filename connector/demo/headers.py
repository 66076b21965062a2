"""What every made-up DICOM object shares: whose it is, which study, and no trace of clock or chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import highdicom as hd
import numpy as np
from highdicom.sr import CodedConcept
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import UID

from connector.dicom.identity import uid_from

LIVER = CodedConcept("10200004", "SCT", "Liver")
LUNG = CodedConcept("39607008", "SCT", "Lung")
VERTEBRA = CodedConcept("51282000", "SCT", "Vertebra")


@dataclass(frozen=True, slots=True)
class Person:
    """A person who does not exist."""

    family: str
    given: str
    patient_id: str
    issuer: str
    birth_date: date
    sex: str  # M or F


@dataclass(frozen=True, slots=True)
class Study:
    """One study of a person; `key` tells the cases apart, `number` the studies of one."""

    key: str
    person: Person
    number: int
    on: date
    description: str
    body_part: str

    def uid(self, *parts: str) -> str:
        """Make a UID that belongs to this study of this edition of the case."""
        return uid_from(self.key, self.on.isoformat(), str(self.number), *parts)


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment: an organ, or a lesion in one when it has a tracking UID."""

    label: str
    organ: CodedConcept
    tracking_uid: str = ""


def started(study: Study, *, sop_class_uid: UID, kind: str, number: int) -> Dataset:
    """Begin an image: patient, study, series, frame of reference, 16-bit pixels in an axial plane."""
    image, person = Dataset(), study.person
    image.SpecificCharacterSet = "ISO_IR 192"
    image.SOPClassUID, image.SOPInstanceUID = sop_class_uid, study.uid(kind, str(number))
    image.StudyInstanceUID, image.SeriesInstanceUID = study.uid("study"), study.uid(kind)
    image.FrameOfReferenceUID, image.PositionReferenceIndicator = study.uid("frame of reference"), None
    image.PatientName, image.PatientID = f"{person.family}^{person.given}", person.patient_id
    image.IssuerOfPatientID = person.issuer
    image.PatientBirthDate, image.PatientSex = person.birth_date.strftime("%Y%m%d"), person.sex
    image.StudyDate = image.SeriesDate = image.AcquisitionDate = image.ContentDate = study.on.strftime("%Y%m%d")
    image.StudyTime = "080000"
    image.AccessionNumber, image.StudyID = f"{study.key.upper()}{study.number}", str(study.number)
    image.StudyDescription = study.description
    image.ReferringPhysicianName = None
    image.BodyPartExamined = study.body_part
    image.InstanceNumber, image.AcquisitionNumber = number, 1
    image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
    image.PixelRepresentation = 1
    return image


def segmentation(
    study: Study, images: Sequence[Dataset], masks: Mapping[Segment, NDArray[np.bool_]], *, series_description: str
) -> Dataset:
    """Make a binary segmentation of the images: masks [slice, row, column] by segment, in their order."""
    made = hd.seg.Segmentation(
        source_images=list(images),
        pixel_array=np.stack(list(masks.values()), axis=-1).astype(np.uint8),
        segmentation_type="BINARY",
        segment_descriptions=[_described(number, one) for number, one in enumerate(masks, start=1)],
        series_instance_uid=study.uid("seg"),
        series_number=3,
        sop_instance_uid=study.uid("seg", "1"),
        instance_number=1,
        manufacturer="Demo",
        manufacturer_model_name="Made-up reader",
        software_versions="1",
        device_serial_number="1",
        series_description=series_description,
        omit_empty_frames=True,
    )
    return _without_clock(made, study)


def _described(number: int, segment: Segment) -> hd.seg.SegmentDescription:
    if not segment.tracking_uid:
        return hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=segment.label,
            segmented_property_category=CodedConcept("123037004", "SCT", "Anatomical Structure"),
            segmented_property_type=segment.organ,
            algorithm_type="MANUAL",
        )
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=segment.label,
        segmented_property_category=CodedConcept("49755003", "SCT", "Morphologically Abnormal Structure"),
        segmented_property_type=CodedConcept("14799000", "SCT", "Neoplasm, Secondary"),
        algorithm_type="MANUAL",
        tracking_id=segment.label,
        tracking_uid=segment.tracking_uid,
        anatomic_regions=[segment.organ],
    )


def _without_clock(made: Dataset, study: Study) -> Dataset:
    """Replace what highdicom takes from the clock and from chance."""
    made.InstanceCreationDate = made.ContentDate = study.on.strftime("%Y%m%d")
    made.InstanceCreationTime = made.ContentTime = "100000"
    made.SeriesDate, made.SeriesTime = study.on.strftime("%Y%m%d"), "100000"
    organization = study.uid("seg", "dimensions")
    for item in (*made.DimensionOrganizationSequence, *made.DimensionIndexSequence):
        item.DimensionOrganizationUID = organization
    del made.ContributingEquipmentSequence  # the time of the making, and a library's version
    return made


def describe_pet(
    image: Dataset, *, scanned_at: datetime, given_at: datetime, administered_bq: int, planes: int
) -> None:
    """Add what a Y-90 PET slice in Bq/mL says of scanner, timing and microspheres; decay-corrected to the scan."""
    image.Modality, image.SeriesNumber, image.SeriesDescription = "PT", 4, "Y-90 PET"
    image.Manufacturer, image.ManufacturerModelName = "Demo", "Made-up scanner"
    image.SeriesTime = image.AcquisitionTime = image.ContentTime = scanned_at.strftime("%H%M%S")
    image.ImageType = ["DERIVED", "PRIMARY"]
    image.CorrectedImage = ["DECY", "ATTN", "SCAT", "DTIM", "RAN", "NORM"]
    image.Units, image.CountsSource, image.SeriesType = "BQML", "EMISSION", ["STATIC", "IMAGE"]
    image.DecayCorrection, image.DecayFactor, image.FrameReferenceTime = "START", 1, 0
    image.CollimatorType, image.ActualFrameDuration = "NONE", 1_200_000
    image.RandomsCorrectionMethod, image.ScatterCorrectionMethod = "DLYD", "SSS"
    image.AttenuationCorrectionMethod, image.ReconstructionMethod = "measured,CT", "OSEM-TOF-PSF"
    image.DoseCalibrationFactor, image.ScatterFractionFactor, image.DeadTimeFactor = 1, 0, 1
    image.NumberOfSlices, image.ImageIndex = planes, image.InstanceNumber
    image.PatientWeight, image.PatientSize = 78, 1.76
    image.RadiopharmaceuticalInformationSequence = [_microspheres(given_at, administered_bq)]
    add_orientation(image, gantry=CodedConcept("102541002", "SCT", "feet-first"))


def add_orientation(image: Dataset, *, gantry: CodedConcept) -> None:
    """Say in codes how the patient lay: supine, and which way into the gantry."""
    recumbent = CodedConcept("102538003", "SCT", "recumbent")
    recumbent.PatientOrientationModifierCodeSequence = [CodedConcept("40199007", "SCT", "supine")]
    image.PatientOrientationCodeSequence = [recumbent]
    image.PatientGantryRelationshipCodeSequence = [gantry]


def _microspheres(given_at: datetime, administered_bq: int) -> Dataset:
    item = Dataset()
    item.Radiopharmaceutical = "Y-90 microspheres"
    item.RadiopharmaceuticalStartTime = given_at.strftime("%H%M%S")
    item.RadiopharmaceuticalStartDateTime = given_at.strftime("%Y%m%d%H%M%S")
    item.RadionuclideTotalDose = administered_bq
    item.RadionuclideHalfLife, item.RadionuclidePositronFraction = 230760, Decimal("0.0000319")
    item.RadionuclideCodeSequence = [CodedConcept("14691008", "SCT", "^90^Yttrium")]
    item.RadiopharmaceuticalCodeSequence = [CodedConcept("764678003", "SCT", "Yttrium^90^ microspheres")]
    item.AdministrationRouteCodeSequence = [CodedConcept("58100008", "SCT", "Intra-arterial route")]
    return item
