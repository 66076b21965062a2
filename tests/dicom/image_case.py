"""Small DICOM objects made on the spot, each attribute changeable, for the reading tests."""

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels.utils import pack_bits
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from connector.dicom.headers import quiet

CT, PET, NM = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.20"
SEG, LABELMAP = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"
ENHANCED_PET = "1.2.840.10008.5.1.4.1.1.130"
REPORT, STRUCTURES = "1.2.840.10008.5.1.4.1.1.88.34", "1.2.840.10008.5.1.4.1.1.481.3"
DATA = Path(__file__).parents[1] / "data" / "dicom"
ABSENT = object()


def item(**values):
    dataset = Dataset()
    set_all(dataset, values)
    return dataset


def set_all(dataset, values):
    """Set or take away attributes; a value may be one that its VR does not allow."""
    for keyword, value in values.items():
        if value is ABSENT:
            if keyword in dataset:
                delattr(dataset, keyword)
        else:
            with quiet():
                setattr(dataset, keyword, Sequence(value) if isinstance(value, list) and _items(value) else value)


def _items(value):
    return bool(value) and isinstance(value[0], Dataset)


def code(value, scheme, meaning):
    return [item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)]


def instance(sop_class, uid, **changes):
    """An object of the test patient's one study, without pixels."""
    dataset = item(
        SOPClassUID=sop_class, SOPInstanceUID=uid, StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.1",
        PatientID="P1", IssuerOfPatientID="HOSPITAL", PatientName="TEST^CASE", PatientBirthDate="19600101",
        PatientSex="F", StudyDate="20260102", StudyTime="120000", Modality="OT", FrameOfReferenceUID="1.2.9",
    )  # fmt: skip
    set_all(dataset, changes)
    return dataset


def save(dataset, path, transfer_syntax=ExplicitVRLittleEndian):
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = transfer_syntax
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def pixels(values):
    values = np.asarray(values)
    bits = values.dtype.itemsize * 8
    return {
        "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "Rows": values.shape[-2],
        "Columns": values.shape[-1], "BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1,
        "PixelRepresentation": int(values.dtype.kind == "i"), "PixelData": values.tobytes(),
    }  # fmt: skip


def slices(folder, planes, sop_class=CT, series="1.2.3.1", **changes):
    """
    A series of single slices, 4 mm apart, pixels of 2 x 2 mm; `planes` is an integer array [plane, row, column].

    A change may be a function of the plane's number.
    """
    paths = []
    for number, values in enumerate(planes):
        dataset = instance(
            sop_class, f"{series}.{number + 1}", SeriesInstanceUID=series, InstanceNumber=number + 1,
            Modality={CT: "CT", PET: "PT"}[sop_class], ImagePositionPatient=[-10, -20, 4 * number],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0], PixelSpacing=[2, 2], SliceThickness=4,
            RescaleSlope=1, RescaleIntercept=0, **pixels(values),
        )  # fmt: skip
        set_all(dataset, {key: value(number) if callable(value) else value for key, value in changes.items()})
        paths.append(save(dataset, folder / f"{series}-{number:03}.dcm"))
    return paths


Y90 = {
    "RadionuclideCodeSequence": code("14691008", "SCT", "^90^Yttrium"),
    "RadionuclideHalfLife": "230760",
    "RadionuclideTotalDose": "2000000000",
    "RadiopharmaceuticalStartDateTime": "20260102080000",
    "RadiopharmaceuticalStartTime": "080000",
    "RadionuclidePositronFraction": "0.0000319",
}


def radiopharmaceutical(**changes):
    made = item(**Y90)
    set_all(made, changes)
    return [made]


def pet(folder, planes=None, *, drug=None, **changes):
    """A Y-90 PET scanned at 12:00, given at 08:00 the same day, 1000 Bq/mL everywhere unless planes are given."""
    planes = np.full((3, 4, 5), 1000, dtype=np.int16) if planes is None else planes
    given = {
        "Units": "BQML", "DecayCorrection": "START", "CorrectedImage": ["DECY", "ATTN"],
        "SeriesType": ["STATIC", "IMAGE"], "SeriesDate": "20260102", "SeriesTime": "120000",
        "AcquisitionDate": "20260102", "AcquisitionTime": "120000", "ActualFrameDuration": "1200000",
        "FrameReferenceTime": "0", "RadiopharmaceuticalInformationSequence": radiopharmaceutical(**(drug or {})),
    }  # fmt: skip
    return slices(folder, planes, PET, "1.2.3.2", **{**given, **changes})


