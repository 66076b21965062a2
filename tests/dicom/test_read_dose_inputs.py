"""A dose map starts from one activity series and regions of the same patient on its grid."""

import shutil
from datetime import datetime

import image_case as case
import numpy as np
import pytest

from connector.core.errors import ImpossibleInput
from connector.core.geometry.grids import lattice_offset
from connector.dicom.read_dose_inputs import read_dose_inputs

PLANES = np.full((4, 12, 16), 1000, dtype=np.int16)
MASK = np.zeros((4, 12, 16), dtype=bool)
MASK[1:3, 4:7, 3:8] = True


@pytest.fixture
def activity(tmp_path):
    folder = tmp_path / "pet"
    case.pet(folder, PLANES)
    return folder


def test_the_samples():
    found = read_dose_inputs(case.DATA / "synthetic-y90-pet", [case.DATA / "synthetic-ct" / "seg.dcm"])
    (region,) = found.regions
    assert lattice_offset(found.activity.geometry, region.geometry) is not None
    assert region.mask.sum() * 0.2 == pytest.approx(6.4), "the block is 6.4 mL on both grids"
    assert region.tracking_uid is not None
    assert found.identity.family_name == "TEST"
    assert found.warnings == ()


def test_a_segmentation_needs_no_source_images(tmp_path, activity):
    path = case.segmentation(tmp_path, {1: MASK}, [case.segment(1)])
    (region,) = read_dose_inputs(activity, [path]).regions
    assert np.array_equal(region.mask, MASK[1:3, 4:7, 3:8]), "the box that it fills"
    assert region.geometry.shape == region.mask.shape


def test_a_structure_set_needs_none_either(tmp_path, activity):
    square = [[(-5, -13, z), (5, -13, z), (5, -7, z), (-5, -7, z)] for z in (4, 8)]
    path = case.structures(tmp_path, {"GTV": square})
    (region,) = read_dose_inputs(activity, [path]).regions
    assert np.array_equal(region.mask, MASK[1:3, 4:7, 3:8]), "the box that it fills"
    assert region.geometry.shape == region.mask.shape


def test_what_resampling_does_is_told(tmp_path, activity):
    shutil.rmtree(activity)
    case.pet(activity, PLANES[:, :6, :], PixelSpacing=[5, 5])
    found = read_dose_inputs(activity, [case.segmentation(tmp_path, {1: MASK}, [case.segment(1)])])
    assert [each for each in found.warnings if each.startswith("S1")] == [
        "S1: 0.480 mL as drawn, 0.400 mL on the grid of the activity"
    ]


def test_the_administration_given_by_hand(activity):
    found = read_dose_inputs(activity, [], datetime(2026, 1, 2, 11, 0))  # noqa: DTZ001
    assert found.activity.decay_hours == 1


def test_other_files_beside_the_series_are_told(activity):
    case.slices(activity, np.zeros((1, 3, 3), dtype=np.int16))
    (activity / "notes.txt").write_text("x")
    told = read_dose_inputs(activity, []).warnings
    assert "file notes.txt was not used: not a DICOM file" in told
    assert "file 1.2.3.1-000.dcm is no PET or NM image: not used" in told


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        pytest.param(shutil.rmtree, "holds no files", id="nothing there"),
        pytest.param(
            lambda folder: [path.unlink() for path in folder.iterdir()]
            and case.slices(folder, np.zeros((2, 3, 3), dtype=np.int16)),
            "holds 0 PET or NM series", id="only CT",
        ),
        pytest.param(lambda folder: case.spect(folder, np.ones((2, 3, 3))), "holds 2 PET or NM series", id="two"),
        pytest.param(lambda folder: sorted(folder.iterdir())[1].unlink(), "not evenly spaced", id="a lost slice"),
    ],
)  # fmt: skip
def test_activity_folders_refused(activity, spoil, told):
    spoil(activity)
    with pytest.raises(ImpossibleInput, match=told):
        read_dose_inputs(activity, [])


@pytest.mark.parametrize(
    ("made", "told"),
    [
        pytest.param(
            lambda folder: case.segmentation(folder, {1: MASK}, [case.segment(1)], PatientID="P2"), "one patient",
            id="another patient",
        ),
        pytest.param(
            lambda folder: case.segmentation(folder, {1: MASK}, [case.segment(1)], FrameOfReferenceUID="1.5"),
            "another frame of reference", id="another space",
        ),
        pytest.param(
            lambda folder: case.slices(folder, np.zeros((1, 3, 3), dtype=np.int16))[0], "not from CT", id="an image"
        ),
        pytest.param(
            lambda folder: case.segmentation(
                folder, {None: np.zeros(MASK.shape, np.uint8)}, [case.segment(1)], kind="LABELMAP"
            ),
            "no region with a voxel: segment 1 is empty", id="an empty mask",
        ),
        pytest.param(lambda folder: folder / "nowhere.dcm", "region file nowhere.dcm", id="no file"),
    ],
)  # fmt: skip
def test_region_files_refused(tmp_path, activity, made, told):
    path = made(tmp_path)
    with pytest.raises(ImpossibleInput, match=told):
        read_dose_inputs(activity, [path])


def test_a_name_in_two_files_is_told_and_both_regions_are_kept(tmp_path, activity):
    """A liver drawn twice is one liver to the mean of the normal liver, and two lines to a reader."""
    first = case.segmentation(tmp_path, {1: MASK}, [case.segment(1)])
    second = case.segmentation(tmp_path, {1: MASK}, [case.segment(1)], name="again.dcm", SOPInstanceUID="1.2.3.4.99")
    alone, both = (read_dose_inputs(activity, paths) for paths in ([first], [first, second]))
    assert not any("are called" in text for text in alone.warnings)
    assert len(both.regions) == 2
    (said,) = [text for text in both.warnings if "are called" in text]
    assert said.startswith(f"2 regions are called {both.regions[0].name}")
