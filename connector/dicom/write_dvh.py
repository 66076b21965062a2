"""Writes dose-volume curves into an RT Dose, which the standard allows only beside the contours of a structure set."""

from collections.abc import Sequence
from math import ceil, log10

from pydicom.dataset import Dataset
from pydicom.valuerep import format_number_as_ds

from connector.core.assessment import DoseReport
from connector.core.case import Region
from connector.core.dosimetry.dvh import DoseVolume, dose_volume
from connector.core.geometry.crops import crop_on_grid
from connector.dicom.read_structures import STRUCTURE_SET
from connector.dicom.write_header import StudyHeader, reference

MOST_BINS = 500
_DIGITS = 3  # of a bin's width: a round number that people read


def add_dvh(document: Dataset, dose: DoseReport, regions: Sequence[Region], study: StudyHeader) -> None:
    """
    Add the RT DVH module for the regions that a structure set of the study draws; nothing without one.

    The module names one structure set: of several the first by UID is taken. The curves are cumulative, in cm3 over Gy,
    by voxels of at least the dose. Source: DICOM PS3.3, C.8.8.4.
    """
    sets = {each.sop_instance_uid for each in study.instances if each.sop_class_uid == STRUCTURE_SET}
    drawn = sorted((region for region in regions if region.origin in sets), key=lambda each: (each.origin, each.number))
    if not drawn:
        return
    chosen = drawn[0].origin
    items = []
    for region in drawn:
        crop = crop_on_grid(region.mask, region.geometry, dose.geometry)[0] if region.origin == chosen else None
        if crop is not None:
            items.append(_curve(region.number, dose_volume(dose.dose_gy, crop), dose.geometry.voxel_volume_ml))
    if items:
        document.ReferencedStructureSetSequence = [reference(STRUCTURE_SET, chosen)]
        document.DVHSequence = items


def _curve(number: int, volume: DoseVolume, voxel_ml: float) -> Dataset:
    item = Dataset()
    roi = Dataset()
    roi.ReferencedROINumber = number
    roi.DVHROIContributionType = "INCLUDED"
    item.DVHReferencedROISequence = [roi]
    item.DVHType = "CUMULATIVE"
    item.DoseUnits = "GY"
    item.DoseType = "PHYSICAL"
    item.DVHDoseScaling = "1"
    item.DVHVolumeUnits = "CM3"
    width = _bin_width_gy(volume.max_gy)
    count = min(int(volume.max_gy / width) + 1, MOST_BINS + 1)
    item.DVHNumberOfBins = count
    item.DVHData = [
        text
        for index in range(count)
        for text in (
            format_number_as_ds(width),
            format_number_as_ds(volume.volume_fraction_at(index * width) * volume.count * voxel_ml),
        )
    ]
    item.DVHMinimumDose = format_number_as_ds(volume.min_gy)
    item.DVHMaximumDose = format_number_as_ds(volume.max_gy)
    item.DVHMeanDose = format_number_as_ds(volume.mean_gy)
    return item


def _bin_width_gy(maximum_gy: float) -> float:
    """A round width with which the maximum lies within the bins."""
    if maximum_gy <= 0:
        return 1.0
    exact = maximum_gy / MOST_BINS
    unit = 10.0 ** (ceil(log10(exact)) - _DIGITS)
    return float(f"{ceil(exact / unit) * unit:.{_DIGITS}g}")
