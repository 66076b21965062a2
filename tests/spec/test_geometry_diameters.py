"""Diameters against closed forms: n pixels are n spacings long, and the short axis is the longest chord across."""

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from connector.core.case import VolumeGeometry
from connector.core.geometry.diameters import lesion_diameters


def grid(shape, spacing, **changes):
    given = {
        "shape": shape, "origin_mm": (0.0, 0.0, 0.0), "plane_direction": (0.0, 0.0, 1.0),
        "row_step_direction": (0.0, 1.0, 0.0), "column_step_direction": (1.0, 0.0, 0.0), "spacing_mm": spacing,
        "frame_of_reference_uid": "1.2.3",
    }  # fmt: skip
    return VolumeGeometry(**{**given, **changes})


def measure(mask, spacing=(1.0, 1.0, 1.0), **changes):
    return lesion_diameters(mask, grid(mask.shape, spacing, **changes))


def box(rows, columns, planes=1):
    mask = np.zeros((planes + 2, rows + 4, columns + 6), dtype=bool)
    mask[1 : 1 + planes, 2 : 2 + rows, 3 : 3 + columns] = True
    return mask


def two_decimals(value):
    return Decimal(value).quantize(Decimal("0.01"))


@pytest.mark.parametrize(
    ("rows", "columns", "spacing", "long_axis", "why"),
    [
        (1, 1, (3, 1, 1), "1.00", "one pixel is one spacing long, not zero"),
        (1, 1, (3, 0.7, 0.5), "0.70", "one pixel is as long as its longer side"),
        (1, 20, (3, 0.5, 0.5), "10.00", "20 pixels of 0.5 mm are 10 mm: exactly at the limit of a measurable lesion"),
        (1, 20, (3, 0.9, 0.5), "10.00", "a row is measured along its columns' spacing"),
        (20, 1, (3, 0.5, 0.9), "10.00", "a column is measured along its rows' spacing"),
        (10, 20, (3, 1, 1), math.hypot(20, 9), "the outline cuts the corners of the corner pixels by half"),
        (20, 10, (3, 1, 1), math.hypot(20, 9), "turned by a quarter, it is as long"),
        (3, 4, (3, 2, 2), 2 * math.hypot(4, 2), "spacing scales the length"),
        (3, 4, (3, 2, 1), math.hypot(3, 6), "the cut that leaves more is taken: sqrt((3*1)^2 + (3*2)^2)"),
    ],
)
def test_rectangles(rows, columns, spacing, long_axis, why):
    assert measure(box(rows, columns), spacing).long_axis_mm == two_decimals(long_axis), why


@pytest.mark.parametrize(
    ("rows", "columns", "spacing", "short_axis", "why"),
    [
        (1, 1, (3, 1, 1), "1.00", "a pixel is as wide as long"),
        (1, 1, (3, 0.7, 0.5), "0.50", "across its longer side lies its shorter one"),
        (1, 20, (3, 1, 0.5), "1.00", "a row is as wide as a pixel"),
        (1, 20, (3, 0.5, 0.9), "0.50", "a row is as wide as a pixel is high"),
        (7, 1, (3, 1, 1.5), "1.50", "a column is as wide as a pixel"),
        (9, 9, (3, 1, 1), math.hypot(9, 8), "a square: the other diagonal is as long"),
    ],
)
def test_short_axis_of_rectangles(rows, columns, spacing, short_axis, why):
    assert measure(box(rows, columns), spacing).short_axis_mm == two_decimals(short_axis), why


def test_long_rectangle_across_its_diagonal():
    """10 x 20: the long axis runs (20, 9) mm; the chord across it goes from side to side, 10 * sqrt(481) / 20 mm."""
    assert measure(box(10, 20)).short_axis_mm == two_decimals(10 * math.hypot(20, 9) / 20)


