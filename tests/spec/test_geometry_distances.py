"""Distances run from voxel border to voxel border: what touches is 0 mm apart."""

import math
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from connector.core.case import Region, VolumeGeometry
from connector.core.errors import ImpossibleInput
from connector.core.geometry.distances import gap_mm
from connector.core.geometry.grids import subgrid

GRID = VolumeGeometry(
    (9, 30, 30), (0.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (5.0, 2.0, 1.0), "1"
)


def region(planes, rows, columns, grid=GRID):
    mask = np.zeros(grid.shape, dtype=bool)
    mask[planes, rows, columns] = True
    return Region("r", "lesion", mask, grid, "1.2", 1)


@pytest.mark.parametrize(
    ("one", "other", "expected", "why"),
    [
        (region(4, 5, 5), region(4, 5, 5), 0, "itself"),
        (region(4, 5, 5), region(4, 5, 6), 0, "side by side"),
        (region(4, 5, 5), region(5, 6, 6), 0, "touching at a corner"),
        (region(4, 5, 5), region(4, 5, 16), 10, "ten voxels of 1 mm between them"),
        (region(4, 5, 5), region(4, 8, 5), 4, "two rows of 2 mm between them"),
        (region(2, 5, 5), region(4, 5, 5), 5, "one plane of 5 mm between them"),
        (region(4, 5, 5), region(4, 8, 9), 5, "3 and 4 across: sqrt(4^2 + 3^2)"),
        (region(2, 5, 5), region(4, 8, 9), math.sqrt(25 + 16 + 9), "in all three directions"),
        (region(slice(2, 7), slice(2, 20), slice(2, 20)), region(4, 10, 10), 0, "inside the other"),
    ],
)
def test_gaps(one, other, expected, why):
    assert gap_mm(one, other) == Decimal(expected).quantize(Decimal("0.01")), why
    assert gap_mm(other, one) == Decimal(expected).quantize(Decimal("0.01")), "the way back is as long"


def test_crops_of_one_lattice_are_compared():
    crop = subgrid(GRID, start=(4, 5, 16), shape=(1, 1, 1))
    assert gap_mm(region(4, 5, 5), region(0, 0, 0, crop)) == Decimal("10.00")


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (region(4, 5, 5, replace(GRID, origin_mm=(0.4, 0.0, 0.0))), "different grids"),
        (region(slice(0), 0, 0), "empty"),
    ],
)
def test_gaps_refused(other, told):
    with pytest.raises(ImpossibleInput, match=told):
        gap_mm(region(4, 5, 5), other)
