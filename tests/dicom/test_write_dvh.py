"""Dose-volume curves in the RT Dose: only for contours of a structure set, and with the numbers of the map."""

from dataclasses import replace

import numpy as np
import pytest
import written_cases as cases
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.uid import RTPlanStorage

from connector.core.case import Region
from connector.dicom.read_structures import STRUCTURE_SET
from connector.dicom.write_dvh import MOST_BINS, _bin_width_gy, add_dvh
from connector.dicom.write_header import SourceInstance, StudyHeader
from connector.dicom.write_rtdose import DoseMapWriter

STRUCTURES = "1.2.3.77"
STUDY = StudyHeader(Dataset(), (SourceInstance(STRUCTURE_SET, STRUCTURES, "1.2.3.7", "RTSTRUCT", None),))


def ramp():
    """100 voxels of 1 to 100 Gy."""
    grid = cases.geometry((1, 10, 10))
    return cases.dose(grid, np.arange(1, 101, dtype=np.float32).reshape(grid.shape))


def region(dose, *, origin=STRUCTURES, number=4, mask=None):
    mask = np.ones(dose.geometry.shape, bool) if mask is None else mask
    return Region("Liver", "liver", mask, dose.geometry, origin, number)


def curves(dose, regions, study=STUDY):
    document = Dataset()
    add_dvh(document, dose, regions, study)
    return document


def test_a_ramp_has_its_volumes_bin_by_bin():
    dose = ramp()
    document = curves(dose, [region(dose)])
    (item,) = document.DVHSequence
    data = [float(value) for value in item.DVHData]
    widths, volumes = data[::2], data[1::2]
    voxel = dose.geometry.voxel_volume_ml
    assert set(widths) == {0.2}, "100 Gy in 500 bins"
    assert len(volumes) == item.DVHNumberOfBins == 501
    assert volumes[0] == pytest.approx(100 * voxel), "everything has at least 0 Gy"
    assert volumes[250] == pytest.approx(51 * voxel), "50 Gy and more: 51 voxels"
    assert volumes[500] == pytest.approx(1 * voxel), "the hottest voxel is counted"
    assert (item.DVHMinimumDose, item.DVHMaximumDose, item.DVHMeanDose) == (1, 100, 50.5)
    assert item.DVHReferencedROISequence[0].ReferencedROINumber == 4
    assert document.ReferencedStructureSetSequence[0].ReferencedSOPInstanceUID == STRUCTURES


def test_a_segment_or_a_set_of_another_study_has_no_curve():
    dose = ramp()
    assert "DVHSequence" not in curves(dose, [region(dose, origin=cases.SEG_UID)])
    assert "DVHSequence" not in curves(dose, [])
    assert "DVHSequence" not in curves(dose, [region(dose, mask=np.zeros(dose.geometry.shape, bool))])


def test_only_one_structure_set_can_be_named():
    dose = ramp()
    other = SourceInstance(STRUCTURE_SET, "1.2.3.78", "1.2.3.7", "RTSTRUCT", None)
    both = replace(STUDY, instances=(*STUDY.instances, other))
    document = curves(dose, [region(dose, origin="1.2.3.78", number=1), region(dose, number=9)], both)
    assert [each.DVHReferencedROISequence[0].ReferencedROINumber for each in document.DVHSequence] == [9]


@pytest.mark.parametrize(("maximum", "width"), [(0, 1.0), (100, 0.2), (131.7, 0.264), (0.5, 0.001), (1234.5, 2.47)])
def test_bins_have_round_widths_and_hold_the_maximum(maximum, width):
    assert _bin_width_gy(maximum) == pytest.approx(width)
    assert _bin_width_gy(maximum) * MOST_BINS >= maximum * (1 - 1e-12)


# With a plan


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return cases.make_study(tmp_path_factory.mktemp("study"))


def test_a_plan_by_setting_is_named_by_the_dose(paths):
    request = cases.request(cases.assessment(dose=cases.dose()), paths)
    plan, dose = DoseMapWriter(plan=True).write(request)
    written, named = (dcmread(DicomBytesIO(each.content)) for each in (dose, plan))
    assert (plan.kind, dose.kind) == ("rtplan", "rtdose")
    assert written.DoseSummationType == "PLAN"
    (reference,) = written.ReferencedRTPlanSequence
    assert (reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID) == (RTPlanStorage, plan.identity)
    assert "PlanOverviewSequence" not in written
    assert (named.ApprovalStatus, named.RTPlanGeometry) == ("UNAPPROVED", "TREATMENT_DEVICE")
    assert named.StudyInstanceUID == written.StudyInstanceUID
    assert DoseMapWriter(plan=True).write(request) == [plan, dose], "the same input gives the same bytes"


def test_without_a_dose_map_there_is_no_plan(paths):
    assert DoseMapWriter(plan=True).write(cases.request(cases.assessment(), paths)) == []
