"""Masks move between grids by their places in the patient, and what falls outside is counted."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.case import VolumeGeometry
from connector.core.errors import ImpossibleInput
from connector.core.geometry.grids import subgrid
from connector.core.geometry.resampling import resample_nearest

FINE = VolumeGeometry(
    (8, 20, 20), (0.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (1.0, 1.0, 1.0), "1"
)
# Voxels of 2 mm whose borders fall on borders of the fine grid.
COARSE = replace(FINE, shape=(4, 10, 10), origin_mm=(0.5, 0.5, 0.5), spacing_mm=(2.0, 2.0, 2.0))


def block(grid, planes, rows, columns):
    mask = np.zeros(grid.shape, dtype=bool)
    mask[planes, rows, columns] = True
    return mask


def test_to_coarser_voxels_that_fit():
    found = resample_nearest(block(FINE, slice(2, 6), slice(4, 8), slice(6, 16)), FINE, COARSE)
    assert np.array_equal(found.mask, block(COARSE, slice(1, 3), slice(2, 4), slice(3, 8)))
    assert found.outside_fraction == 0


def test_to_finer_voxels_that_fit():
    found = resample_nearest(block(COARSE, slice(1, 3), slice(2, 4), slice(3, 8)), COARSE, FINE)
    assert np.array_equal(found.mask, block(FINE, slice(2, 6), slice(4, 8), slice(6, 16)))


def test_a_quarter_turn_is_exact():
    turned = replace(
        FINE, origin_mm=(19.0, 0.0, 0.0), row_step_direction=(-1.0, 0.0, 0.0), column_step_direction=(0.0, 1.0, 0.0)
    )
    mask = block(FINE, slice(2, 3), slice(4, 8), slice(6, 16))
    assert np.array_equal(resample_nearest(mask, FINE, turned).mask, np.rot90(mask, axes=(1, 2)))


def test_an_oblique_grid_keeps_the_volume():
    turn = math.radians(20)
    slanted = replace(
        FINE, shape=(40, 80, 80), spacing_mm=(0.5, 0.5, 0.5), origin_mm=(-8.0, -8.0, -8.0),
        row_step_direction=(-math.sin(turn), math.cos(turn), 0.0),
        column_step_direction=(math.cos(turn), math.sin(turn), 0.0),
    )  # fmt: skip
    mask = block(FINE, slice(2, 6), slice(4, 14), slice(6, 16))
    found = resample_nearest(mask, FINE, slanted)
    assert np.count_nonzero(found.mask) / 8 == pytest.approx(np.count_nonzero(mask), rel=0.02)
    assert found.outside_fraction == 0


@pytest.mark.parametrize(
    ("target", "outside", "inside_count", "why"),
    [
        (subgrid(FINE, start=(0, 0, 0), shape=(8, 20, 11)), 0.5, 200, "half of it beyond the last column"),
        (subgrid(FINE, start=(4, 0, 0), shape=(8, 20, 20)), 0.5, 200, "half of it below the first plane"),
        (subgrid(FINE, start=(20, 0, 0), shape=(3, 20, 20)), 1.0, 0, "all of it beyond"),
        (replace(COARSE, shape=(4, 10, 4)), 0.8, 10, "on another lattice: two columns of ten remain"),
    ],
)
def test_what_is_outside_is_counted(target, outside, inside_count, why):
    mask = block(FINE, slice(2, 6), slice(4, 14), slice(6, 16))
    found = resample_nearest(mask, FINE, target)
    assert found.outside_fraction == pytest.approx(outside), why
    assert np.count_nonzero(found.mask) == inside_count, why


def test_an_empty_mask_stays_empty():
    found = resample_nearest(np.zeros(FINE.shape, dtype=bool), FINE, COARSE)
    assert not found.mask.any()
    assert found.outside_fraction == 0


def test_another_frame_of_reference_is_refused():
    with pytest.raises(ImpossibleInput, match="another frame of reference"):
        resample_nearest(block(FINE, 0, 0, 0), FINE, replace(FINE, frame_of_reference_uid="2"))


@given(
    start=st.tuples(st.integers(-3, 6), st.integers(-5, 15), st.integers(-5, 15)),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 20), st.integers(1, 20)),
    seed=st.integers(0, 99),
)
def test_on_one_lattice_voxels_are_moved_not_resampled(start, shape, seed):
    mask = np.random.default_rng(seed).random(FINE.shape) < 0.2
    target = subgrid(FINE, start=start, shape=shape)
    padded = np.pad(mask, 30)
    expected = padded[tuple(slice(30 + first, 30 + first + size) for first, size in zip(start, shape, strict=True))]
    found = resample_nearest(mask, FINE, target)
    assert np.array_equal(found.mask, expected)
    assert found.outside_fraction == pytest.approx(1 - expected.sum() / mask.sum())
