"""The phantom as DICOM: CT, its segmentation, Tc-99m MAA SPECT before treatment and Y-90 PET after it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
from highdicom.sr import CodedConcept
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, NuclearMedicineImageStorage, PositronEmissionTomographyImageStorage

from connector.demo import headers, phantom
from connector.demo.headers import LIVER, LUNG, VERTEBRA, Segment, Study
from connector.demo.phantom import ORIGIN_MM, PIXEL_MM, SHAPE, SLICE_MM, Sphere, Uptake
from connector.dicom.identity import uid_from

_ORGAN_CODES = {"liver": LIVER, "lung": LUNG, "bone": VERTEBRA}
_NOISE_HU = 9.0
_NUCLEAR_BLOCK = 2  # one pixel of SPECT and PET covers 2 x 2 pixels of the CT, on the same slices
_GIVEN_AT, _SCANNED_AT = timedelta(hours=9), timedelta(hours=13)
_Y90_HALF_LIFE_H = 64.1
_MAA_MBQ = 150
_MAA_MOST_COUNTS = 12_000


@dataclass(frozen=True, slots=True)
class PhantomVisit:
    """One study of a phantom patient: its lesions, and what was injected when there is a nuclear scan."""

    study: Study
    lesions: tuple[Sphere, ...]
    work_up: Uptake | None = None
    treatment: Uptake | None = None


def ct_slices(visit: PhantomVisit) -> list[Dataset]:
    """Make the CT of a visit, feet to head."""
    image_hu = phantom.hounsfield(visit.lesions, noise_hu=_NOISE_HU, seed=visit.study.number)
    return [_ct_slice(visit.study, index, plane) for index, plane in enumerate(image_hu)]


def _ct_slice(study: Study, index: int, plane_hu: NDArray[np.int16]) -> Dataset:
    image = headers.started(study, sop_class_uid=CTImageStorage, kind="ct", number=index + 1)
    image.Modality, image.SeriesNumber, image.SeriesDescription = "CT", 2, "Trunk, portal venous phase"
    image.Manufacturer, image.ManufacturerModelName = "Demo", "Phantom of ellipsoids"
    image.SeriesTime = image.AcquisitionTime = image.ContentTime = "081500"
    image.ImageType = ["DERIVED", "PRIMARY", "AXIAL"]
    x, y, z = ORIGIN_MM
    image.ImagePositionPatient = [x, y, z + index * SLICE_MM]
    image.PixelSpacing, image.SliceThickness = [PIXEL_MM, PIXEL_MM], SLICE_MM
    image.KVP, image.ConvolutionKernel, image.PatientPosition = 120, "STANDARD", "HFS"
    image.Rows, image.Columns = plane_hu.shape
    image.RescaleIntercept, image.RescaleSlope, image.RescaleType = -1024, 1, "HU"
    image.WindowCenter, image.WindowWidth = 40, 400
    image.PixelData = (plane_hu + 1024).astype("<i2").tobytes()
    return image


def segmentation(visit: PhantomVisit, images: Sequence[Dataset]) -> Dataset:
    """Make the segmentation of a visit: liver, lungs, and each lesion with its tracking UID."""
    drawn = {
        Segment("Liver", LIVER): phantom.organ_mask("liver"),
        Segment("Lungs", LUNG): phantom.organ_mask("lung"),
    }
    for lesion in visit.lesions:
        tracking_uid = uid_from(visit.study.key, "lesion", lesion.label)
        drawn[Segment(lesion.label, _ORGAN_CODES[lesion.organ], tracking_uid)] = phantom.sphere_mask(lesion)
    return headers.segmentation(visit.study, images, drawn, series_description="Liver, lungs and lesions")


def _blocks(volume: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over the CT pixels that one nuclear pixel covers."""
    slices, rows, columns = SHAPE
    by_block = volume.reshape(slices, rows // _NUCLEAR_BLOCK, _NUCLEAR_BLOCK, columns // _NUCLEAR_BLOCK, _NUCLEAR_BLOCK)
    means: NDArray[np.float64] = by_block.mean(axis=(2, 4))
    return means


def _nuclear_origin_mm(index: int) -> list[float]:
    x, y, z = ORIGIN_MM
    middle = (_NUCLEAR_BLOCK - 1) / 2 * PIXEL_MM
    return [x + middle, y + middle, z + index * SLICE_MM]


def pet_slices(visit: PhantomVisit) -> list[Dataset]:
    """Make the Y-90 PET of a visit; raises ValueError for a visit without treatment."""
    if visit.treatment is None:
        raise ValueError("the visit has no treatment: there is nothing to scan")
    waited_h = (_SCANNED_AT - _GIVEN_AT).total_seconds() / 3600
    given = phantom.concentration_bq_per_ml(visit.lesions, visit.treatment)
    at_scan = _blocks(given) * 0.5 ** (waited_h / _Y90_HALF_LIFE_H)
    # Sixteen decimal characters hold a DS; the slope is rounded first so that values and header agree.
    slope = float(f"{at_scan.max() / 32_000:.6g}")
    stored = np.rint(at_scan / slope).astype("<i2")
    return [_pet_slice(visit, index, plane, slope) for index, plane in enumerate(stored)]


def _pet_slice(visit: PhantomVisit, index: int, stored: NDArray[np.int16], slope: float) -> Dataset:
    study = visit.study
    image = headers.started(study, sop_class_uid=PositronEmissionTomographyImageStorage, kind="pet", number=index + 1)
    midnight = datetime.combine(study.on, datetime.min.time())
    administered_mbq = visit.treatment.administered_mbq if visit.treatment else Decimal(0)
    headers.describe_pet(
        image, scanned_at=midnight + _SCANNED_AT, given_at=midnight + _GIVEN_AT,
        administered_bq=int(administered_mbq * 1_000_000), planes=SHAPE[0],
    )  # fmt: skip
    image.ImagePositionPatient = _nuclear_origin_mm(index)
    image.PixelSpacing, image.SliceThickness = [_NUCLEAR_BLOCK * PIXEL_MM] * 2, SLICE_MM
    image.Rows, image.Columns = stored.shape
    image.RescaleIntercept, image.RescaleSlope = 0, slope
    image.PixelData = stored.tobytes()
    return image


def maa_spect(visit: PhantomVisit) -> Dataset:
    """Make the Tc-99m MAA SPECT of a visit, in counts; raises ValueError for a visit without work-up."""
    if visit.work_up is None:
        raise ValueError("the visit has no work-up: there is nothing to scan")
    study = visit.study
    weight = _blocks(phantom.relative_concentration(visit.lesions, visit.work_up))
    counts = np.rint(weight / weight.max() * _MAA_MOST_COUNTS).astype("<u2")
    image = headers.started(study, sop_class_uid=NuclearMedicineImageStorage, kind="maa", number=1)
    del image.ImageOrientationPatient  # a nuclear scan tells it by detector
    image.Modality, image.SeriesNumber, image.SeriesDescription = "NM", 5, "MAA SPECT"
    image.Manufacturer, image.ManufacturerModelName = "Demo", "Made-up camera"
    image.SeriesTime = image.AcquisitionTime = image.ContentTime = "093000"
    image.ImageType = ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]
    image.PixelRepresentation, image.LossyImageCompression = 0, "00"
    image.NumberOfFrames, image.Rows, image.Columns = counts.shape
    image.FrameIncrementPointer, image.SliceVector = 0x00540080, list(range(1, SHAPE[0] + 1))
    image.NumberOfSlices = SHAPE[0]
    image.PixelSpacing = [_NUCLEAR_BLOCK * PIXEL_MM] * 2
    image.SliceThickness = image.SpacingBetweenSlices = SLICE_MM
    image.ReconstructionDiameter, image.ConvolutionKernel = SHAPE[2] * PIXEL_MM, "OSEM"
    image.CountsAccumulated, image.AcquisitionTerminationCondition = int(counts.sum()), "TIME"
    image.AcquisitionContextSequence = []
    _describe_camera(image)
    headers.add_orientation(image, gantry=CodedConcept("102540001", "SCT", "headfirst"))
    image.PixelData = counts.tobytes()
    return image


