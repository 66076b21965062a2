"""What segmentations and structures become: lesions with their size, an organ's volume, regions of the activity."""

from decimal import Decimal

import image_case as case
import numpy as np
import pytest
from study_case import LESION, LIVER, OUTSIDE, SOURCES, ct, long_axis, read, reasons, study

from connector.core.geometry.grids import bounding_box, lattice_offset


def test_segments_alone_are_measured(tmp_path):
    ct(tmp_path)
    described = [case.segment(1, case.LIVER, TrackingUID=case.ABSENT), case.segment(2), case.segment(3)]
    case.segmentation(tmp_path, {1: LIVER, 2: LESION, 3: OUTSIDE}, described, sources=SOURCES)
    found = read(tmp_path)
    (point,) = found.time_points
    voxel_ml = Decimal("0.016")
    assert point.liver_volume_ml == voxel_ml * int(LIVER.sum())
    assert point.liver_tumour_volume_ml == voxel_ml * int(LESION.sum()), "the lesion outside is not of the liver"
    inside, outside = point.lesions
    assert (inside.site, outside.site) == ("liver", "other")
    assert inside.flags == ("the organ is taken from the segmented liver around the lesion",)
    assert (inside.tracking_uid, inside.tracking_id) == ("1.9.2", "T02")
    assert inside.long_axis_mm == Decimal("10.77"), "5 x 3 pixels of 2 mm: sqrt(10^2 + 4^2)"
    assert (inside.volume_ml, inside.slice_thickness_mm) == (voxel_ml * 30, Decimal(4))
    assert [region.kind for region in found.regions] == ["liver", "lesion", "lesion"]


def test_one_segment_for_all_lesions_is_taken_apart(tmp_path):
    ct(tmp_path)
    untracked = case.segment(1, TrackingUID=case.ABSENT, TrackingID=case.ABSENT, SegmentLabel="Metastases")
    case.segmentation(tmp_path, {1: LESION | OUTSIDE}, [untracked], sources=SOURCES)
    first, second = read(tmp_path).time_points[0].lesions
    assert (first.tracking_id, second.tracking_id) == ("Metastases 1", "Metastases 2")
    assert first.volume_ml > second.volume_ml
    assert first.tracking_uid != second.tracking_uid
    assert any("cannot be found again" in flag for flag in first.flags)


def test_a_tracked_segment_in_two_pieces_is_one_lesion(tmp_path):
    ct(tmp_path)
    case.segmentation(tmp_path, {1: LESION | OUTSIDE}, [case.segment(1)], sources=SOURCES)
    (lesion,) = read(tmp_path).time_points[0].lesions
    assert "2 separate pieces in the measured plane: the longest was measured" in lesion.flags


def test_two_segments_of_one_file_under_one_tracking_uid_have_no_size(tmp_path):
    ct(tmp_path)
    described = [case.segment(1), case.segment(2, TrackingUID="1.9.1")]
    case.segmentation(tmp_path, {1: LESION, 2: OUTSIDE}, described, sources=SOURCES)
    (lesion,) = read(tmp_path).time_points[0].lesions
    assert (lesion.long_axis_mm, lesion.short_axis_mm, lesion.volume_ml) == (None, None, None)
    assert lesion.conflicts == ("segments 1 and 2 of one segmentation",)
    assert "its tracking UID is there twice: segments 1 and 2 of one segmentation" in lesion.flags


def test_of_two_segmentations_of_one_lesion_the_later_stands_and_the_difference_is_told(tmp_path):
    ct(tmp_path)
    later = {"name": "b.dcm", "SOPInstanceUID": "1.2.3.7.2", "ContentDate": "20260104"}
    case.segmentation(tmp_path, {1: LESION}, [case.segment(1)], sources=SOURCES, ContentDate="20260103")
    case.segmentation(tmp_path, {1: OUTSIDE}, [case.segment(1)], sources=SOURCES, **later)
    (lesion,) = read(tmp_path).time_points[0].lesions
    assert lesion.volume_ml == Decimal("0.016") * int(OUTSIDE.sum())
    assert any("long_axis_mm differs" in flag for flag in lesion.flags)
    assert lesion.conflicts == ()


def test_a_report_settles_a_tracking_uid_that_two_segments_carry(tmp_path):
    ct(tmp_path)
    described = [case.segment(1), case.segment(2, TrackingUID="1.9.1")]
    case.segmentation(tmp_path, {1: LESION, 2: OUTSIDE}, described, sources=SOURCES)
    case.report(tmp_path, long_axis("11.5"))
    (lesion,) = read(tmp_path).time_points[0].lesions
    assert (lesion.long_axis_mm, lesion.volume_ml, lesion.conflicts) == (Decimal("11.5"), None, ())
    assert any("tracking UID is there twice" in flag for flag in lesion.flags), "and is still told"


