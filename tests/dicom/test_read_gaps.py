"""How far the nearest liver lesion lies from a segmented bile duct, hilum or vessel, counted in voxels by hand."""

from decimal import Decimal

import image_case as case
import numpy as np
import pytest

from connector.dicom.read_codes import kind_of_name, structure_of
from connector.dicom.read_study import DicomImaging

SOURCES = ["1.2.3.1.1", "1.2.3.1.2", "1.2.3.1.3", "1.2.3.1.4"]
SHAPE = (4, 12, 16)
LIVER = ("10200004", "SCT", "Liver")
LUNG = ("39607008", "SCT", "Lung")
BILE_DUCT = ("28273000", "SCT", "Bile duct")
PORTAL_VEIN = ("32764006", "SCT", "Portal vein")


def block(planes, rows, columns):
    mask = np.zeros(SHAPE, dtype=bool)
    mask[planes, rows, columns] = True
    return mask


LESION = block(slice(1, 3), slice(4, 7), slice(3, 8))  # pixels of 2 mm, planes of 4 mm


def gaps(folder, *structures, site=LIVER):
    """Read a study with one lesion of the organ, and the given structures: pairs of a code and a mask."""
    case.slices(folder, np.zeros(SHAPE, dtype=np.int16))
    lesion = case.segment(1, AnatomicRegionSequence=case.code(*site), SegmentLabel="T1")
    described = [lesion]
    masks = {1: LESION}
    for number, (code, mask) in enumerate(structures, 2):
        described.append(case.segment(number, code, TrackingUID=case.ABSENT, SegmentLabel=code[2]))
        masks[number] = mask
    case.segmentation(folder, masks, described, sources=SOURCES)
    return read(folder)


def read(folder):
    return DicomImaging().read([path for path in folder.rglob("*") if path.is_file()])


@pytest.mark.parametrize(
    ("mask", "expected", "why"),
    [
        (block(1, 5, 8), "0.00", "the next pixel touches"),
        (block(1, 5, 9), "2.00", "one pixel of 2 mm lies between"),
        (block(3, 7, 8), "0.00", "voxels that meet at a corner touch"),
        (block(0, 5, 10), "4.00", "two pixels between, in the plane beside, which touches"),
        (block(1, 5, 5), "0.00", "inside the lesion"),
    ],
)
def test_the_gap_is_measured_border_to_border(tmp_path, mask, expected, why):
    (gap,) = gaps(tmp_path, (BILE_DUCT, mask)).gaps
    assert (gap.structure, gap.lesion, gap.gap_mm) == ("bile duct", "T1", Decimal(expected)), why


def test_each_structure_has_its_shortest_gap(tmp_path):
    near, far = block(1, 5, 9), block(1, 5, 12)
    found = gaps(tmp_path, (BILE_DUCT, far), (("79741001", "SCT", "Common bile duct"), near), (PORTAL_VEIN, far)).gaps
    assert {gap.structure: gap.gap_mm for gap in found} == {"bile duct": Decimal(2), "large vessel": Decimal(8)}


def test_a_lesion_that_is_reported_too_and_one_that_is_not_are_both_measured(tmp_path):
    """A report names one lesion by the tracking UID of its segment; the program outlined a nearer one besides."""
    case.slices(tmp_path, np.zeros(SHAPE, dtype=np.int16))
    site = case.code(*LIVER)
    described = [
        case.segment(1, AnatomicRegionSequence=site, SegmentLabel="T1", TrackingUID="1.9.1", TrackingID="T1"),
        case.segment(2, AnatomicRegionSequence=site, SegmentLabel="T2", TrackingUID="1.9.2", TrackingID="T2"),
        case.segment(3, BILE_DUCT, TrackingUID=case.ABSENT, SegmentLabel="Bile duct"),
        case.segment(4, PORTAL_VEIN, TrackingUID=case.ABSENT, SegmentLabel="Portal vein"),
    ]
    masks = {1: LESION, 2: block(1, 5, 13), 3: block(1, 5, 11), 4: block(1, 5, 1)}
    case.segmentation(tmp_path, masks, described, sources=SOURCES)
    reported = case.group(case.coded(case.FINDING, case.LESION), case.number(case.LONG, "10"), label="T1", uid="1.9.1")
    case.report(tmp_path, reported)
    found = {gap.structure: (gap.lesion, gap.gap_mm) for gap in read(tmp_path).gaps}
    assert found == {"bile duct": ("T2", Decimal(2)), "large vessel": ("T1", Decimal(2))}


def test_lesions_without_a_tracking_uid_are_known_by_their_segment_and_of_two_as_near_the_first_is_named(tmp_path):
    case.slices(tmp_path, np.zeros(SHAPE, dtype=np.int16))
    liver, lung = ({"AnatomicRegionSequence": case.code(*organ), "TrackingUID": case.ABSENT} for organ in (LIVER, LUNG))
    described = [
        case.segment(1, SegmentLabel="N1", **lung),
        case.segment(2, SegmentLabel="T1", **liver),
        case.segment(3, SegmentLabel="T2", **liver),
        case.segment(4, BILE_DUCT, TrackingUID=case.ABSENT, SegmentLabel="Bile duct"),
    ]
    masks = {1: block(1, 6, 10), 2: LESION, 3: block(1, 5, 13), 4: block(1, 5, 10)}
    case.segmentation(tmp_path, masks, described, sources=SOURCES)
    (gap,) = read(tmp_path).gaps
    assert (gap.lesion, gap.gap_mm) == ("T1", Decimal(4)), "not the lung's, which touches, nor the second"


def test_a_lesion_of_another_organ_has_none(tmp_path):
    assert gaps(tmp_path, (BILE_DUCT, block(1, 5, 9)), site=LUNG).gaps == ()


def test_other_structures_have_none(tmp_path):
    assert gaps(tmp_path, (("69695003", "SCT", "Stomach"), block(1, 5, 9))).gaps == ()


def test_a_structure_on_another_grid_is_told_as_not_measured(tmp_path):
    gaps(tmp_path)
    described = [case.segment(1, BILE_DUCT, TrackingUID=case.ABSENT, SegmentLabel="Bile duct")]
    case.slices(tmp_path / "mr", np.zeros(SHAPE, dtype=np.int16), series="1.2.3.8", FrameOfReferenceUID="1.5")
    case.segmentation(
        tmp_path, {1: block(1, 5, 9)}, described, sources=["1.2.3.8.1"], name="mr.dcm", SOPInstanceUID="1.2.3.5.2",
        FrameOfReferenceUID="1.5",
    )  # fmt: skip
    reading = read(tmp_path)
    assert reading.gaps == ()
    assert any("how far T1 lies from Bile duct is not measured" in each.reason for each in reading.skipped)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Hepatic_duct", "bile duct"),
        ("porta hepatis", "hilum"),
        ("Liver-Hilum", "hilum"),
        ("IVC", "large vessel"),
        ("hilum of lung", None),
        ("Liver", None),
    ],
)
def test_a_structure_is_known_by_name_and_never_taken_for_the_liver(name, expected):
    assert structure_of(None, name) == expected
    assert expected is None or kind_of_name(name) == "other", "a hepatic duct is not the whole liver"