def _describe_camera(image: Dataset) -> None:
    window, energies = Dataset(), Dataset()
    energies.EnergyWindowLowerLimit, energies.EnergyWindowUpperLimit = 126, 154
    window.EnergyWindowRangeSequence, window.EnergyWindowName = [energies], "Tc99m"
    image.NumberOfEnergyWindows, image.EnergyWindowInformationSequence = 1, [window]
    given = Dataset()
    given.Radiopharmaceutical, given.RadiopharmaceuticalStartTime = "Tc-99m MAA", "090000"
    given.RadionuclideTotalDose = _MAA_MBQ
    given.RadionuclideCodeSequence = [CodedConcept("72454006", "SCT", "^99m^Technetium")]
    given.AdministrationRouteCodeSequence = [CodedConcept("58100008", "SCT", "Intra-arterial route")]
    image.RadiopharmaceuticalInformationSequence = [given]
    detector = Dataset()
    detector.FieldOfViewShape, detector.FieldOfViewDimensions = "RECTANGLE", [400, 530]
    detector.CollimatorGridName, detector.CollimatorType = "LEHR", "PARA"
    detector.ImagePositionPatient, detector.ImageOrientationPatient = _nuclear_origin_mm(0), [1, 0, 0, 0, 1, 0]
    image.NumberOfDetectors, image.DetectorInformationSequence = 1, [detector]
    rotation = Dataset()
    rotation.TableHeight, rotation.RotationDirection, rotation.RadialPosition = 100, "CC", 250
    rotation.ScanArc, rotation.AngularStep, rotation.StartAngle = 360, 6, 0
    rotation.ActualFrameDuration, rotation.NumberOfFramesInRotation = 20_000, 60
    image.NumberOfRotations, image.RotationInformationSequence = 1, [rotation]
    image.TypeOfDetectorMotion = "STEP AND SHOOT"


def objects(visit: PhantomVisit) -> dict[str, list[Dataset]]:
    """Every object of a visit by series: ct, seg, and maa and pet where there was a scan."""
    images = ct_slices(visit)
    series = {"ct": images, "seg": [segmentation(visit, images)]}
    if visit.work_up is not None:
        series["maa"] = [maa_spect(visit)]
    if visit.treatment is not None:
        series["pet"] = pet_slices(visit)
    return series
