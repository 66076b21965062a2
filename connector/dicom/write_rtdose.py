"""Writes the voxel dose map as a DICOM RT Dose that planning systems and viewers overlay on the images."""

import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import ROUND_CEILING, Context, Decimal
from hashlib import sha256
from io import BytesIO
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmwrite
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dicom_codes
from pydicom.tag import Tag
from pydicom.uid import RTDoseStorage, RTPlanStorage
from pydicom.valuerep import format_number_as_ds

from connector.core.assessment import DoseReport
from connector.core.case import VolumeGeometry
from connector.core.errors import ImpossibleInput
from connector.dicom.headers import quiet
from connector.dicom.write_dvh import add_dvh
from connector.dicom.write_header import (
    StudyHeader,
    document_of,
    file_meta_of,
    finish_document,
    number_after_rejections,
    part_10,
    plain,
    read_study_header,
    reference,
    series_references,
    start_document,
)
from connector.dicom.write_rtplan import KIND as PLAN
from connector.dicom.write_rtplan import plan_of
from connector.dicom.write_sr_groups import dose_parameters
from connector.ports import Document, WriteRequest

_LONGEST_PIXEL_DATA = 2**32 - 2  # an explicit, even length in 32 bits
_SAME_DIRECTION = 1e-3  # tolerated error of a cosine, as in headers of scanners
_SIGNIFICANT_DIGITS = Context(prec=11, rounding=ROUND_CEILING)  # with point and exponent 16 characters, all a DS holds
_LONG_STRING, _SHORT_TEXT, _SHORT_STRING = 64, 1024, 16


class DoseMapWriter:
    """
    Writes an RT Dose with the summation type PLAN_OVERVIEW, or PLAN and a minimal RT Plan.

    The overview needs no plan (PS3.3 C.8.8.3). The dose is stored in 32 or 16 bits per voxel as whole multiples of Dose
    Grid Scaling; the error is at most half of that. Nothing in it depends on the day or on the rules, so that the same
    dose map is the same object whenever the patient is assessed again. Dose-volume statistics stand in the report;
    curves are here too for regions that are contours of a structure set, which alone the RT DVH module can name.
    """

    def __init__(self, bits: Literal[16, 32] = 32, *, plan: bool = False) -> None:
        self._bits = bits
        self._plan = plan

    def write(self, request: WriteRequest) -> Sequence[Document]:
        """
        Make the RT Plan, if one is wanted, and the RT Dose; none without a dose map.

        Raises ImpossibleInput (grid, dose values, files of the study).
        """
        dose = request.assessment.dose
        if dose is None:
            return []
        buffer = BytesIO()
        document = self.stream(request, dose, buffer)
        written = [document_of("rtdose", document, buffer.getvalue())]
        if self._plan:
            with quiet():
                plan = plan_of(request, dose, read_study_header(request))
                written.insert(0, document_of(PLAN, plan, part_10(plan)))
        return written

    def stream(self, request: WriteRequest, dose: DoseReport, file: BinaryIO) -> Dataset:
        """Write the RT Dose plane by plane into an open file; returns its header. Raises as `write`."""
        with quiet():
            document = _header(request, dose, self._bits, with_plan=self._plan)
            planes = _ascending_planes(dose)
            # Plane by plane, because hashing is the slowest part and planes can be hashed side by side.
            with ThreadPoolExecutor(2) as pool:
                finish_document("rtdose", document, pool.map(_digest, planes))
            document.file_meta = file_meta_of(document)
            dcmwrite(file, document, enforce_file_format=True)
        scaling = float(document.DoseGridScaling)
        _write_pixel_data(file, dose, scaling_gy=scaling, bits=self._bits)
        return document


def dose_grid_scaling(peak_gy: float, bits: Literal[16, 32]) -> str:
    """
    Choose the Dose Grid Scaling: the smallest value of a DS (16 characters) with which the peak still fits.

    It is rounded up and the voxels are divided by the rounded value, so the peak can never wrap around to zero. A map
    of zeros gets 1.
    """
    if peak_gy == 0:
        return "1"
    exact = Decimal(peak_gy) / (2**bits - 1)
    text = f"{_SIGNIFICANT_DIGITS.create_decimal(exact):.10e}"
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent):+03d}"