def test_lobes_are_told_only_when_segmented(tmp_path):
    ct(tmp_path)
    left, right = LIVER.copy(), LIVER.copy()
    left[:, :, :6] = False
    right[:, :, 6:] = False
    lobes = [
        case.segment(number, ("1", "99X", f"{side} lobe of liver")) for number, side in ((2, "Left"), (3, "Right"))
    ]
    lesion = case.segment(1, AnatomicRegionSequence=case.code("10200004", "SCT", "Liver"))
    case.segmentation(tmp_path, {1: LESION, 2: left, 3: right}, [lesion, *lobes], sources=SOURCES)
    (found,) = read(tmp_path).time_points[0].lesions
    assert found.liver_lobe == "right"


def test_two_livers_give_no_volume(tmp_path):
    ct(tmp_path)
    described = [case.segment(1, case.LIVER), case.segment(2, case.LIVER)]
    case.segmentation(tmp_path, {1: LIVER, 2: LIVER}, described, sources=SOURCES)
    found = read(tmp_path)
    assert found.time_points[0].liver_volume_ml is None
    assert any("2 segments are the whole liver" in reason for reason in reasons(found).values())


@pytest.mark.parametrize("references", [{}, {"FrameOfReferenceUID": "1.5"}])
def test_a_segmentation_lies_where_its_images_lie(tmp_path, references):
    ct(tmp_path)
    case.segmentation(tmp_path, {1: LESION}, [case.segment(1)], sources=SOURCES if references else (), **references)
    found = read(tmp_path)
    assert len(found.time_points[0].lesions) == (0 if references else 1)
    assert any("another frame of reference" in reason for reason in reasons(found).values()) == bool(references)


def test_a_lesion_in_another_space_than_the_liver_is_still_read(tmp_path):
    ct(tmp_path)
    ct(tmp_path / "mr", series="1.2.3.8", FrameOfReferenceUID="1.5")
    liver = [case.segment(1, case.LIVER, TrackingUID=case.ABSENT)]
    case.segmentation(tmp_path, {1: LIVER}, liver, sources=SOURCES)
    lesion = [case.segment(1, AnatomicRegionSequence=case.code("10200004", "SCT", "Liver"))]
    case.segmentation(
        tmp_path, {1: LESION}, lesion, sources=["1.2.3.8.1"], name="mr.dcm", SOPInstanceUID="1.2.3.5.2",
        FrameOfReferenceUID="1.5",
    )  # fmt: skip
    (point,) = read(tmp_path).time_points
    assert [each.site for each in point.lesions] == ["liver"]
    assert (point.liver_volume_ml, point.liver_tumour_volume_ml) == (Decimal("0.016") * int(LIVER.sum()), None)


def test_structures_become_regions_of_the_latest_study_only(tmp_path):
    ct(tmp_path)
    square = [(-1, -5, 4), (7, -5, 4), (7, 1, 4), (-1, 1, 4)]
    case.structures(tmp_path, {"GTV": [square]}, sources=SOURCES)
    (region,) = read(tmp_path).regions
    assert (region.name, region.kind, int(region.mask.sum())) == ("GTV", "lesion", 12)
    study(tmp_path, 4, "20260402")
    assert read(tmp_path).regions == ()


def test_the_activity_and_the_regions_share_one_grid(tmp_path):
    ct(tmp_path)
    case.segmentation(tmp_path, {1: LESION}, [case.segment(1)], sources=SOURCES)
    case.pet(tmp_path, np.full((3, 12, 16), 100, dtype=np.int16))
    found = read(tmp_path)
    assert found.activity.geometry.shape == (3, 12, 16)
    (region,) = found.regions
    box = bounding_box(LESION[:3])
    assert lattice_offset(found.activity.geometry, region.geometry) == tuple(side.start for side in box)
    assert np.array_equal(region.mask, LESION[:3][box])


def test_regions_that_miss_the_activity_are_told(tmp_path):
    ct(tmp_path)
    case.segmentation(tmp_path, {1: LESION, 2: OUTSIDE}, [case.segment(1), case.segment(2)], sources=SOURCES)
    case.pet(tmp_path, np.full((2, 12, 10), 100, dtype=np.int16))
    found = read(tmp_path)
    assert [region.name for region in found.regions] == ["S1"]
    told = [each.reason for each in found.skipped]
    assert "S1: 50.0 % of the region lies outside the image" in told
    assert "S2: nothing of it is left on the grid of the activity, it is not reported" in told


def test_regions_of_another_space_are_told(tmp_path):
    ct(tmp_path)
    case.segmentation(tmp_path, {1: LESION}, [case.segment(1)], sources=SOURCES)
    case.pet(tmp_path, FrameOfReferenceUID="1.5")
    found = read(tmp_path)
    assert found.regions == ()
    assert any("S1: the region lies in another frame of reference" in each.reason for each in found.skipped)
