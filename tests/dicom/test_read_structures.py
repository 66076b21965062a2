"""Contours fill the pixels whose centres they enclose, on the planes of their images, or say why they cannot."""

import math

import image_case as case
import numpy as np
import pytest

from connector.core.errors import ImpossibleInput
from connector.dicom.headers import read_header
from connector.dicom.read_structures import read_structures


def rectangle(left, top, right, bottom, z):
    return np.array([(left, top, z), (right, top, z), (right, bottom, z), (left, bottom, z)])


def circle(radius, z, centre=(8.3, -0.6)):
    turn = np.linspace(0, 2 * math.pi, 180, endpoint=False)
    return np.stack([centre[0] + radius * np.cos(turn), centre[1] + radius * np.sin(turn), np.full(180, z)], axis=1)


@pytest.fixture
def images(tmp_path):
    """Four planes 4 mm apart from z = 0; pixel centres at x = -10, -8 ... 28 and y = -20, -18 ... 18."""
    return [read_header(path) for path in case.slices(tmp_path, np.zeros((4, 20, 20), dtype=np.int16))]


def read(folder, drawn, images=(), **changes):
    return read_structures(read_header(case.structures(folder, drawn, **changes)), images)


def test_a_rectangle_fills_the_centres_it_encloses(tmp_path, images):
    (region,) = read(tmp_path, {"GTV": [rectangle(-1, -5, 7, 1, 4), rectangle(-1, -5, 7, 1, 8)]}, images).regions
    assert region.mask.shape == (2, 3, 4), "x = 0, 2, 4, 6; y = -4, -2, 0"
    assert region.mask.all()
    assert region.geometry.origin_mm == pytest.approx((0, -4, 4))
    assert region.geometry.spacing_mm == (4.0, 2.0, 2.0)


def test_a_border_through_centres_takes_one_side_only(tmp_path, images):
    left, right = rectangle(0, -4, 4, 0, 0), rectangle(4, -4, 8, 0, 0)
    found = read(tmp_path, {"A": [left], "B": [right]}, images).regions
    assert [each.mask.sum() for each in found] == [4, 4], "two squares side by side share no pixel"


def test_a_hole_is_a_contour_within_a_contour(tmp_path, images):
    ring = [rectangle(-9, -19, 27, 17, 0), rectangle(-1, -5, 7, 1, 0)]
    (region,) = read(tmp_path, {"Ring": ring}, images).regions
    assert region.mask.sum() == 18 * 18 - 4 * 3


@pytest.mark.parametrize("radius", [9.7, 13.3, 16.1])
def test_a_disc_has_its_area(tmp_path, images, radius):
    (region,) = read(tmp_path, {"Disc": [circle(radius, 0)]}, images).regions
    assert region.mask.sum() * 4 == pytest.approx(math.pi * radius**2, rel=0.04)


def test_without_images_contours_make_their_own_grid(tmp_path):
    drawn = {"GTV": [circle(20, z) for z in (0, 3, 6)]}
    (region,) = read(tmp_path, drawn).regions
    assert region.geometry.spacing_mm == (3.0, 1.0, 1.0)
    assert region.mask.sum() * 3 == pytest.approx(3 * 3 * math.pi * 400, rel=0.01)
    assert region.geometry.frame_of_reference_uid == "1.2.9"


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("Liver", None, "liver"), ("GTV_1", None, "lesion"), ("Met seg 4", None, "lesion"), ("Lung_R", None, "lung"),
        ("Tumor Bed", None, "other"), ("liver-GTV", None, "other"), ("liver_GTV", None, "lesion"),
        ("Left lobe of liver", None, "other"),
        ("A", "GTV", "lesion"), ("A", "ORGAN", "other"), ("Gallbladder", None, "other"), ("Meter", None, "other"),
        ("Liver minus GTV", None, "other"),
    ],
)  # fmt: skip
def test_what_a_structure_is(tmp_path, images, name, kind, expected):
    found = read(tmp_path, {name: [rectangle(-1, -5, 7, 1, 0)]}, images, types=[kind] if kind else None)
    assert (found.regions[0].name, found.regions[0].kind) == (name, expected)


def moved(contour, height):
    return np.add(contour, (0, 0, height))


SQUARE = rectangle(-1, -5, 7, 1, 0)
SLANTED = np.add(SQUARE, np.outer([4, 4, 5, 5], (0, 0, 1)))


@pytest.mark.parametrize(
    ("drawn", "told"),
    [
        pytest.param([moved(SQUARE, 2)], "do not lie on the planes", id="between two planes"),
        pytest.param([moved(SQUARE, 16)], "beyond the images", id="above the last plane"),
        pytest.param([SQUARE, moved(SQUARE, 8)], "leave out planes", id="every second plane"),
        pytest.param([rectangle(0.5, 0.5, 1.5, 1.5, 0)], "too small", id="between pixel centres"),
        pytest.param([SQUARE[:2]], "no closed contours", id="two points"),
        pytest.param([], "no closed contours", id="nothing drawn"),
        pytest.param([np.ravel(SQUARE)[:-1]], "three coordinates", id="half a point"),
    ],
)
def test_a_structure_refused_does_not_lose_the_others(tmp_path, images, drawn, told):
    found = read(tmp_path, {"Bad": drawn, "Good": [SQUARE]}, images)
    assert [region.name for region in found.regions] == ["Good"]
    assert len(found.skipped) == 1
    assert found.skipped[0].reason.startswith("structure 1: ")
    assert told in found.skipped[0].reason


@pytest.mark.parametrize(
    ("drawn", "told"),
    [
        pytest.param([SQUARE], "no volume without its images", id="one plane"),
        pytest.param([SQUARE, SLANTED], "not axial", id="slanted"),
    ],
)
def test_without_images_refused(tmp_path, drawn, told):
    assert told in read(tmp_path, {"A": drawn}).skipped[0].reason


def test_a_contour_written_twice_counts_once(tmp_path, images):
    assert read(tmp_path, {"A": [SQUARE, SQUARE]}, images).regions[0].mask.sum() == 12


def test_points_are_no_contours(tmp_path, images):
    path = case.structures(tmp_path, {"Marker": [SQUARE]})
    header = read_header(path)
    header.dataset.ROIContourSequence[0].ContourSequence[0].ContourGeometricType = "POINT"
    assert "no closed contours" in read_structures(header, images).skipped[0].reason


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"StructureSetROISequence": case.ABSENT}, "not described"),
        ({"StructureSetROISequence": [case.item(ROINumber=1, ROIName="A")]}, "names no frame of reference"),
        (
            {"StructureSetROISequence": [case.item(ROINumber=1, ReferencedFrameOfReferenceUID="1.5")]},
            "another frame of reference",
        ),
    ],
)
def test_descriptions_refused(tmp_path, images, changes, told):
    assert told in read(tmp_path, {"A": [SQUARE]}, images, **changes).skipped[0].reason


def test_images_that_make_no_volume_refuse_all(tmp_path, images):
    with pytest.raises(ImpossibleInput, match="not evenly spaced"):
        read(tmp_path, {"A": [SQUARE]}, [images[0], images[1], images[3]])