def _ascending_planes(dose: DoseReport) -> Iterator[NDArray[np.float32]]:
    """Yield the planes in the order of the normal of their rows and columns."""
    count = dose.geometry.shape[0]
    order = range(count) if _rises(dose.geometry) else range(count - 1, -1, -1)
    return (np.ascontiguousarray(dose.dose_gy[index], dtype=np.float32) for index in order)


def _digest(plane: NDArray[np.float32]) -> bytes:
    return sha256(plane.data).digest()


def _write_pixel_data(file: BinaryIO, dose: DoseReport, *, scaling_gy: float, bits: Literal[16, 32]) -> None:
    length = int(np.prod(dose.geometry.shape)) * bits // 8
    padding = length % 2
    tag = Tag("PixelData")
    file.write(struct.pack("<HH2s2xL", tag.group, tag.element, b"OW", length + padding))
    levels = np.empty(dose.geometry.shape[1:], dtype=np.float64)
    stored = np.empty(levels.shape, dtype=f"<u{bits // 8}")
    for plane in _ascending_planes(dose):
        # NumPy would divide float32 by a Python float in float32, which is wrong by 1e-5 Gy and can wrap the peak.
        np.divide(plane, np.float64(scaling_gy), out=levels, dtype=np.float64)
        np.copyto(stored, np.rint(levels, out=levels), casting="unsafe")
        file.write(stored.data)
    file.write(b"\0" * padding)


def _peak_gy(dose: DoseReport) -> float:
    peak = 0.0
    for plane in dose.dose_gy:
        lowest, highest = float(plane.min()), float(plane.max())
        if not (np.isfinite(lowest) and np.isfinite(highest)) or lowest < 0:
            raise ImpossibleInput(
                "the dose map holds a negative or infinite dose or none at all in a voxel: an RT Dose cannot say that; "
                "check the activity map"
            )
        peak = max(peak, highest)
    return peak


def _header(request: WriteRequest, dose: DoseReport, bits: Literal[16, 32], *, with_plan: bool) -> Dataset:
    _check_grid(dose, bits)
    study = read_study_header(request)
    document = start_document(
        study,
        request,
        kind="rtdose",
        sop_class_uid=RTDoseStorage,
        modality="RTDOSE",
        description=f"{dose.nuclide} absorbed dose (draft)",
    )
    document.OperatorsName = None
    document.InstanceNumber = number_after_rejections(request)
    document.ImageType = ["DERIVED", "PRIMARY"]
    _add_grid(document, dose.geometry)
    _add_pixel_description(document, dose, bits)
    _add_dose(document, dose)
    if with_plan:
        plan = plan_of(request, dose, study)
        document.DoseSummationType = "PLAN"
        document.ReferencedRTPlanSequence = [reference(RTPlanStorage, str(plan.SOPInstanceUID))]
    else:
        _add_overview(document, dose)
    _add_sources(document, dose, study)
    add_dvh(document, dose, request.regions, study)
    return document


def _check_grid(dose: DoseReport, bits: int) -> None:
    grid = dose.geometry
    if dose.dose_gy.shape != grid.shape:
        raise ImpossibleInput(f"the dose map is {dose.dose_gy.shape} but its grid {grid.shape}: they must be equal")
    if int(np.prod(grid.shape)) * bits // 8 > _LONGEST_PIXEL_DATA:
        raise ImpossibleInput("the dose map is above 4 GiB, which no RT Dose holds: choose 16 bits or crop it")
    if min(grid.spacing_mm) <= 0:
        raise ImpossibleInput(f"the grid's spacing {grid.spacing_mm} mm is not positive: correct the geometry")
    axes = np.array([grid.plane_direction, grid.row_step_direction, grid.column_step_direction])
    if not np.allclose(axes @ axes.T, np.eye(3), atol=_SAME_DIRECTION):
        raise ImpossibleInput(
            "the grid's axes are not perpendicular unit vectors: an RT Dose cannot hold a sheared grid"
        )


