"""Volumes count voxels once, the liver includes its tumour, and lobes are never guessed."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as arrays

from connector.core.case import Region, VolumeGeometry
from connector.core.errors import ImpossibleInput
from connector.core.geometry.grids import subgrid
from connector.core.geometry.volumes import liver_burden, lobe_of, overlap_fraction, pieces, volume_ml

GRID = VolumeGeometry(
    (4, 10, 10), (0.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (5.0, 2.0, 2.0), "1"
)


def region(planes, rows, columns, kind="other", grid=GRID):
    mask = np.zeros(grid.shape, dtype=bool)
    mask[planes, rows, columns] = True
    return Region(kind, kind, mask, grid, "1.2", 1)


def cropped(whole, start, shape):
    cut = tuple(slice(first, first + length) for first, length in zip(start, shape, strict=True))
    return Region(
        whole.name, whole.kind, whole.mask[cut], subgrid(whole.geometry, start=start, shape=shape), whole.origin, 1
    )


LIVER = region(slice(0, 4), slice(0, 10), slice(0, 10), "liver")
TUMOUR = region(slice(1, 2), slice(0, 5), slice(0, 10), "lesion")


@pytest.mark.parametrize(
    ("count", "expected", "why"),
    [(0, "0.000", "nothing"), (1, "0.020", "5 x 2 x 2 mm"), (50, "1.000", "50 voxels of 0.02 mL are exactly 1 mL")],
)
def test_volumes(count, expected, why):
    assert volume_ml(count, GRID) == Decimal(expected), why


def test_pieces_are_numbered_from_the_largest():
    mask = np.zeros((3, 8, 8), dtype=bool)
    mask[0, 0, 0] = True
    mask[0, 4:7, 4:7] = True
    mask[2, 0, 7] = True
    labels, sizes = pieces(mask)
    assert sizes == (9, 1, 1)
    assert (labels[0, 5, 5], labels[0, 0, 0], labels[2, 0, 7], labels[1, 1, 1]) == (1, 2, 3, 0)


def test_pieces_that_touch_at_a_corner_are_one():
    mask = np.zeros((2, 2, 2), dtype=bool)
    mask[0, 0, 0] = mask[1, 1, 1] = True
    assert pieces(mask)[1] == (2,)


def test_an_empty_mask_has_no_pieces():
    assert pieces(np.zeros((2, 2, 2), dtype=bool))[1] == ()


@given(mask=arrays.arrays(bool, (3, 6, 6)))
def test_pieces_share_out_every_voxel(mask):
    labels, sizes = pieces(mask)
    assert sum(sizes) == np.count_nonzero(mask)
    assert list(sizes) == sorted(sizes, reverse=True)
    assert [np.count_nonzero(labels == number) for number in range(1, len(sizes) + 1)] == list(sizes)


@pytest.mark.parametrize(
    ("liver", "tumours", "expected", "why"),
    [
        (LIVER, [TUMOUR], ("8.000", "1.000", Fraction(1, 8)), "tumour inside the liver's outline"),
        (LIVER, [TUMOUR, TUMOUR], ("8.000", "1.000", Fraction(1, 8)), "a voxel in two segments counts once"),
        (LIVER, [], ("8.000", "0.000", Fraction(0)), "no tumour segmented"),
        (
            region(slice(2, 4), slice(0, 10), slice(0, 10)),
            [TUMOUR],
            ("5.000", "1.000", Fraction(1, 5)),
            "an outline that leaves the tumour out is completed by it",
        ),
        (LIVER, [cropped(TUMOUR, (1, 0, 0), (1, 5, 10))], ("8.000", "1.000", Fraction(1, 8)), "a crop is the same"),
    ],
)
def test_liver_with_tumour(liver, tumours, expected, why):
    found = liver_burden(liver, tumours)
    liver_ml, tumour_ml, fraction = expected
    assert (found.liver_volume_ml, found.tumour_volume_ml) == (Decimal(liver_ml), Decimal(tumour_ml)), why
    assert found.tumour_fraction == fraction, why


def test_nothing_segmented_is_no_burden():
    empty = region(slice(0), slice(0), slice(0))
    assert liver_burden(empty, [empty]) is None


def test_tumour_of_another_space_is_refused():
    elsewhere = VolumeGeometry(
        GRID.shape, GRID.origin_mm, GRID.plane_direction, GRID.row_step_direction, GRID.column_step_direction,
        GRID.spacing_mm, "2",
    )  # fmt: skip
    with pytest.raises(ImpossibleInput, match="another frame of reference"):
        liver_burden(LIVER, [region(0, 0, 0, grid=elsewhere)])


@pytest.mark.parametrize(
    ("inner", "outer", "expected", "why"),
    [
        (TUMOUR, LIVER, Fraction(1), "all of it"),
        (LIVER, TUMOUR, Fraction(1, 8), "of the first region, not of the second"),
        (region(slice(0), 0, 0), LIVER, Fraction(0), "an empty region lies nowhere"),
    ],
)
def test_overlap(inner, outer, expected, why):
    assert overlap_fraction(inner, outer) == expected, why


LEFT, RIGHT = region(slice(0, 4), slice(0, 10), slice(5, 10)), region(slice(0, 4), slice(0, 10), slice(0, 5))


@pytest.mark.parametrize(
    ("lesion", "left", "right", "expected", "why"),
    [
        (region(1, 1, slice(6, 9)), LEFT, RIGHT, "left", "inside the left lobe"),
        (region(1, 1, slice(0, 3)), LEFT, RIGHT, "right", "inside the right lobe"),
        (region(1, 1, slice(3, 6)), LEFT, RIGHT, "right", "across the border: where most of it lies"),
        (region(1, 1, slice(4, 6)), LEFT, RIGHT, None, "half and half cannot be told"),
        (region(1, 1, slice(6, 9)), LEFT, None, None, "one lobe alone does not tell"),
        (region(1, 1, slice(6, 9)), None, None, None, "never guessed from coordinates"),
    ],
)
def test_lobes(lesion, left, right, expected, why):
    assert lobe_of(lesion, left=left, right=right) == expected, why