def spect(folder, planes, **changes):
    """A reconstructed NM volume of counts, 4 mm planes, 2 mm pixels, first plane at z = 0."""
    planes = np.asarray(planes, dtype=np.uint16)
    detector = item(ImagePositionPatient=[-10, -20, 0], ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    dataset = instance(
        NM, "1.2.3.4.1", SeriesInstanceUID="1.2.3.4", Modality="NM", NumberOfFrames=len(planes),
        ImageType=["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"], FrameIncrementPointer=0x00540080,
        SliceVector=list(range(1, len(planes) + 1)), NumberOfSlices=len(planes), SpacingBetweenSlices=4,
        SliceThickness=4, PixelSpacing=[2, 2], DetectorInformationSequence=[detector],
        AcquisitionDate="20260102", AcquisitionTime="120000",
        RadiopharmaceuticalInformationSequence=[
            item(
                Radiopharmaceutical="Tc-99m MAA", RadionuclideTotalDose="150",
                RadiopharmaceuticalStartTime="110000",
                RadionuclideCodeSequence=code("72454006", "SCT", "^99m^Technetium"),
            )
        ], **pixels(planes),
    )  # fmt: skip
    set_all(dataset, changes)
    return save(dataset, folder / "spect.dcm")


LESION = ("14799000", "SCT", "Neoplasm, Secondary")
LIVER = ("10200004", "SCT", "Liver")


def segment(number, kind=LESION, **changes):
    category = (
        ("49755003", "SCT", "Morphologically Abnormal Structure")
        if kind == LESION
        else ("123037004", "SCT", "Anatomical Structure")
    )
    made = item(
        SegmentNumber=number, SegmentLabel=f"S{number}", SegmentAlgorithmType="MANUAL",
        SegmentedPropertyCategoryCodeSequence=code(*category), SegmentedPropertyTypeCodeSequence=code(*kind),
        TrackingID=f"T{number:02}", TrackingUID=f"1.9.{number}",
    )  # fmt: skip
    set_all(made, changes)
    return made


def segmentation(folder, masks, described, *, kind="BINARY", maximum=255, sources=(), name="seg.dcm", **changes):
    """
    A segmentation on the grid of `slices`: `masks` is {segment number: array [plane, row, column]}.

    BINARY wants booleans, FRACTIONAL whole numbers up to `maximum`, LABELMAP one array under the key None.
    """
    frames = [
        (number, plane, values)
        for number, mask in masks.items()
        for plane, values in enumerate(np.asarray(mask))
        if values.any() or kind == "LABELMAP"
    ]
    stacked = np.stack([values for _, _, values in frames]).astype(np.uint8)
    dataset = instance(
        LABELMAP if kind == "LABELMAP" else SEG, "1.2.3.5.1", SeriesInstanceUID="1.2.3.5", Modality="SEG",
        SegmentationType=kind, NumberOfFrames=len(frames), SegmentSequence=described, **pixels(stacked),
    )  # fmt: skip
    if kind == "BINARY":
        set_all(dataset, {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0, "PixelData": pack_bits(stacked)})
    if kind == "FRACTIONAL":
        dataset.MaximumFractionalValue = maximum
    dataset.SharedFunctionalGroupsSequence = [
        item(
            PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
            PixelMeasuresSequence=[item(PixelSpacing=[2, 2], SliceThickness=4)],
        )
    ]
    dataset.PerFrameFunctionalGroupsSequence = [_frame(number, plane) for number, plane, _ in frames]
    if sources:
        dataset.ReferencedSeriesSequence = [
            item(SeriesInstanceUID="1.2.3.1", ReferencedInstanceSequence=[
                item(ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID=uid) for uid in sources
            ])
        ]  # fmt: skip
    set_all(dataset, changes)
    return save(dataset, folder / name)


def _frame(number, plane):
    made = item(PlanePositionSequence=[item(ImagePositionPatient=[-10, -20, 4 * plane])])
    if number is not None:
        made.SegmentIdentificationSequence = [item(ReferencedSegmentNumber=number)]
    return made


def content(kind, name, relation="CONTAINS", **values):
    return item(RelationshipType=relation, ValueType=kind, ConceptNameCodeSequence=code(*name), **values)


def number(name, value, unit="mm", **changes):
    measured = item(NumericValue=value, MeasurementUnitsCodeSequence=code(unit, "UCUM", unit))
    made = content("NUM", name, MeasuredValueSequence=[measured])
    set_all(made, changes)
    return made


def coded(name, value, relation="CONTAINS"):
    return content("CODE", name, relation, ConceptCodeSequence=code(*value))


LONG, SHORT = ("103339001", "SCT", "Long axis"), ("103340004", "SCT", "Short axis")
FINDING, SITE = ("121071", "DCM", "Finding"), ("363698007", "SCT", "Finding Site")
CATEGORY = ("112016", "DCM", "Baseline Category")


def group(*items, label="T01", uid="1.9.1"):
    """A measurement group with tracking identifiers."""
    tracking = []
    if label:
        tracking.append(content("TEXT", ("112039", "DCM", "Tracking Identifier"), "HAS OBS CONTEXT", TextValue=label))
    if uid:
        tracking.append(content("UIDREF", ("112040", "DCM", "Tracking UID"), "HAS OBS CONTEXT", UID=uid))
    return content("CONTAINER", ("125007", "DCM", "Measurement Group"), ContentSequence=[*tracking, *items])


def report(folder, *groups, name="report.dcm", observers=(), **changes):
    """A report of measurement groups; `observers` are the persons of its observation context."""
    context = [
        content("PNAME", ("121008", "DCM", "Person Observer Name"), "HAS OBS CONTEXT", PersonName=person)
        for person in observers
    ]
    measurements = content("CONTAINER", ("126010", "DCM", "Imaging Measurements"), ContentSequence=list(groups))
    dataset = instance(
        REPORT, "1.2.3.6.1", SeriesInstanceUID="1.2.3.6", Modality="SR", ValueType="CONTAINER",
        ContentSequence=[*context, measurements],
    )  # fmt: skip
    set_all(dataset, changes)
    return save(dataset, folder / name)


def structures(folder, drawn, *, types=None, sources=(), **changes):
    """A structure set: `drawn` is {name: list of contours}, a contour an array of (x, y, z) places in mm."""
    dataset = instance(STRUCTURES, "1.2.3.7.1", SeriesInstanceUID="1.2.3.7", Modality="RTSTRUCT")
    dataset.StructureSetROISequence = [
        item(ROINumber=number, ROIName=name, ReferencedFrameOfReferenceUID="1.2.9")
        for number, name in enumerate(drawn, 1)
    ]
    dataset.ROIContourSequence = [
        item(ReferencedROINumber=number, ContourSequence=[
            item(ContourGeometricType="CLOSED_PLANAR", NumberOfContourPoints=len(each),
                 ContourData=[float(value) for value in np.ravel(each)])
            for each in contours
        ])
        for number, contours in enumerate(drawn.values(), 1)
    ]  # fmt: skip
    dataset.RTROIObservationsSequence = [
        item(ObservationNumber=number, ReferencedROINumber=number, RTROIInterpretedType=kind)
        for number, kind in enumerate(types or [], 1)
    ]
    if sources:
        series = item(SeriesInstanceUID="1.2.3.1", ContourImageSequence=[
            item(ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID=uid) for uid in sources
        ])  # fmt: skip
        study = item(ReferencedSOPInstanceUID="1.2.3", RTReferencedSeriesSequence=[series])
        dataset.ReferencedFrameOfReferenceSequence = [
            item(FrameOfReferenceUID="1.2.9", RTReferencedStudySequence=[study])
        ]
    set_all(dataset, changes)
    return save(dataset, folder / "structures.dcm")