def _rises(grid: VolumeGeometry) -> bool:
    normal = np.cross(grid.column_step_direction, grid.row_step_direction)
    return float(np.dot(grid.plane_direction, normal)) > 0


def _number(value: float) -> str:
    # Adding zero turns -0.0 into 0.0.
    return format_number_as_ds(float(value) + 0.0)


def _add_grid(document: Dataset, grid: VolumeGeometry) -> None:
    """Frame of Reference, Image Plane and Multi-frame; frames in the order of the normal, offsets relative from 0."""
    planes, rows, columns = grid.shape
    between_planes, between_rows, between_columns = grid.spacing_mm
    first = 0 if _rises(grid) else planes - 1
    origin = np.array(grid.origin_mm) + first * between_planes * np.array(grid.plane_direction)
    document.FrameOfReferenceUID = grid.frame_of_reference_uid
    document.PositionReferenceIndicator = None
    document.ImagePositionPatient = [_number(each) for each in origin]
    document.ImageOrientationPatient = [_number(x) for x in (*grid.column_step_direction, *grid.row_step_direction)]
    document.PixelSpacing = [_number(between_rows), _number(between_columns)]
    document.SliceThickness = _number(between_planes)
    document.Rows, document.Columns = rows, columns
    if planes > 1:  # a single plane is no multi-frame image, and the offset vector has at least two values
        document.NumberOfFrames = planes
        document.FrameIncrementPointer = Tag("GridFrameOffsetVector")
        document.GridFrameOffsetVector = [_number(index * between_planes) for index in range(planes)]


def _add_pixel_description(document: Dataset, dose: DoseReport, bits: Literal[16, 32]) -> None:
    document.SamplesPerPixel = 1
    document.PhotometricInterpretation = "MONOCHROME2"
    document.BitsAllocated = document.BitsStored = bits
    document.HighBit = bits - 1
    document.PixelRepresentation = 0
    document.DoseGridScaling = dose_grid_scaling(_peak_gy(dose), bits)


def _add_dose(document: Dataset, dose: DoseReport) -> None:
    """RT Dose module: what was calculated, and how."""
    how = plain(dose_parameters(dose))
    document.DoseUnits = "GY"
    document.DoseType = "PHYSICAL"
    document.DoseComment = how[:_LONG_STRING]
    document.DerivationDescription = how[:_SHORT_TEXT]


def _add_overview(document: Dataset, dose: DoseReport) -> None:
    """Describe the administration in place of a plan."""
    document.DoseSummationType = "PLAN_OVERVIEW"
    overview = Dataset()
    overview.PlanOverviewIndex = 1
    overview.RTPlanLabel = plain(f"{dose.nuclide} given")[:_SHORT_STRING]
    overview.NumberOfFractionsIncluded = 1
    overview.TreatmentSite = None
    overview.TreatmentSiteCodeSequence = []
    overview.PrescriptionOverviewSequence = []
    document.PlanOverviewSequence = [overview]


def _add_sources(document: Dataset, dose: DoseReport, study: StudyHeader) -> None:
    sources = [found for uid in sorted(dose.sop_instance_uids) if (found := study.instance(uid)) is not None]
    if not sources:
        return
    purpose = Dataset()
    code = dicom_codes.DCM.SourceImageForImageProcessingOperation
    purpose.CodeValue, purpose.CodingSchemeDesignator, purpose.CodeMeaning = (
        code.value,
        code.scheme_designator,
        code.meaning,
    )
    document.SourceImageSequence = []
    for source in sources:
        item = reference(source.sop_class_uid, source.sop_instance_uid)
        item.PurposeOfReferenceCodeSequence = [purpose]
        document.SourceImageSequence.append(item)
    document.ReferencedSeriesSequence = series_references(
        [(source.series_instance_uid, source.sop_class_uid, source.sop_instance_uid) for source in sources],
        "ReferencedInstanceSequence",
    )