def ellipse(*, semi_mm, spacing, turned=0.0, planes=1):
    extent = 2 * math.ceil(max(semi_mm) / min(spacing[1:])) + 5
    rows, columns = np.mgrid[:extent, :extent] - (extent - 1) / 2
    y, x = rows * spacing[1], columns * spacing[2]
    along, across = x * math.cos(turned) + y * math.sin(turned), y * math.cos(turned) - x * math.sin(turned)
    inside = (along / semi_mm[0]) ** 2 + (across / semi_mm[1]) ** 2 <= 1
    return np.repeat(inside[None], planes, axis=0)


@pytest.mark.parametrize("spacing", [(5, 0.5, 0.5), (5, 0.8, 0.8), (3, 0.7, 0.98)])
@pytest.mark.parametrize("semi_mm", [(20, 20), (20, 12), (31, 9)])
@pytest.mark.parametrize("turned", [0, math.pi / 7, math.pi / 4, math.pi / 2, 2.5])
def test_ellipses_are_true_within_a_pixel(spacing, semi_mm, turned):
    found = measure(ellipse(semi_mm=semi_mm, spacing=spacing, turned=turned), spacing)
    pixel = max(spacing[1:])
    assert abs(float(found.long_axis_mm) - 2 * semi_mm[0]) <= pixel
    assert abs(float(found.short_axis_mm) - 2 * semi_mm[1]) <= 1.5 * pixel


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (5.0, 0.7, 0.7), (2.5, 0.9, 0.6)])
def test_spheres_are_longest_in_their_middle_plane(spacing):
    radius = 15.0
    half = [math.ceil(radius / each) + 2 for each in spacing]
    z, y, x = np.mgrid[tuple(slice(-each, each + 1) for each in half)]
    mask = (z * spacing[0]) ** 2 + (y * spacing[1]) ** 2 + (x * spacing[2]) ** 2 <= radius**2
    found = measure(mask, spacing)
    assert found.plane == half[0]
    assert abs(float(found.long_axis_mm) - 2 * radius) <= max(spacing[1:])


def test_an_oblique_volume_has_the_same_diameters_and_its_ends_lie_in_the_patient():
    turn = math.radians(30)
    oblique = {
        "origin_mm": (10.0, -20.0, 30.0),
        "column_step_direction": (math.cos(turn), 0.0, -math.sin(turn)),
        "row_step_direction": (0.0, 1.0, 0.0),
        "plane_direction": (math.sin(turn), 0.0, math.cos(turn)),
    }
    straight, slanted = measure(box(4, 12), (3, 0.5, 0.5)), measure(box(4, 12), (3, 0.5, 0.5), **oblique)
    assert (slanted.long_axis_mm, slanted.short_axis_mm) == (straight.long_axis_mm, straight.short_axis_mm)
    start, stop = (np.array(end) for end in slanted.long_axis_ends_mm)
    assert np.linalg.norm(stop - start) == pytest.approx(float(straight.long_axis_mm), abs=0.005)
    normal = np.array(oblique["plane_direction"])
    assert (stop - start) @ normal == pytest.approx(0, abs=1e-9), "a diameter lies in its plane"
    assert (start - np.array(oblique["origin_mm"])) @ normal == pytest.approx(3.0), "which is plane 1 of 3 mm"


def test_axes_cross_at_a_right_angle():
    found = measure(ellipse(semi_mm=(17, 8), spacing=(3, 0.6, 0.9), turned=0.4), (3, 0.6, 0.9))
    long_axis = np.subtract(*found.long_axis_ends_mm)
    short_axis = np.subtract(*found.short_axis_ends_mm)
    assert long_axis @ short_axis == pytest.approx(0, abs=1e-6)
    assert np.linalg.norm(short_axis) == pytest.approx(float(found.short_axis_mm), abs=0.005)


def test_the_plane_with_the_longest_diameter_is_taken():
    mask = np.zeros((4, 12, 30), dtype=bool)
    mask[0, 5:11, 5:20] = True
    mask[2, 5, 5:28] = True
    found = measure(mask)
    assert (found.plane, found.long_axis_mm, found.short_axis_mm) == (2, Decimal("23.00"), Decimal("1.00"))


def test_a_tie_goes_to_the_wider_plane_and_then_to_the_first():
    mask = np.zeros((4, 12, 30), dtype=bool)
    mask[0, 5, 5:15] = True
    mask[1, 5, 5:15] = True
    mask[1, 6, 9:12] = True
    mask[2, 5, 5:15] = True
    mask[2, 6, 9:12] = True
    assert measure(mask).plane == 1


def test_a_stray_pixel_is_not_joined_to_the_lesion():
    mask = np.zeros((1, 100, 100), dtype=bool)
    mask[0, 10:20, 10] = True
    mask[0, 95, 95] = True
    found = measure(mask)
    assert (found.long_axis_mm, found.pieces_in_plane) == (Decimal("10.00"), 2)


def test_pixels_that_touch_at_a_corner_belong_together():
    mask = np.zeros((1, 3, 3), dtype=bool)
    mask[0, 0, 0] = mask[0, 1, 1] = True
    found = measure(mask)
    assert (found.pieces_in_plane, found.long_axis_mm) == (1, two_decimals(math.hypot(1, 2)))


def test_a_hollow_lesion_is_as_long_as_a_solid_one():
    solid = box(9, 13)
    hollow = solid.copy()
    hollow[1, 5:8, 6:12] = False
    assert measure(hollow) == measure(solid)


def test_an_empty_mask_has_no_diameters():
    assert measure(np.zeros((2, 3, 4), dtype=bool)) is None


MASKS = arrays.arrays(bool, st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)))
SPACINGS = st.tuples(*[st.sampled_from([0.5, 0.7, 1.0, 1.3, 3.0])] * 3)


def outline(plane, spacing):
    """All side middles of all pixels: what the definition says, without a hull."""
    rows, columns = np.nonzero(plane)
    points = [
        ((columns + x) * spacing[2], (rows + y) * spacing[1]) for x, y in ((0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5))
    ]
    return np.concatenate([np.stack(each, axis=1) for each in points])


@given(mask=MASKS.filter(lambda mask: mask.any()), spacing=SPACINGS)
def test_never_longer_than_all_points_of_the_longest_plane(mask, spacing):
    points = [outline(plane, spacing) for plane in mask if plane.any()]
    farthest = max(np.linalg.norm(each[:, None] - each[None], axis=2).max() for each in points)
    found = measure(mask, spacing)
    assert float(found.long_axis_mm) <= farthest + 0.005
    assert found.short_axis_mm <= found.long_axis_mm


@given(mask=MASKS.filter(lambda mask: mask.any()), spacing=SPACINGS)
def test_solid_pieces_match_all_pairs_of_points(mask, spacing):
    solid = np.zeros_like(mask)
    solid[:, : np.nonzero(mask.any(axis=(0, 2)))[0][-1] + 1, : np.nonzero(mask.any(axis=(0, 1)))[0][-1] + 1] = True
    points = outline(solid[0], spacing)
    farthest = np.linalg.norm(points[:, None] - points[None], axis=2).max()
    assert float(measure(solid, spacing).long_axis_mm) == pytest.approx(farthest, abs=0.0051)


@given(mask=MASKS.filter(lambda mask: mask.any()), spacing=SPACINGS)
def test_mirrors_and_quarter_turns_change_nothing(mask, spacing):
    lengths = {
        (found.long_axis_mm, found.short_axis_mm)
        for found in (
            measure(mask, spacing),
            measure(mask[:, ::-1], spacing),
            measure(mask[:, :, ::-1], spacing),
            measure(mask[::-1], spacing),
            measure(mask.transpose(0, 2, 1), (spacing[0], spacing[2], spacing[1])),
        )
    }
    assert len(lengths) == 1
